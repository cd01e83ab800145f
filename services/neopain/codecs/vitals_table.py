"""A session's vitals as CSV, ``seconds,kind,value,validity``: what a monitor said, and the baseline where it is known.

``kind`` is a ``VitalKind`` in its unit of ``domain.vitals.PLAUSIBLE``, or ``baseline_`` and one of three of them: the
median of the ten minutes before, as it was computed at that time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from neopain.codecs.table import Row, number_cell, read_table, write_table
from neopain.domain.vitals import Validity, VitalKind

COLUMNS: Final = ("seconds", "kind", "value", "validity")
BASELINE_PREFIX: Final = "baseline_"
BASELINE_KINDS: Final = (VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.RESPIRATION)

_KINDS: Final = {
    **{kind.value: (kind, False) for kind in VitalKind},
    **{BASELINE_PREFIX + kind.value: (kind, True) for kind in BASELINE_KINDS},
}
_VALIDITIES: Final = {"": Validity.GOOD, **{validity.value: validity for validity in Validity}}


@dataclass(frozen=True, slots=True)
class VitalRow:
    """One value: ``seconds`` since the start of the session (negative before it), ``value`` in the kind's unit.

    ``value`` may be ``math.nan`` only where it is invalid: the source said that it does not know. A baseline is good.
    """

    seconds: float
    kind: VitalKind
    value: float
    validity: Validity = Validity.GOOD
    is_baseline: bool = False


def write_vitals(rows: Iterable[VitalRow]) -> str:
    """The rows as CSV in their order; ``read_vitals`` gives the same rows back.

    ``ConfigurationError`` for a row that the reader would refuse.
    """
    text = write_table((_cells(row) for row in rows), COLUMNS)
    read_vitals(text)
    return text


def read_vitals(text: str) -> tuple[VitalRow, ...]:
    """The rows of a vitals table in their order, which need not be that of time; an empty validity is good.

    ``ConfigurationError`` for the first thing that is wrong. An implausible value is no error: it is an artefact, and
    scoring leaves it out.
    """
    return tuple(_vital(row) for row in read_table(text, COLUMNS, table="vitals"))


def _vital(row: Row) -> VitalRow:
    cells = row.cells
    if cells["kind"] not in _KINDS:
        raise row.refusal("kind", f"expected one of {', '.join(_KINDS)}")
    if cells["validity"] not in _VALIDITIES:
        raise row.refusal(
            "validity", f"expected {', '.join(name for name in _VALIDITIES if name)}, or nothing for good"
        )
    kind, is_baseline = _KINDS[cells["kind"]]
    validity = _VALIDITIES[cells["validity"]]
    if is_baseline and validity is not Validity.GOOD:
        raise row.refusal("validity", "a baseline is good, or its row is left out")
    is_unknown = not cells["value"] and validity is Validity.INVALID
    value = math.nan if is_unknown else row.number("value")
    return VitalRow(row.seconds("seconds"), kind, value, validity, is_baseline)


def _cells(row: VitalRow) -> dict[str, str]:
    return {
        "seconds": number_cell(row.seconds),
        "kind": BASELINE_PREFIX * row.is_baseline + row.kind.value,
        "value": "" if math.isnan(row.value) else number_cell(row.value),
        "validity": "" if row.validity is Validity.GOOD else row.validity.value,
    }
