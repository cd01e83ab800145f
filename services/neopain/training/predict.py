"""What trained nets say of prepared windows, as the table that calibration and evaluation read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from neopain.models.networks import Networks
from neopain.training.encoded import Encoded
from neopain.training.heads import fusion_outputs
from neopain.training.machine import Batch, Machine, find_machine
from neopain.training.patterns import letters_of, patterns_of, present_of
from neopain.training.pool import Flags, Pool, Windows
from neopain.training.predictions import Floats, ModelPredictions
from neopain.training.tokens import encode

NOTHING_PRESENT = "no-modality-present"
AT_ONCE = 512


def predict_networks(
    networks: Networks, prepared: Windows, indices: Sequence[int], pattern: str | None = None, *, device: str = "cpu"
) -> ModelPredictions:
    """What the nets say of these windows, in float32; with ``pattern`` only its letters are left of what they have.

    For several patterns of the same windows, ``encode_windows`` once and ``predict_encoded`` for each is cheaper.
    """
    return predict_encoded(networks, encode_windows(networks, prepared, indices, device=device), pattern)


def encode_windows(networks: Networks, prepared: Windows, indices: Sequence[int], *, device: str = "cpu") -> Encoded:
    """These windows, in their order, through the three encoders; about 60 kB of memory each."""
    machine = find_machine(device, half="float32")
    machine.place(networks.eval())
    return encode(networks, Pool([prepared]), np.asarray(indices, np.intp), machine)


def predict_encoded(networks: Networks, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
    """What the fusion head says of encoded windows, with all they have or with what ``pattern`` leaves."""
    head = networks.fusion_head.eval()
    keep = kept_letters(encoded, pattern)
    quantiles, by_modality, attention, sedation, distance = answers(
        lambda batch: fusion_outputs(head, batch), encoded, keep, Machine(head.distance_unit.device, None)
    )
    is_present = present_of(keep)
    return ModelPredictions(
        quantiles=quantiles,
        sedation=sedation[:, 0],
        distance=distance[:, 0],
        by_modality=np.where(is_present, by_modality, np.nan),
        attention=np.where(is_present, attention, np.nan),
        abstained=abstentions(keep),
    )


def kept_letters(encoded: Encoded, pattern: str | None) -> Flags:
    """What is left of each window, bool [n, 4]: all it has, or what is also in the pattern."""
    return encoded.letters if pattern is None else encoded.letters & letters_of([pattern])


def abstentions(keep: Flags) -> tuple[str, ...]:
    """A reason for windows of which nothing is left, "" for the others."""
    return tuple("" if pattern else NOTHING_PRESENT for pattern in patterns_of(keep))


@torch.no_grad()
def answers(
    net: Callable[[Batch], tuple[Tensor, ...]], encoded: Encoded, keep: Flags, machine: Machine
) -> list[Floats]:
    """Each output of a net on all windows, undisturbed, with the modalities that ``keep`` leaves."""
    rows = np.arange(len(encoded))
    parts = [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
    found = [net(machine.put(encoded.batch(some, keep[some]))) for some in parts]
    return [torch.cat(outputs).cpu().numpy().astype(np.float64) for outputs in zip(*found, strict=True)]
