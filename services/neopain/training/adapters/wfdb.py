"""WFDB records (PhysioNet): from the beats that somebody annotated in an ECG to RR intervals.

Signals are not read; finding beats in an ECG is done by others better. Rules for artefacts as in ``features.hrv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import wfdb

from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.domain.vitals import Validity, VitalKind, is_plausible
from neopain.domain.window import VITALS_SPAN
from neopain.errors import ConfigurationError
from neopain.features.hrv import good_beats
from neopain.training.adapters.imported import Imported, finish, open_folder

BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")
"""The annotation codes that are beats (WFDB Programmer's Guide, annotation codes)."""
INTERRUPTIONS: Final = frozenset("~|!")
"""Change of signal quality, isolated artefact, ventricular flutter: no interval is measured across one."""
ANNOTATORS: Final = ("qrsc", "atr", "qrs", "ecg", "wqrs", "gqrs", "sqrs")
"""Suffixes under which beats are published, the corrected ones of PICS first."""

STEP_SECONDS: Final = VITALS_SPAN.total_seconds()
VITALS_FILE: Final = "vitals.csv"
_NOT_RECORDED: Final = Availability(reason="not-recorded")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a record does not say of itself; an empty subject is the record's name."""

    subject: str = ""
    site: str = "wfdb"
    licence: str = ""


@dataclass(frozen=True, slots=True)
class _Beats:
    """When each beat was, in seconds, and whether the stretch before it was interrupted."""

    seconds: npt.NDArray[np.float64]
    is_interrupted: npt.NDArray[np.bool_]


def import_wfdb(record: Path, out: Path, *, annotator: str = "", origin: Origin | None = None) -> Imported:
    """Writes a data set at ``out`` with the record's RR intervals and a segment for each 30 s that have a good beat.

    ``annotator`` is the suffix of the annotation file; without it, the only one that is known. An artefact is
    questionable; an interval that is no newborn's, or spans an interruption, is invalid. ``ConfigurationError`` when
    the record cannot be read or holds too few beats, or ``out`` holds a data set already.
    """
    record = record.with_suffix("") if record.suffix == ".hea" else record
    suffix = annotator or _only_annotator(record)
    rows = list(_intervals(_read_beats(record, suffix)))
    if not any(row.validity is Validity.GOOD for row in rows):
        raise ConfigurationError(f"{record}.{suffix} holds no two good beats in a row: give another --annotator")
    open_folder(out)
    (out / VITALS_FILE).write_text(write_vitals(rows), encoding="utf-8")
    return finish(out, _segments(rows, record.name, origin or Origin()))


def _only_annotator(record: Path) -> str:
    found = [suffix for suffix in ANNOTATORS if record.with_name(f"{record.name}.{suffix}").is_file()]
    if len(found) != 1:
        there = f"{', '.join(found)} are" if found else f"none of {', '.join(ANNOTATORS)} is"
        raise ConfigurationError(f"{record}: {there} there: name the file with the beats with --annotator SUFFIX")
    return found[0]


def _read_beats(record: Path, suffix: str) -> _Beats:
    try:
        rate_hz = float(wfdb.rdheader(str(record)).fs)
        annotation = wfdb.rdann(str(record), suffix)
        samples = np.asarray(annotation.sample, np.float64)
        symbols = [str(symbol) for symbol in annotation.symbol]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConfigurationError(f"{record}: is no WFDB record with beats in .{suffix} ({error})") from error
    is_beat = np.array([symbol in BEATS for symbol in symbols], np.bool_)
    interruptions = np.cumsum([symbol in INTERRUPTIONS for symbol in symbols])[is_beat]
    return _Beats(samples[is_beat] / rate_hz, np.diff(interruptions, prepend=interruptions[:1]) > 0)


def _intervals(beats: _Beats) -> Iterator[VitalRow]:
    """An RR interval for each beat but the first, at the time of the beat."""
    intervals = np.round(np.diff(beats.seconds) * 1000, 1)
    is_interrupted = beats.is_interrupted[1:]
    good = good_beats(np.where(is_interrupted, np.nan, intervals))
    for seconds, interval, is_good, is_broken in zip(beats.seconds[1:], intervals, good, is_interrupted, strict=True):
        validity = Validity.GOOD if is_good else Validity.QUESTIONABLE
        if is_broken or not is_plausible(VitalKind.RR_INTERVAL, interval):
            validity = Validity.INVALID
        yield VitalRow(round(float(seconds), 4), VitalKind.RR_INTERVAL, float(interval), validity)


def _segments(rows: list[VitalRow], name: str, origin: Origin) -> list[Segment]:
    good = {int(row.seconds // STEP_SECONDS) for row in rows if row.validity is Validity.GOOD}
    recorded = {
        Recorded.VIDEO: _NOT_RECORDED,
        Recorded.AUDIO: _NOT_RECORDED,
        Recorded.VITALS: Availability(VITALS_FILE),
    }
    return [
        Segment(
            subject=Subject(origin.subject or name, origin.site),
            session=name,
            id=f"{name}-{number:06}",
            start_seconds=number * STEP_SECONDS,
            end_seconds=(number + 1) * STEP_SECONDS,
            recorded=recorded,
            ratings=(),
            licence=origin.licence,
        )
        for number in sorted(good)
    ]
