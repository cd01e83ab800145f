"""The ward's own account, for whoever watches: ground truth and counters as one JSON file, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

STATUS_VERSION = 1


@dataclass(frozen=True, slots=True)
class BedStatus:
    """One bed: who lies there, what is going on, what its devices sent and what was taken.

    ``audio_seconds`` counts sound with a receipt.
    """

    bed: str
    mrn: str
    assigning_authority: str
    visit: str
    sex: str
    gestational_age_days: int
    procedure: str
    latent_pain: float
    hl7_sent: int
    hl7_acknowledged: int
    hl7_refused: int
    hl7_waiting: int
    frames_sent: int
    frames_accepted: int
    audio_seconds: float
    beat_batches_accepted: int


@dataclass(frozen=True, slots=True)
class WardStatus:
    """The ward. ``started`` and ``written`` are ISO 8601 with offset; ``hl7_*`` here include the ADT messages."""

    seed: int
    started: str
    written: str
    elapsed_seconds: float
    hl7_sent: int
    hl7_acknowledged: int
    hl7_refused: int
    frames_sent: int
    frames_accepted: int
    audio_seconds: float
    beds: tuple[BedStatus, ...]
    version: int = STATUS_VERSION


def write_status(status: WardStatus, path: Path) -> None:
    """Replaces the file with this status; a reader sees the old one or the new one, never a part."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps(asdict(status)), encoding="utf-8")
    draft.replace(path)
