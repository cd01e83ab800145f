from __future__ import annotations

from copy import deepcopy
from itertools import product

import pytest
import torch
from torch import Tensor

from neopain.errors import ConfigurationError
from neopain.models.config import FusionConfig
from neopain.models.fusion_head import NOBODY_DISTANCE, hide_modalities
from neopain.models.networks import Networks
from neopain.models.readers import Opinion, Window

pytestmark = pytest.mark.torch

ALL_PATTERNS = list(product([False, True], repeat=3))
QUANTILES, BY_MODALITY, ATTENTION, SEDATION, DISTANCE = range(5)


def fuse(small: Networks, *, seed: int = 0, pattern: tuple[bool, ...], **changed: Tensor) -> tuple[Tensor, ...]:
    """One window through the fusion head; ``changed`` replaces face, cry, vitals, context or scores [1, 3]."""
    generator = torch.Generator().manual_seed(seed)
    given = {
        "face": torch.randn(1, 8, 32, generator=generator),
        "cry": torch.randn(1, 20, 32, generator=generator),
        "vitals": torch.randn(1, 15, 32, generator=generator),
        "context": torch.randn(1, 22, generator=generator).abs() * 10,
        "scores": 10 * torch.rand(1, 3, generator=generator),
    } | changed
    scores = tuple(given["scores"][:, i : i + 1] for i in range(3))
    with torch.no_grad():
        outputs: tuple[Tensor, ...] = small.fusion_head(
            (given["face"], given["cry"], given["vitals"]), scores, given["context"], torch.tensor([pattern])
        )
    return outputs


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("pattern", ALL_PATTERNS)
def test_every_pattern_gives_finite_ordered_outputs_in_range(small: Networks, pattern: tuple[bool, ...]) -> None:
    outputs = fuse(small, pattern=pattern)
    quantiles = outputs[QUANTILES][0]
    assert all(output.isfinite().all() for output in outputs)
    assert quantiles.diff().min() > 0
    assert quantiles[0] >= 0
    assert quantiles[-1] <= 10
    assert -10 <= outputs[SEDATION].item() <= 0
    assert outputs[DISTANCE].item() >= 0


@pytest.mark.parametrize("pattern", ALL_PATTERNS)
def test_attention_of_what_is_present_sums_to_one_and_of_what_is_absent_is_nothing(
    small: Networks, pattern: tuple[bool, ...]
) -> None:
    attention = fuse(small, pattern=pattern)[ATTENTION][0]
    assert attention.sum().item() == pytest.approx(float(any(pattern)), abs=1e-5)
    assert [bool(share > 0) for share in attention] == list(pattern)


@pytest.mark.parametrize("hidden", [0.0, 1e9, float("nan")])
@pytest.mark.parametrize("absent", [0, 1, 2])
def test_tokens_of_an_absent_modality_have_no_effect(small: Networks, absent: int, hidden: float) -> None:
    pattern = tuple(index != absent for index in range(3))
    name, count = (("face", 8), ("cry", 20), ("vitals", 15))[absent]
    changed = {name: torch.full((1, count, 32), hidden)}
    assert same(fuse(small, pattern=pattern), fuse(small, pattern=pattern, **changed))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_what_an_encoder_says_alone_counts_only_while_its_modality_is_there(small: Networks, index: int) -> None:
    here = tuple(True for _ in range(3))
    gone = tuple(i != index for i in range(3))
    low, high, none = (torch.full((1, 3), 5.0).index_fill(1, torch.tensor([index]), x) for x in (1.0, 9.0, torch.nan))
    assert not torch.allclose(
        fuse(small, pattern=here, scores=low)[QUANTILES], fuse(small, pattern=here, scores=high)[QUANTILES]
    )
    assert same(fuse(small, pattern=gone, scores=low), fuse(small, pattern=gone, scores=none))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_hiding_a_modality_has_an_effect(small: Networks, index: int) -> None:
    pattern = tuple(i != index for i in range(3))
    everything = fuse(small, pattern=(True, True, True))[QUANTILES]
    assert not torch.allclose(everything, fuse(small, pattern=pattern)[QUANTILES])


def test_context_behind_its_mask_has_no_effect(small: Networks) -> None:
    masked = torch.cat([torch.full((1, 11), 40.0), torch.zeros(1, 11)], dim=1)
    other = torch.cat([torch.full((1, 11), float("nan")), torch.zeros(1, 11)], dim=1)
    pattern = (True, False, True)
    assert same(fuse(small, pattern=pattern, context=masked), fuse(small, pattern=pattern, context=other))


