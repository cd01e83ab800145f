import numpy as np
import pytest
import torch

from neopain.domain.calibration import PATTERNS
from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint
from neopain.models.config import AudioConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.graph import FUSION_HEAD, NETS
from neopain.models.networks import Networks
from neopain.models.sample_windows import sample_window
from neopain.training import exported_nets
from neopain.training.exported_nets import ExportedNets
from neopain.training.leg import Silent
from neopain.training.nets import CheckpointNets, encode_all, rows_of

SMALL = NetConfig(
    video=VideoConfig(stem_channels=8, depths=(1, 1, 1, 1)),
    audio=AudioConfig(channels=(8, 16, 16, 32), layers=1),
    vitals=VitalsConfig(channels=32),
)
RECORDED = ("FCPM", "FCM", "PM", "FCP", "")


class MadeUp:
    """Windows of five patterns, as ``training.windows`` would have prepared them."""

    patterns = RECORDED
    segments = (None,) * len(RECORDED)
    labels = sedation = np.zeros(len(RECORDED), np.float32)
    items = codes = np.zeros((len(RECORDED), 6), np.float32)
    present = np.array([["F" in each, "C" in each, bool({"P", "M"} & set(each))] for each in RECORDED])

    def __init__(self):
        rows = [sample_window(seed) for seed in range(len(RECORDED))]
        masks = [row["VITALS"].copy() for row in rows]
        for pattern, vitals in zip(RECORDED, masks, strict=True):
            vitals[[0, 1, 2, 3, 5, 6, 7, 8]] *= "P" in pattern
            vitals[[4, 9]] *= "M" in pattern
        self.vitals = np.stack(masks)
        self.cry = np.stack([row["CRY"] for row in rows])
        self.context = np.stack([row["CONTEXT"] for row in rows])
        self._clips = [row["CLIP"] for row in rows]

    def __len__(self):
        return len(RECORDED)

    def clip(self, index):
        return self._clips[index]


class InTorch:
    """One net behind the interface of an engine."""

    def __init__(self, name, net):
        self.spec, self.net = NETS[name], net

    def run(self, inputs):
        given = [torch.from_numpy(np.ascontiguousarray(inputs[spec.name])) for spec in self.spec.inputs]
        if self.spec is FUSION_HEAD:
            given = [tuple(given[:3]), tuple(given[3:6]), *given[6:]]
        with torch.no_grad():
            outputs = self.net(*given)
        return {spec.name: output.numpy() for spec, output in zip(self.spec.outputs, outputs, strict=True)}


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return Networks(SMALL).eval()


@pytest.fixture(scope="module")
def windows():
    return MadeUp()


@pytest.fixture
def exported(networks, monkeypatch, tmp_path):
    monkeypatch.setattr(
        exported_nets,
        "load_engine",
        lambda folder, _: InTorch(folder.parent.name, getattr(networks, folder.parent.name)),
    )
    return ExportedNets(tmp_path)


def test_exported_nets_say_what_the_checkpoint_says(networks, windows, exported):
    torched = CheckpointNets(networks)
    ours, theirs = (nets.encode(windows, range(len(RECORDED))) for nets in (exported, torched))
    for pattern in (None, *PATTERNS):
        said, expected = exported.predict(ours, pattern), torched.predict(theirs, pattern)
        np.testing.assert_allclose(said.quantiles, expected.quantiles, atol=2e-3)
        np.testing.assert_allclose(said.by_modality, expected.by_modality, atol=2e-3)
        np.testing.assert_allclose(said.attention, expected.attention, atol=2e-3)
        assert said.abstained == expected.abstained


def test_what_is_absent_has_neither_score_nor_attention(windows, exported):
    said = exported.predict(exported.encode(windows, [1]), "CM")
    assert np.isnan(said.by_modality[0]).tolist() == [True, False, False]
    assert np.isnan(said.attention[0]).tolist() == [True, False, False]


def test_a_window_without_anything_has_quantiles_and_a_reason(windows, exported):
    said = exported.predict(exported.encode(windows, [4]))
    assert np.isfinite(said.quantiles).all()
    assert said.abstained == ("no-modality-present",)


def test_windows_are_encoded_in_their_order_a_few_at_a_time(windows, exported, monkeypatch):
    monkeypatch.setattr("neopain.training.nets.AT_ONCE", 2)
    whole = exported.encode(windows, [3, 0, 2])
    parts = encode_all(exported, windows, np.array([3, 0, 2]), Silent())
    assert parts.letters.tolist() == whole.letters.tolist()
    assert parts.face.tolist() == whole.face.tolist()
    assert rows_of(parts, np.array([1])).context.tolist() == whole.context[1:2].tolist()


def test_a_part_of_the_nets_is_refused(networks):
    state = {name: tensor for name, tensor in networks.state_dict().items() if name.startswith("video_encoder")}
    with pytest.raises(ConfigurationError, match="does not hold all of the nets"):
        CheckpointNets.of_checkpoint(Checkpoint(SMALL, state, {}))
