"""One segment of a data set as the window that scoring would have made of it at its end.

Its files become what ingest puts on the streams, the manifest what the census says; ``features.window`` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.domain.census import BedState, Infant
from neopain.domain.score import Modality, Presence
from neopain.domain.vitals import Processing, VitalsBatch
from neopain.errors import UnreadableRecording
from neopain.features.vitals_grid import VITALS_LOOKBACK
from neopain.features.window import Window, WindowItems, assemble
from neopain.training.footage import SOURCE, Filmed, film, hear
from neopain.training.session_vitals import BED, NO_VITALS, SESSION_START, SessionVitals, moment, read_session_vitals

T = TypeVar("T")

UNREADABLE: Final = "unreadable-file"
"""Why a modality is absent whose file was there and could not be used."""

MADE_FROM: Final = {
    Modality.FACE: (Recorded.VIDEO,),
    Modality.CRY: (Recorded.AUDIO,),
    Modality.PHYSIOLOGY: (Recorded.VITALS,),
    Modality.MOVEMENT: (Recorded.VITALS, Recorded.VIDEO),
}
"""The files that a modality can come from; the last one tells why it is absent when there is none."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that could not be used, and why; ``path`` is relative to the manifest."""

    segment: str
    recorded: Recorded
    path: str
    reason: str

    def __str__(self) -> str:
        return f"segment {self.segment!r}, {self.recorded.value} {self.path!r}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SegmentWindow:
    """The window, and the files that are missing from it because they could not be read."""

    window: Window
    broken: tuple[Broken, ...]


def segment_window(segment: Segment, folder: Path) -> SegmentWindow:
    """The window that ends with the segment; ``folder`` is where the manifest lies."""
    files = _Files(segment, folder, [])
    end = segment.end_seconds
    vitals = files.read(Recorded.VITALS, read_session_vitals, NO_VITALS)
    with_movement = segment.face_box is not None and not vitals.has_movement
    filmed = files.read(
        Recorded.VIDEO,
        lambda path: film(path, end, box=segment.face_box, with_movement=with_movement),
        Filmed(),
    )
    window = assemble(
        WindowItems(
            end=moment(end),
            batches=_batches(vitals, end),
            baselines=vitals.baselines_before(end),
            frames=filmed.frames,
            chunks=files.read(Recorded.AUDIO, lambda path: hear(path, end), ()),
            movements=filmed.movements,
            bed_state=_bed_state(segment.subject),
        )
    )
    return SegmentWindow(replace(window, presences=_explained(window.presences, files)), tuple(files.broken))


@dataclass(frozen=True, slots=True)
class _Files:
    segment: Segment
    folder: Path
    broken: list[Broken]

    def read(self, recorded: Recorded, reader: Callable[[Path], T], nothing: T) -> T:
        """What the reader makes of the segment's file; ``nothing`` where there is none or it is broken."""
        file = self._file(recorded)
        if not file.is_there:
            return nothing
        path = self.folder / file.path
        try:
            return reader(path)
        except UnreadableRecording as error:
            reason = str(error).removeprefix(f"{path}: ")
            self.broken.append(Broken(self.segment.id, recorded, file.path, reason))
            return nothing

    def why_not(self, recorded: Recorded) -> str:
        """Why nothing was read; empty where something was."""
        if any(one.recorded is recorded for one in self.broken):
            return UNREADABLE
        return self._file(recorded).reason

    def _file(self, recorded: Recorded) -> Availability:
        return self.segment.recorded.get(recorded, Availability())


def _batches(vitals: SessionVitals, end: float) -> tuple[VitalsBatch, ...]:
    samples = vitals.between(end - VITALS_LOOKBACK.total_seconds(), end)
    return (VitalsBatch(BED, SOURCE, samples, Processing.PRODUCTION),) if samples else ()


def _bed_state(subject: Subject) -> BedState:
    """The census: the infant lay there all the time."""
    born = None if subject.age_days is None else SESSION_START - timedelta(days=subject.age_days)
    infant = Infant((), gestational_age_days=subject.gestational_age_days, born=born, sex=subject.sex)
    return BedState(BED, since=SESSION_START - timedelta(days=1), infant=infant)


def _explained(presences: Iterable[Presence], files: _Files) -> tuple[Presence, ...]:
    """The presences with the manifest's reason for what was not recorded: it knows better than the empty window."""
    return tuple(
        one if one.is_present else replace(one, reason=_reason(one.modality, files) or one.reason) for one in presences
    )


def _reason(modality: Modality, files: _Files) -> str:
    reasons = [files.why_not(recorded) for recorded in MADE_FROM[modality]]
    return reasons[-1] if all(reasons) else ""
