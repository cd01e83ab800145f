from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from neopain.features.signature import CLIP, CONTEXT, CRY, PRESENT, VITALS
from neopain.models.networks import Networks
from neopain.training.predict import encode_windows, predict_encoded, predict_networks

Fake = Callable[..., Any]


@pytest.fixture
def windows(fake_windows: Fake) -> Any:
    return fake_windows(infants=2, each=4, patterns_of_each=("FCPM", "FC", "PM", "FM"))


def test_predictions_are_what_the_ensemble_says(networks: Networks, windows: Any) -> None:
    found = predict_networks(networks, windows, range(8))
    batch = {
        CLIP.name: torch.from_numpy(np.stack([windows.clip(number) for number in range(8)])),
        CRY.name: torch.from_numpy(np.stack([windows[number] for number in range(8)])),
        VITALS.name: torch.from_numpy(windows.vitals),
        CONTEXT.name: torch.from_numpy(windows.context),
        PRESENT.name: torch.from_numpy(windows.present),
    }
    with torch.no_grad():
        quantiles, by_modality, attention, sedation, distance = (each.numpy() for each in networks(batch))
    # Tokens are carried as float16 between encoders and head.
    assert np.allclose(found.quantiles, quantiles, atol=0.01)
    assert np.allclose(found.sedation, sedation[:, 0], atol=0.01)
    assert np.allclose(found.distance, distance[:, 0], rtol=0.01)
    assert np.allclose(np.nan_to_num(found.by_modality), by_modality, atol=0.01)
    assert np.allclose(np.nan_to_num(found.attention), attention, atol=0.01)


def test_an_absent_modality_has_neither_score_nor_attention(networks: Networks, windows: Any) -> None:
    found = predict_networks(networks, windows, [1, 2])
    assert np.isnan(found.by_modality).tolist() == [[False, False, True], [True, True, False]]
    assert np.isnan(found.attention).tolist() == [[False, False, True], [True, True, False]]


def test_the_windows_keep_their_order(networks: Networks, windows: Any) -> None:
    encoded = predict_networks(networks, windows, [5, 0])
    assert np.allclose(encoded.quantiles[0], predict_networks(networks, windows, [5]).quantiles[0], atol=1e-5)


def test_a_pattern_is_as_if_the_other_sources_were_not_there(
    networks: Networks, windows: Any, fake_windows: Fake
) -> None:
    less = fake_windows(infants=2, each=4, patterns_of_each=("FM", "FC", "PM", "FM"))
    hidden = predict_networks(networks, windows, [0], "FM")
    assert np.allclose(hidden.quantiles, predict_networks(networks, less, [0]).quantiles, atol=1e-4)


def test_where_a_pattern_leaves_nothing_there_is_no_score(networks: Networks, windows: Any) -> None:
    encoded = encode_windows(networks, windows, range(4))
    assert predict_encoded(networks, encoded, "C").abstained == ("", "", "no-modality-present", "no-modality-present")
    assert np.isfinite(predict_encoded(networks, encoded, "C").quantiles).all()


def test_windows_are_encoded_once_for_all_patterns(networks: Networks, windows: Any) -> None:
    encoded = encode_windows(networks, windows, range(4))
    for pattern in ("F", "CP", "FCPM"):
        once, anew = predict_encoded(networks, encoded, pattern), predict_networks(networks, windows, range(4), pattern)
        assert np.array_equal(once.quantiles, anew.quantiles)


def test_nothing_of_the_nets_is_changed_by_a_prediction(networks: Networks, windows: Any) -> None:
    before = {name: tensor.clone() for name, tensor in networks.state_dict().items()}
    predict_networks(networks, windows, [0])
    assert all(torch.equal(tensor, before[name]) for name, tensor in networks.state_dict().items())
