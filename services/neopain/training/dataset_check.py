"""Looks through a data set before somebody trains on it: what there is of it, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from neopain.codecs.manifest import read_manifest
from neopain.domain.annotation import NIPS_ITEMS, Rating, Recorded, Scale, Segment
from neopain.domain.gestation import ga_band
from neopain.domain.score import Modality, Presence
from neopain.errors import ConfigurationError
from neopain.training.processes import in_processes
from neopain.training.segment_window import UNREADABLE, segment_window
from neopain.training.targets import pattern_of
from neopain.training.windows import MANIFEST, manifest_text

MADE_OF: Final = {
    Modality.FACE: Recorded.VIDEO,
    Modality.CRY: Recorded.AUDIO,
    Modality.PHYSIOLOGY: Recorded.VITALS,
}
NO_MODALITY: Final = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """What one segment gives: the letters of its present modalities, and what is wrong with it."""

    pattern: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """Counts of what there is, each with its key in alphabetical order, and the findings."""

    infants: int
    sites: int
    sessions: int
    segments: int
    segments_with_nips: int
    raters: int
    infants_by_ga_band: dict[str, int]
    segments_by_pattern: dict[str, int]
    ratings_by_scale: dict[str, int]
    licences: dict[str, int]
    findings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """One line per figure, then one per finding."""
        figures = {name: value for name, value in asdict(self).items() if name != "findings"}
        lines = [f"{name}: {_told(value)}" for name, value in figures.items()]
        return "\n".join([*lines, f"findings: {len(self.findings)}", *(f"  {finding}" for finding in self.findings)])


def check_dataset(place: Path, *, workers: int = 1) -> DatasetCheck:
    """Reads the manifest at ``place`` (the file or its folder) and every file that it names.

    ``ConfigurationError`` when the manifest itself cannot be used.
    """
    folder = place.parent if place.name == MANIFEST else place
    if not folder.is_dir():
        raise ConfigurationError(f"{place} is no data set: give its {MANIFEST} or the folder that holds it")
    segments = read_manifest(manifest_text(folder))
    found = list(_looked_through([(folder, segment) for segment in segments], workers))
    subjects = {segment.subject.id: segment.subject for segment in segments}
    ratings = [rating for segment in segments for rating in segment.ratings]
    return DatasetCheck(
        infants=len(subjects),
        sites=len({subject.site for subject in subjects.values()}),
        sessions=len({(segment.subject.id, segment.session) for segment in segments}),
        segments=len(segments),
        segments_with_nips=sum(bool(segment.scores(Scale.NIPS)) for segment in segments),
        raters=len({rating.rater for rating in ratings}),
        infants_by_ga_band=_counted(ga_band(subject.gestational_age_days) for subject in subjects.values()),
        segments_by_pattern=_counted(one.pattern or NO_MODALITY for one in found),
        ratings_by_scale=_counted(rating.scale.value for rating in ratings),
        licences=_counted(segment.licence or "none" for segment in segments),
        findings=tuple(sorted(finding for one in found for finding in one.findings)),
    )


def check_segment(place: tuple[Path, Segment]) -> Found:
    """What one segment gives; ``place`` is the manifest's folder and the segment."""
    folder, segment = place
    looked = segment_window(segment, folder)
    presences = looked.window.presences
    findings = (*map(str, looked.broken), *_useless_files(segment, presences), *_doubtful_ratings(segment))
    return Found(pattern_of(presences), findings)


def _looked_through(work: Sequence[tuple[Path, Segment]], workers: int) -> Iterable[Found]:
    return in_processes(check_segment, work, workers=workers) if workers > 1 and work else map(check_segment, work)


def _useless_files(segment: Segment, presences: Iterable[Presence]) -> Iterator[str]:
    """Files that are there, can be read, and still give no modality."""
    if not segment.has_infant:
        return
    for presence in presences:
        recorded = MADE_OF.get(presence.modality)
        if recorded is None or presence.is_present or not segment.recorded[recorded].is_there:
            continue
        if presence.reason != UNREADABLE:
            path = segment.recorded[recorded].path
            told = f"gives no {presence.modality.value} ({presence.reason})"
            yield f"segment {segment.id!r}, {recorded.value} {path!r}: {told}"


def _doubtful_ratings(segment: Segment) -> Iterator[str]:
    if segment.ratings and not segment.has_infant:
        yield f"segment {segment.id!r}: is rated although it shows no infant"
    for rating in segment.ratings:
        if _sum_is_wrong(rating):
            told = f"NIPS is {rating.score:g}, its items sum to {sum(rating.items.values()):g}"
            yield f"segment {segment.id!r}, rater {rating.rater!r}: {told}"


def _sum_is_wrong(rating: Rating) -> bool:
    is_whole = rating.scale is Scale.NIPS and rating.items.keys() == NIPS_ITEMS.keys()
    return is_whole and abs(sum(rating.items.values()) - rating.score) > 1e-6


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _told(value: object) -> str:
    counts = value if isinstance(value, dict) else {}
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or ("none" if value == {} else str(value))
