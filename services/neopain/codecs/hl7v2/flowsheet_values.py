"""What a flowsheet's row may tell of an entry, and how it is written: rounded, in the row's unit, or in words.

A value that is missing is never written as a number, nor as an empty one, which a receiver may read as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from neopain.codecs.fhir.observation import SUGGESTION, WEIGHTS_NOTE, note_of
from neopain.codecs.fhir.terminology import OWN_CODES, PAIN_SCORE
from neopain.codecs.hl7v2.flowsheet import Coded, Missing, Row, ValueType
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.review import NurseAssessment
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.score import Modality
from neopain.errors import MalformedMessage

UNITS: dict[tuple[str, str], Decimal] = {
    ("{score}", "{score}"): Decimal(1),
    ("%", "%"): Decimal(1),
    ("1", "1"): Decimal(1),
    ("s", "s"): Decimal(1),
    ("s", "min"): Decimal(60),
    ("s", "h"): Decimal(3600),
}
"""By what a value in its own unit (UCUM) is divided to be in that of a row."""

NOT_LATE = "not-late"


@dataclass(frozen=True, slots=True)
class Source:
    """A number of an entry with its unit, or a text, which may be longer than ST holds (``is_long``)."""

    meaning: str
    number: Callable[[ChartedEntry], float | None] | None = None
    text: Callable[[ChartedEntry], str] | None = None
    unit: str = ""
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What a row says of one entry: OBX-2, OBX-5 not yet escaped, OBX-6."""

    row: Row
    kind: ValueType
    text: str
    unit: Coded


def cell_of(row: Row, entry: ChartedEntry, *, leaves_nothing_out: bool = False) -> Cell | None:
    """What the row says of the entry; None where it says nothing.

    ``leaves_nothing_out``: a number that the entry does not have is told in words even where the row would be left out,
    so that what was sent before does not stay.
    """
    source = SOURCES[row.value]
    if source.number is not None:
        value = source.number(entry)
        if value is not None:
            return Cell(row, row.kind, _decimal(value, row, source), row.sent_unit)
        if row.missing is Missing.OMIT and not leaves_nothing_out:
            return None
        return Cell(row, ValueType.STRING, _in_words(_absence(row, entry), row), Coded(""))
    told = _in_words(source.text(entry), row) if source.text is not None else ""
    return Cell(row, row.kind, told, Coded("")) if told else None


def assessment_cells(rows: Iterable[Row], entry: NurseAssessment) -> list[Cell]:
    """What a nurse's own score says: its total in the row of NIPS, and its identifier where a row takes that.

    The other rows are about what software saw, and hers says nothing of that. ``MalformedMessage`` (207) where no row
    takes NIPS: nothing could be told of it.
    """
    told = list(rows)
    total = [
        Cell(row, row.kind, _decimal(entry.draft.items.total, row, SOURCES["nips"]), row.sent_unit)
        for row in told
        if row.value == "nips"
    ]
    if not total:
        raise MalformedMessage("OBX", "the flowsheet has no row of nips, which a nurse's own score needs")
    return [*total, *(Cell(row, row.kind, entry.id, Coded("")) for row in told if row.value == "entry")]


def _decimal(value: float, row: Row, source: Source) -> str:
    exact = Decimal(repr(float(value))) / UNITS[source.unit, row.unit or source.unit]
    rounded = exact.quantize(Decimal(1).scaleb(-row.decimals), rounding=ROUND_HALF_UP)
    return f"{abs(rounded) if rounded.is_zero() else rounded:f}"


def _in_words(word: str, row: Row) -> str:
    return row.words.get(word, word)


def _absence(row: Row, entry: ChartedEntry) -> str:
    if row.value == "charted-late":
        return NOT_LATE
    absences = {f"modality-{modality.value}": reason for modality, reason in entry.draft.absences.items()}
    return absences.get(row.value) or _reason(entry.draft) or "not-known"


def _reason(draft: DraftEntry) -> str:
    return "" if draft.value is not None else draft.absent_reason or "no-score"


def _nips(draft: DraftEntry) -> float | None:
    return None if draft.value is None else NIPS_X10_7.to_raw(draft.value)


def _seconds_above(draft: DraftEntry) -> float | None:
    return None if draft.above is None else draft.above.total_seconds()


