from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neopain.models.log_mel import LogMel
from neopain.training.augment.gentler import gentler
from neopain.training.augment.pictures import PictureDisturbance, disturb_clips, hold_frames
from neopain.training.augment.signals import SignalDisturbance, disturb_vitals
from neopain.training.augment.sounds import SILENCE, SoundDisturbance, disturb_sounds, patches_of

STILL = PictureDisturbance(
    shift=0.0, zoom=0.0, turn_degrees=0.0, gain=0.0, gamma=0.0, tint=0.0, cover_probability=0.0, cover=0.0, noise=0.0
)
QUIET = SoundDisturbance(gain_db=0.0, shift_frames=0, noise_probability=0.0, lost_probability=0.0)
UNTOUCHED = SignalDisturbance(
    lose_channel=0.0, only_movement=0.0, only_physiology=0.0, no_beats=0.0, slow=0.0, begun=0.0, noise=0.0
)


def a_clip(batch: int = 1) -> torch.Tensor:
    """Sixteen frames that are alike, dark on the left and bright on the right."""
    row = torch.linspace(20, 230, 32).to(torch.uint8)
    return row[None, None, None, :, None].expand(batch, 16, 32, 32, 3)


def test_without_disturbance_a_clip_is_itself_or_its_mirror_image() -> None:
    torch.manual_seed(0)
    clips = a_clip(40).float()
    found = disturb_clips(clips, STILL)
    is_itself = (found - clips).abs().amax(dim=(1, 2, 3, 4)) < 0.5
    is_mirrored = (found - clips.flip(3)).abs().amax(dim=(1, 2, 3, 4)) < 0.5
    assert (is_itself ^ is_mirrored).all()
    assert 8 <= int(is_mirrored.sum()) <= 32


def test_a_gentler_disturbance_has_a_share_of_every_length_and_probability() -> None:
    half = gentler(SoundDisturbance(), 0.5)
    assert half == SoundDisturbance(
        gain_db=6.0, shift_frames=30, noise=0.25, noise_probability=0.25, lost_probability=0.15
    )
    assert gentler(PictureDisturbance(), 0.0) == STILL


def test_all_frames_of_a_clip_are_disturbed_alike() -> None:
    torch.manual_seed(0)
    found = disturb_clips(a_clip(), replace(PictureDisturbance(), noise=0.0))
    torch.testing.assert_close(found[:, 1:], found[:, :1].expand(-1, 15, -1, -1, -1))


def test_two_clips_are_disturbed_differently_and_stay_pictures() -> None:
    torch.manual_seed(0)
    found = disturb_clips(a_clip(2), PictureDisturbance())
    assert not torch.allclose(found[0], found[1], atol=5)
    assert 0 <= found.min().item() <= found.max().item() <= 255


def test_a_part_of_the_picture_may_be_covered() -> None:
    torch.manual_seed(1)
    covered = replace(STILL, cover_probability=1.0, cover=0.35)
    found = disturb_clips(torch.full((8, 16, 32, 32, 3), 100.0), covered)
    share = (found - 100).abs().amax(dim=4).gt(0.5).float().mean(dim=(1, 2, 3))
    assert share.max().item() < 0.35**2 * 1.2
    assert share.max().item() > 0


def test_a_slow_camera_repeats_frames_and_keeps_the_newest() -> None:
    torch.manual_seed(0)
    clips = torch.arange(16.0)[None].expand(50, 16)
    held = hold_frames(clips, 1.0)
    assert (held[:, -1] == 15).all()
    assert (held <= clips).all()
    assert {len(row.unique()) for row in held} == {6, 9}


def test_no_camera_is_slow_when_none_shall_be() -> None:
    clips = torch.arange(16.0)[None].expand(5, 16)
    assert torch.equal(hold_frames(clips, 0.0), clips)


def test_the_kept_frames_hold_the_patches_that_the_encoder_reads() -> None:
    torch.manual_seed(0)
    samples, log_mel = 0.1 * torch.randn(2, 160_000), LogMel()
    frames = log_mel.every_frame(samples)
    assert frames.shape == (2, 1000, 64)
    torch.testing.assert_close(patches_of(frames), log_mel(samples))


def test_frames_follow_each_other_without_a_gap() -> None:
    """A tone that begins in the middle of a gap between patches: the frames just before it are silent."""
    samples = torch.zeros(1, 160_000)
    begin = 80 + 160 * 1 + 160 * 200
    samples[0, begin:] = torch.sin(torch.arange(160_000 - begin) * 2 * torch.pi * 500 / 16_000)
    loud = LogMel().every_frame(samples)[0].amax(dim=1) > 0
    first = int(loud.nonzero()[0])
    assert loud[first:].all()
    assert 199 <= first <= 205


