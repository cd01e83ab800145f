"""The table of streams: name, server, payload, retention, and who must have read an entry before it may go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Server(Enum):
    """Which of the two servers a stream lies on (DESIGN D2)."""

    BUS = "bus"
    """Durable: append-only file, fsync before an acknowledgement."""
    MEDIA = "media"
    """Volatile: frames and sound never reach a disk."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream. A ``per_bed`` one has a key for each bed.

    ``groups`` are the consumer groups that must have acknowledged an entry before it is trimmed; a group that does not
    exist yet keeps everything. ``retention`` keeps entries that long in any case; None keeps them for ever.
    ``most_entries`` bounds a stream by size too, whatever its source does; about so many are kept.
    ``is_input`` says that an entry shows that something is connected at its bed.
    """

    name: str
    server: Server
    payload: str
    per_bed: bool
    retention: timedelta | None
    groups: tuple[str, ...] = ()
    is_input: bool = True
    most_entries: int | None = None


# Media retention covers the longest window (10 s of cry, 30 s of movement) + the oldest tick (10 s) + the idle time
# after which a crashed worker's tick is claimed (5 s), with a margin. By size: a crop has 147 KiB, so that a bed's
# frames take at most about 150 MB; four cameras at 7.5 frames a second fill 30 s of them.
VITALS = StreamSpec("vitals", Server.BUS, "VitalsBatch", per_bed=True, retention=timedelta(minutes=15))
# A baseline carries the last blood pressure of an hour on from the one before.
BASELINE = StreamSpec("baseline", Server.BUS, "Baseline", per_bed=True, retention=timedelta(minutes=75), is_input=False)
CENSUS = StreamSpec("census", Server.BUS, "BedState", per_bed=False, retention=timedelta(days=7), groups=("charting",))
DRUGS = StreamSpec("drugs", Server.BUS, "DrugFact", per_bed=False, retention=timedelta(days=30))
TICKS = StreamSpec("ticks", Server.BUS, "Tick", per_bed=False, retention=timedelta(minutes=1), groups=("scoring",))
SCORES = StreamSpec("scores", Server.BUS, "Score", per_bed=False, retention=timedelta(hours=1), groups=("charting",))
DEAD_LETTERS = StreamSpec("dead-letters", Server.BUS, "DeadLetter", per_bed=False, retention=None)
REPLAYS = StreamSpec("replays", Server.BUS, "Replay", per_bed=False, retention=None, groups=("charting",))
# Bounded by size too: receipts must never fill the bus, whoever floods the listener.
RECEIPTS = StreamSpec(
    "receipts",
    Server.BUS,
    "Receipts",
    per_bed=False,
    retention=timedelta(hours=12),
    is_input=False,
    most_entries=50_000,
)
DISCLOSURES = StreamSpec(
    "disclosures",
    Server.BUS,
    "Disclosure",
    per_bed=False,
    retention=timedelta(days=7),
    groups=("charting",),
    is_input=False,
)
FRAMES = StreamSpec(
    "frames", Server.MEDIA, "FaceFrame", per_bed=True, retention=timedelta(seconds=30), most_entries=1024
)
AUDIO = StreamSpec(
    "audio", Server.MEDIA, "AudioChunk", per_bed=True, retention=timedelta(seconds=30), most_entries=2048
)
MOVEMENT = StreamSpec(
    "movement", Server.MEDIA, "MovementSample", per_bed=True, retention=timedelta(seconds=60), most_entries=1024
)

STREAMS = (
    *(VITALS, BASELINE, CENSUS, DRUGS, TICKS, SCORES, DEAD_LETTERS, REPLAYS, RECEIPTS, DISCLOSURES),
    *(FRAMES, AUDIO, MOVEMENT),
)

WINDOW_STREAMS = (VITALS, BASELINE, FRAMES, AUDIO, MOVEMENT)
"""The streams of a bed that a window is read from; a tick carries the last id of each."""
