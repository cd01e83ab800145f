"""What is kept of waveforms between two pieces: for each source at each bed one track, written together with the
intervals that a piece completes, so that a listener that is killed has done both or neither."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from neopain.bus import scripts
from neopain.bus.bus import Bus
from neopain.bus.census import Written
from neopain.bus.connection import translated
from neopain.bus.streams import VITALS
from neopain.domain.identity import BedId, SourceId
from neopain.domain.vitals import Processing
from neopain.domain.waveform import BeatTrack
from neopain.errors import ContractBroken
from neopain.wire.beats import decode_track, encode_track

TRACK_LIFE = timedelta(minutes=1)
"""A source that is silent for longer begins anew: what came before is then of no use."""
MARK_LIFE = timedelta(minutes=10)
"""How long a message is recognised as a repetition."""


@dataclass(frozen=True, slots=True)
class KeptTrack:
    """The track of a source at a bed, None where there is none, and the version that a write must build on.

    ``is_done``: the message of this mark was taken before; ``entry`` is the id of the entry that it became then, empty
    when it completed no beat.
    """

    track: BeatTrack | None
    version: str
    is_done: bool
    entry: str = ""


@dataclass(frozen=True, slots=True)
class TrackKey:
    """Whose track it is. Test data (``processing``) has its own: none of it gets between an infant's beats."""

    bed: BedId
    source: SourceId
    processing: Processing


async def read_track(bus: Bus, whose: TrackKey, *, mark: str) -> KeptTrack:
    """What is kept, read in one step; ``BusUnavailable`` when the bus does not answer. A track that this version cannot
    read counts as none: the next piece begins anew."""
    with translated("read waveform track"):
        async with bus.durable.pipeline(transaction=True) as pipe:
            pipe.get(_mark_key(bus, mark))
            pipe.hmget(_track_key(bus, whose), "version", "track")
            marked, (version, track) = cast("tuple[bytes | None, list[bytes | None]]", tuple(await pipe.execute()))
    # Before marks kept an id they held a 1.
    entry = marked.decode() if marked and b"-" in marked else ""
    return KeptTrack(_decoded(track), version.decode() if version else "0", is_done=marked is not None, entry=entry)


async def write_track(
    bus: Bus, whose: TrackKey, *, mark: str, kept: KeptTrack, track: BeatTrack, batch: bytes | None
) -> tuple[Written, str]:
    """Writes the track and publishes the batch of vitals, if there is one, in one step; unless the mark is there, or
    somebody wrote since ``kept`` was read. Returns what became of it, and the id of the batch's entry.
    ``BusUnavailable``: whether it wrote is open, and the mark tells."""
    keys = [_mark_key(bus, mark), _track_key(bus, whose), bus.stream_key(VITALS, whose.bed), bus.key("beds")]
    lives = [str(int(life.total_seconds() * 1000)) for life in (MARK_LIFE, TRACK_LIFE)]
    arguments: list[str | bytes] = [*lives, kept.version, encode_track(track), whose.bed, batch or b""]
    with translated("write waveform track"):
        reply = await cast("Any", bus.durable.eval(scripts.WAVEFORM_WRITE, len(keys), *keys, *arguments))
    return Written(reply[0]), reply[1].decode()


def _mark_key(bus: Bus, mark: str) -> str:
    return bus.key("mark", "waveform", mark)


def _track_key(bus: Bus, whose: TrackKey) -> str:
    # No message can hold a NUL: two beds and sources never share a key.
    return bus.key("waveform", f"{whose.bed}\x00{whose.source}\x00{whose.processing.value}")


def _decoded(track: bytes | None) -> BeatTrack | None:
    try:
        return decode_track(track) if track else None
    except ContractBroken:
        return None