def test_without_disturbance_a_sound_is_itself() -> None:
    torch.manual_seed(0)
    frames = torch.randn(3, 1000, 64).clamp_min(SILENCE)
    torch.testing.assert_close(disturb_sounds(frames, QUIET), frames, atol=1e-4, rtol=1e-4)


def test_a_louder_sound_is_louder_by_the_gain() -> None:
    torch.manual_seed(0)
    frames = torch.full((200, 1000, 64), 2.0)
    found = disturb_sounds(frames, replace(QUIET, gain_db=6.0))
    change = found[:, 0, 0] - 2.0
    assert change.min().item() == pytest.approx(-6 / 20 * 2.3026, abs=0.05)
    assert change.max().item() == pytest.approx(6 / 20 * 2.3026, abs=0.05)


def test_a_shift_moves_whole_frames() -> None:
    torch.manual_seed(0)
    frames = torch.arange(1000.0)[None, :, None].expand(1, 1000, 64) / 1000
    found = disturb_sounds(frames, replace(QUIET, shift_frames=60))[0, :, 0]
    by = int(found.argmin())
    assert 0 < min(by, 1000 - by) <= 60
    torch.testing.assert_close(found.roll(-by), frames[0, :, 0], atol=1e-4, rtol=1e-3)


def test_lost_sound_is_silence_for_one_or_two_patches() -> None:
    torch.manual_seed(0)
    found = disturb_sounds(torch.zeros(50, 1000, 64), replace(QUIET, lost_probability=1.0))
    lost = (patches_of(found) == torch.tensor(SILENCE)).all(dim=(2, 3)).sum(dim=1)
    assert set(lost.tolist()) == {1, 2}


def some_vitals(batch: int) -> torch.Tensor:
    values = torch.arange(5.0)[None, :, None].expand(batch, 5, 120) * 10 + torch.arange(120.0) / 100
    return torch.cat([values, torch.ones(batch, 5, 120)], dim=1)


def test_without_disturbance_vitals_are_themselves() -> None:
    torch.testing.assert_close(disturb_vitals(some_vitals(4), UNTOUCHED), some_vitals(4))


def test_whatever_happens_something_is_left_of_the_vitals() -> None:
    torch.manual_seed(0)
    found = disturb_vitals(some_vitals(500), replace(SignalDisturbance(), lose_channel=0.9, begun=1.0))
    assert (found[:, 5:].sum(dim=(1, 2)) > 0).all()


def test_behind_a_mask_that_was_lost_there_is_nothing() -> None:
    torch.manual_seed(0)
    values, masks = disturb_vitals(some_vitals(100), SignalDisturbance()).chunk(2, dim=1)
    assert (values[masks == 0] == 0).all()
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_movement_alone_and_numerics_alone_are_among_what_is_learnt() -> None:
    torch.manual_seed(0)
    there = disturb_vitals(some_vitals(2000), SignalDisturbance())[:, 5:].amax(dim=2) > 0
    found = {tuple(row) for row in there.tolist()}
    assert (False, False, False, False, True) in found
    assert (False, True, True, True, False) in found
    assert (True, False, False, False, False) in found


def test_a_channel_that_was_not_there_stays_away() -> None:
    torch.manual_seed(0)
    vitals = some_vitals(200)
    vitals[:, [0, 5]] = 0
    assert disturb_vitals(vitals, SignalDisturbance())[:, 5].sum().item() == 0


def test_a_slow_monitor_holds_its_values() -> None:
    torch.manual_seed(0)
    found = disturb_vitals(some_vitals(50), replace(UNTOUCHED, slow=1.0))
    distinct = torch.tensor([len(row.unique()) for row in found[:, 1]])
    assert distinct.max().item() <= 60
    assert (found[:, 1] <= some_vitals(50)[:, 1]).all()


def test_a_window_that_has_just_begun_lacks_its_beginning() -> None:
    torch.manual_seed(0)
    masks = disturb_vitals(some_vitals(50), replace(UNTOUCHED, begun=1.0))[:, 6]
    assert (masks[:, -12:] == 1).all()
    assert (masks[:, 0] == 0).all()
    assert (masks.diff(dim=1) >= 0).all()