def test_context_has_an_effect(small: Networks) -> None:
    young = torch.cat([torch.full((1, 11), 26.0), torch.ones(1, 11)], dim=1)
    old = torch.cat([torch.full((1, 11), 41.0), torch.ones(1, 11)], dim=1)
    pattern = (True, True, True)
    one, other = fuse(small, pattern=pattern, context=young), fuse(small, pattern=pattern, context=old)
    assert not torch.allclose(one[QUANTILES], other[QUANTILES])


def test_the_score_of_an_absent_modality_is_zero_and_the_others_pass_through(small: Networks) -> None:
    everything = fuse(small, pattern=(True, True, True))[BY_MODALITY][0]
    without_cry = fuse(small, pattern=(True, False, True))[BY_MODALITY][0]
    assert without_cry.tolist() == [everything[0].item(), 0.0, everything[2].item()]


def test_modality_dropout_never_hides_the_last_modality() -> None:
    torch.manual_seed(0)
    present = torch.tensor([[True, True, True], [False, True, False]]).repeat(200, 1)
    kept = hide_modalities(present, 0.3)
    assert kept.any(dim=1).all()
    assert not (kept & ~present).any()
    assert kept[::2].float().mean().item() == pytest.approx(0.7, abs=0.06)


def test_modality_dropout_works_only_in_training(small: Networks) -> None:
    assert same(fuse(small, pattern=(True, True, True)), fuse(small, pattern=(True, True, True)))


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("reader", [0, 1])
def test_a_reader_tells_the_order_of_tokens_that_have_the_same_mean(small: Networks, reader: int, index: int) -> None:
    rising = [torch.zeros(1, count, 32) for count in (8, 20, 15)]
    rising[index] = torch.linspace(-1, 1, rising[index].shape[1])[None, :, None] * torch.ones(32)
    falling = [each.flip(1) for each in rising]
    one, other = (opinions(small, tokens)[reader] for tokens in (rising, falling))
    assert not torch.allclose(one.quantiles, other.quantiles)


def test_dropout_works_only_in_training(small: Networks) -> None:
    learning = deepcopy(small).train()
    assert torch.equal(opinions(small)[1].quantiles, opinions(small)[1].quantiles)
    assert not torch.equal(opinions(learning)[1].quantiles, opinions(learning)[1].quantiles)


def opinions(small: Networks, tokens: list[Tensor] | None = None) -> list[Opinion]:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(1, count, 32, generator=generator) for count in (8, 20, 15)]
    tokens = tokens or drawn
    context = torch.randn(1, 22, generator=generator).abs() * 10
    scores = (10 * torch.rand(1, 3, generator=generator)).split(1, dim=1)
    with torch.no_grad():
        found, _ = small.fusion_head.opinions(
            Window((tokens[0], tokens[1], tokens[2]), (scores[0], scores[1], scores[2]), context, torch.ones(1, 3) > 0)
        )
    return found


def test_the_answer_is_the_mean_of_the_readers(small: Networks) -> None:
    first, second = opinions(small)
    outputs = fuse(small, pattern=(True, True, True))
    assert not torch.allclose(first.quantiles, second.quantiles)
    assert torch.allclose(outputs[QUANTILES], (first.quantiles + second.quantiles) / 2)
    assert torch.allclose(outputs[SEDATION], (first.sedation + second.sedation) / 2)


def test_a_window_is_empty_when_the_readers_together_say_so(small: Networks) -> None:
    sure, unsure = deepcopy(small), deepcopy(small)
    for nets, logits in ((sure, (9.0, 9.0)), (unsure, (9.0, -9.0))):
        for reader, logit in zip(nets.fusion_head.readers, logits, strict=True):
            torch.nn.init.zeros_(reader.nobody.weight)
            torch.nn.init.constant_(reader.nobody.bias, logit)
            nets.fusion_head.distance_unit.fill_(1e9)
    pattern = (True, True, True)
    assert fuse(sure, pattern=pattern)[DISTANCE].item() == pytest.approx(NOBODY_DISTANCE, abs=0.01)
    assert fuse(unsure, pattern=pattern)[DISTANCE].item() == pytest.approx(NOBODY_DISTANCE / 2, abs=0.01)


@pytest.mark.parametrize("readers", [(), (0, 1), (1, -1)])
def test_readers_without_attention_to_tell_are_refused(readers: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"fusion\.readers"):
        FusionConfig(readers=readers)
