"""The table of streams keeps the promises that other rooms rely on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from neopain.bus.streams import (
    AUDIO,
    DEAD_LETTERS,
    FRAMES,
    MOVEMENT,
    RECEIPTS,
    REPLAYS,
    STREAMS,
    WINDOW_STREAMS,
    Server,
    StreamSpec,
)
from neopain.domain.window import CLIP_SPAN, CRY_SPAN, OLDEST_TICK, VITALS_SPAN

CLAIM_AFTER = timedelta(seconds=5)


def test_no_two_streams_share_a_name() -> None:
    assert len({stream.name for stream in STREAMS}) == len(STREAMS)


def test_only_frames_sound_and_movement_lie_on_a_media_server() -> None:
    assert {stream.name for stream in STREAMS if stream.server is Server.MEDIA} == {"frames", "audio", "movement"}


def test_every_stream_of_a_window_is_kept_per_bed() -> None:
    assert all(stream.per_bed for stream in WINDOW_STREAMS)


@pytest.mark.parametrize(("stream", "span"), [(FRAMES, CLIP_SPAN), (AUDIO, CRY_SPAN), (MOVEMENT, VITALS_SPAN)])
def test_media_outlive_the_oldest_tick_that_a_crashed_worker_left(stream: StreamSpec, span: timedelta) -> None:
    assert stream.retention is not None
    assert stream.retention > span + OLDEST_TICK + CLAIM_AFTER


def test_dead_letters_and_what_persons_did_with_them_are_kept_for_ever() -> None:
    assert (DEAD_LETTERS.retention, REPLAYS.retention) == (None, None)


def test_receipts_are_bounded_by_size_too_so_that_they_never_fill_the_bus() -> None:
    assert RECEIPTS.most_entries is not None