def _seconds_late(entry: ChartedEntry) -> float | None:
    return None if entry.late_by is None else entry.late_by.total_seconds()


def _share(modality: Modality, draft: DraftEntry) -> float | None:
    return 100 * draft.present[modality] / draft.windows if modality in draft.present else None


def _modalities(draft: DraftEntry) -> str:
    return "; ".join(
        f"{modality.value} {100 * draft.present[modality] / draft.windows:.0f} %"
        if modality in draft.present
        else f"{modality.value} absent ({draft.absences.get(modality) or 'not told'})"
        for modality in Modality
    )


def _note(entry: ChartedEntry) -> str:
    return note_of(entry, label=SUGGESTION)


def _drugs(draft: DraftEntry) -> str:
    return "; ".join(f"{mark.drug_class} {mark.ingredient}, {mark.basis}" for mark in draft.drugs)


def _unlike(draft: DraftEntry) -> str:
    if draft.windows_unlike is None or not draft.windows_scored:
        return ""
    return "yes" if 2 * draft.windows_unlike >= draft.windows_scored else "no"


def _number(meaning: str, unit: str, read: Callable[[DraftEntry], float | None]) -> Source:
    return Source(meaning, number=lambda entry: read(entry.draft), unit=unit)


def _text(meaning: str, read: Callable[[DraftEntry], str], *, is_long: bool = False) -> Source:
    return Source(meaning, text=lambda entry: read(entry.draft), is_long=is_long)


def _modality(modality: Modality) -> Source:
    return _number(OWN_CODES[f"modality-{modality.value}"], "%", lambda draft: _share(modality, draft))


SOURCES: dict[str, Source] = {
    "score": _number(OWN_CODES[PAIN_SCORE], "{score}", lambda draft: draft.value),
    "nips": _number("NIPS equivalent, 0 to 7", "{score}", _nips),
    "interval-low": _number(OWN_CODES["interval-low"], "{score}", lambda draft: draft.low),
    "interval-high": _number(OWN_CODES["interval-high"], "{score}", lambda draft: draft.high),
    "peak": _number(OWN_CODES["peak"], "{score}", lambda draft: draft.peak),
    "threshold": _number(OWN_CODES["threshold"], "{score}", lambda draft: draft.threshold),
    "time-above-threshold": _number(OWN_CODES["time-above-threshold"], "s", _seconds_above),
    "sedation": _number(OWN_CODES["sedation"], "{score}", lambda draft: draft.sedation),
    "windows": _number(OWN_CODES["windows"], "1", lambda draft: draft.windows),
    "windows-scored": _number(OWN_CODES["windows-scored"], "1", lambda draft: draft.windows_scored),
    "windows-missed": _number(OWN_CODES["windows-missed"], "1", lambda draft: draft.windows_missed),
    "windows-unlike": _number(OWN_CODES["windows-unlike"], "1", lambda draft: draft.windows_unlike),
    "modality-face": _modality(Modality.FACE),
    "modality-cry": _modality(Modality.CRY),
    "modality-physiology": _modality(Modality.PHYSIOLOGY),
    "modality-movement": _modality(Modality.MOVEMENT),
    "charted-late": Source(OWN_CODES["charted-late"], number=_seconds_late, unit="s"),
    "reason": _text("Why there is no number; nothing where there is one", _reason),
    "modalities": _text("Each modality's share of windows, or why it was absent", _modalities, is_long=True),
    "unlike-training-data": _text(OWN_CODES["unlike-training-data"], _unlike),
    "drugs": _text("Drugs in effect that hide pain", _drugs, is_long=True),
    "entry-kind": _text(OWN_CODES["entry-kind"], lambda draft: draft.kind.value),
    "charting-policy": _text(OWN_CODES["charting-policy"], lambda draft: draft.policy),
    "model": _text("Version of the model", lambda draft: draft.model, is_long=True),
    "weights": _text(OWN_CODES["weights"], lambda draft: WEIGHTS_NOTE[draft.weights]),
    "scale-map": _text("How 0 to 10 is made from NIPS, with its version", lambda draft: draft.scale_map),
    "entry": Source("Identifier of the entry, as in OBR-3", text=lambda entry: entry.id),
    "note": Source("That it is investigational, what was withheld, drugs, lateness", text=_note, is_long=True),
}
"""What a row may tell, by the name that it has in the site's file."""
