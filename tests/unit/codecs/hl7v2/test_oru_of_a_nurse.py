"""A nurse's own score as ORU^R01: an order of its own, the row of NIPS, and she as who observed it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from neopain.charting.flowsheet_file import EXAMPLE, read_flowsheet
from neopain.codecs.hl7v2.message import Message, parse
from neopain.codecs.hl7v2.oru import write_oru
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import BedId, PatientId
from neopain.domain.review import AssessmentDraft, NipsItems, NurseAssessment
from neopain.domain.reviewer import Reviewer
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
SHEET = read_flowsheet(EXAMPLE)
HERS = NurseAssessment(
    AssessmentDraft(
        about="a" * 32,
        bed=BedId("NICU/1/3@EAST"),
        kind=EntryKind.INTERVAL_SUMMARY,
        observed_from=NOON,
        observed_to=NOON + timedelta(minutes=15),
        items=NipsItems(facial_expression=1, cry=2, breathing=0, arms=1, legs=0, arousal=1),
        by=Reviewer("n-17", "https://id.hospital.example", "N. Nurse"),
        processing=Processing.PRODUCTION,
    ),
    PatientId("4711", "HOSP"),
    "V42",
    NOON + timedelta(minutes=20),
)


def told(status: EntryStatus) -> Message:
    return parse(write_oru(HERS, SHEET, status).raw)


def test_her_total_is_in_the_row_of_nips_and_software_is_not_in_it() -> None:
    message = told(EntryStatus.FINAL)

    order = message.first("OBR")
    assert order is not None
    assert (order.text(3), order.text(25)) == (HERS.id, "F")
    total, *others = message.all("OBX")
    # The row has one decimal. She observed it (OBX-16), no device did (OBX-18).
    assert [total.text(place) for place in (2, 5, 11, 16, 18)] == ["NM", "5.0", "F", "n-17", ""]
    assert [one.text(5) for one in others] in ([], [HERS.id])
    assert "N. Nurse" in write_oru(HERS, SHEET, EntryStatus.FINAL).raw.decode()


def test_what_she_entered_in_error_is_retracted() -> None:
    assert {one.text(11) for one in told(EntryStatus.ENTERED_IN_ERROR).all("OBX")} == {"D"}


def test_a_flowsheet_without_a_row_of_nips_cannot_take_it() -> None:
    without = replace(SHEET, rows=tuple(row for row in SHEET.rows if row.value != "nips"))

    with pytest.raises(MalformedMessage, match="no row of nips"):
        write_oru(HERS, without, EntryStatus.FINAL)
