"""What is sent to a flowsheet: golden messages, the same message for the same entry, nothing that is read as 0."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs import mllp
from neopain.codecs.hl7v2.flowsheet import (
    LONGEST_ST,
    Acknowledgement,
    Authority,
    Coded,
    Flowsheet,
    Missing,
    Row,
    ValueType,
)
from neopain.codecs.hl7v2.message import Message, Segment, parse
from neopain.codecs.hl7v2.oru import write_oru
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.drugs import DrugMark
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken, MalformedMessage

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
GOLDEN = Path(__file__).with_name("golden")

DRAFT = DraftEntry(
    bed=BedId("NICU/1/3@EAST"),
    kind=EntryKind.INTERVAL_SUMMARY,
    begin=NOON,
    end=NOON + timedelta(minutes=15),
    observed_from=NOON + timedelta(seconds=1),
    observed_to=NOON + timedelta(minutes=15),
    value=5.25,
    low=3.0,
    high=7.0,
    peak=8.0,
    windows=900,
    windows_scored=880,
    windows_missed=4,
    present={Modality.FACE: 450, Modality.PHYSIOLOGY: 900},
    absences={Modality.CRY: "no-microphone", Modality.MOVEMENT: "no-camera"},
    absent_reason="",
    model="m1",
    weights=Weights.SIMULATOR,
    scale_map="nips-x10/7-v1",
    processing=Processing.PRODUCTION,
    policy="default",
    sedation=-0.04,
    windows_unlike=2,
    threshold=5.0,
    above=timedelta(seconds=390),
    late_after=timedelta(minutes=5),
)
ENTRY = ChartedEntry(DRAFT, PatientId("4711", "HOSP"), "V42", NOON + timedelta(minutes=15, seconds=20))
WITHHELD = replace(
    ENTRY, draft=replace(DRAFT, value=None, low=None, high=None, peak=None, above=None, absent_reason="deep-sedation")
)


def number(value: str, code: str, **more: object) -> Row:
    usual = {"kind": ValueType.NUMBER, "sent_unit": Coded("{score}", "", "UCUM")}
    return Row(value, Coded(code, f"Neopain {value}", "EAST"), **(usual | more))  # type: ignore[arg-type]


def text(value: str, code: str, kind: ValueType = ValueType.STRING, **more: object) -> Row:
    return Row(value, Coded(code, f"Neopain {value}", "EAST"), kind, **more)  # type: ignore[arg-type]


SHEET = Flowsheet(
    name="east",
    sender=("NEOPAIN", "EAST"),
    receiver=("EPIC", "EAST"),
    authorities={"HOSP": Authority("EPI", "MR")},
    rows=(
        number("score", "3001"),
        number("nips", "3002", decimals=0),
        number("interval-low", "3003"),
        number("interval-high", "3004"),
        number("peak", "3005"),
        number("time-above-threshold", "3006", unit="min", sent_unit=Coded("min", "", "UCUM")),
        number("sedation", "3007"),
        number("modality-cry", "3008", missing=Missing.REASON, sent_unit=Coded("%", "", "UCUM")),
        text("reason", "3009", words={"deep-sedation": "nicht beurteilbar: tiefe Sedierung"}),
        text("modalities", "3010", ValueType.TEXT),
    ),
)


def read(entry: ChartedEntry = ENTRY, sheet: Flowsheet = SHEET, status: EntryStatus | None = None) -> Message:
    return parse(write_oru(entry, sheet, status or EntryStatus.PRELIMINARY).raw)


def first(message: Message, name: str) -> Segment:
    found = message.first(name)
    assert found is not None
    return found


def rows(message: Message) -> dict[str, tuple[str, str]]:
    """OBX-2 and OBX-5 by row."""
    return {one.text(3): (one.text(2), one.text(5)) for one in message.all("OBX")}


@pytest.mark.parametrize(
    ("name", "entry", "status"),
    [
        ("oru-preliminary", ENTRY, EntryStatus.PRELIMINARY),
        ("oru-without-score", WITHHELD, EntryStatus.PRELIMINARY),
        ("oru-final", ENTRY, EntryStatus.FINAL),
        ("oru-corrected-without-score", WITHHELD, EntryStatus.AMENDED),
        ("oru-entered-in-error", ENTRY, EntryStatus.ENTERED_IN_ERROR),
    ],
)
def test_the_golden_messages_are_written_and_are_valid(name: str, entry: ChartedEntry, status: EntryStatus) -> None:
    golden = (GOLDEN / f"{name}.hl7").read_text(encoding="utf-8").replace("\n", "\r")

    assert write_oru(entry, SHEET, status).raw.decode() == golden
    assert parse_message(golden, validation_level=VALIDATION_LEVEL.STRICT).validate()


def test_the_same_entry_sent_at_the_same_moment_is_the_same_message() -> None:
    assert write_oru(ENTRY, SHEET) == write_oru(replace(ENTRY), SHEET)


@pytest.mark.parametrize(
    ("entry", "sheet", "status"),
    [
        (replace(ENTRY, sent=NOON + timedelta(hours=1)), SHEET, EntryStatus.PRELIMINARY),
        (ENTRY, replace(SHEET, rows=SHEET.rows[:3]), EntryStatus.PRELIMINARY),
        (ENTRY, SHEET, EntryStatus.FINAL),
    ],
    ids=["moment", "flowsheet", "status"],
)
def test_another_message_has_another_control_id_and_the_same_order_number(
    entry: ChartedEntry, sheet: Flowsheet, status: EntryStatus
) -> None:
    same, other = read(), read(entry, sheet, status)

    assert same.header.text(10) != other.header.text(10)
    assert first(same, "OBR").text(3) == first(other, "OBR").text(3) == ENTRY.id


def test_the_control_id_fits_into_its_field() -> None:
    control_id = write_oru(ENTRY, SHEET).control_id

    assert len(control_id) == 20
    assert control_id.isalnum()


def test_a_number_that_is_withheld_is_in_no_numeric_row() -> None:
    told = rows(read(WITHHELD))

    assert {"3001", "3002", "3003", "3004", "3005", "3006"}.isdisjoint(told)
    assert told["3009"] == ("ST", "nicht beurteilbar: tiefe Sedierung")


def test_a_withheld_number_may_be_told_in_words_in_its_own_row() -> None:
    sheet = replace(SHEET, rows=(replace(SHEET.rows[0], missing=Missing.REASON),))

    (observed,) = read(WITHHELD, sheet).all("OBX")

    assert (observed.text(2), observed.text(5), observed.raw(6)) == ("ST", "deep-sedation", "")


def test_a_correction_leaves_no_number_standing_that_is_no_longer_there() -> None:
    told = rows(read(WITHHELD, status=EntryStatus.AMENDED))

    assert told["3001"] == ("ST", "deep-sedation")
    assert told["3006"] == ("ST", "deep-sedation")


@pytest.mark.parametrize(
    ("status", "retraction", "observed", "order"),
    [
        (EntryStatus.PRELIMINARY, "D", "P", "P"),
        (EntryStatus.FINAL, "D", "F", "F"),
        (EntryStatus.AMENDED, "D", "C", "C"),
        (EntryStatus.ENTERED_IN_ERROR, "D", "D", "C"),
        (EntryStatus.ENTERED_IN_ERROR, "W", "W", "C"),
        (EntryStatus.CANCELLED, "D", "D", "C"),
        (EntryStatus.CANCELLED, "W", "W", "C"),
    ],
)
def test_the_status_is_told_on_every_row_and_on_the_order(
    status: EntryStatus, retraction: str, observed: str, order: str
) -> None:
    message = read(ENTRY, replace(SHEET, retraction=retraction), status)

    assert {one.text(11) for one in message.all("OBX")} == {observed}
    assert first(message, "OBR").text(25) == order


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (Acknowledgement.APPLICATION, ("AL", "AL")),
        (Acknowledgement.ACCEPT, ("AL", "NE")),
        (Acknowledgement.ORIGINAL, ("", "")),
    ],
)
def test_the_acknowledgement_that_is_awaited_is_asked_for(wanted: Acknowledgement, fields: tuple[str, str]) -> None:
    header = read(sheet=replace(SHEET, acknowledgement=wanted)).header

    assert (header.text(15), header.text(16)) == fields


def test_the_infant_is_named_by_number_and_authority_and_by_nothing_else() -> None:
    pid = first(read(), "PID")

    assert pid.raw(3) == "4711^^^EPI^MR"
    assert pid.raw(5) == "~^^^^^^U"
    assert [pid.raw(field) for field in (7, 8, 11, 18)] == ["", "", "", ""]


def test_an_authority_that_is_an_oid_is_written_as_one() -> None:
    sheet = replace(SHEET, authorities={"HOSP": Authority("1.2.840.1")})

    assert first(read(sheet=sheet), "PID").raw(3) == "4711^^^&1.2.840.1&ISO^MR"


def test_place_and_visit_are_those_of_the_census() -> None:
    pv1 = first(read(), "PV1")

    assert (pv1.raw(3), pv1.raw(19)) == ("NICU^1^3^EAST", "V42^^^^VN")


def test_a_visit_that_is_not_known_is_left_out() -> None:
    assert first(read(replace(ENTRY, visit="")), "PV1").raw(19) == ""


def test_times_are_those_of_the_zone_with_their_offset() -> None:
    message = read(sheet=replace(SHEET, zone=ZoneInfo("Europe/Berlin")))

    assert first(message, "OBX").text(14) == "20261005141500.000+0200"
    assert first(message, "OBR").text(7) == "20261005140001.000+0200"


def test_test_input_says_so() -> None:
    assert read(replace(ENTRY, draft=replace(DRAFT, processing=Processing.TRAINING))).header.text(11) == "T"


def test_an_entry_that_is_sent_late_says_so_beside_its_own_times() -> None:
    late, note = number("charted-late", "3011", unit="min", decimals=0), text("note", "3012", ValueType.TEXT)
    sheet = replace(SHEET, rows=(*SHEET.rows, late, note))
    untrained = replace(DRAFT, weights=Weights.UNTRAINED)

    message = read(replace(ENTRY, draft=untrained, sent=NOON + timedelta(minutes=75)), sheet)

    assert rows(message)["3011"] == ("NM", "60")
    assert len(rows(message)["3012"][1]) > LONGEST_ST
    assert "Charted late: 60 min after its end" in first(message, "NTE").text(3)
    assert "3011" not in rows(read(ENTRY, sheet))


def test_an_infant_whose_authority_the_flowsheet_does_not_know_is_not_written() -> None:
    with pytest.raises(ContractBroken, match="does not know whose it is") as refused:
        write_oru(replace(ENTRY, patient=PatientId("4711", "OTHER")), SHEET)

    assert "4711" not in str(refused.value)


def test_what_the_character_set_does_not_have_is_refused_and_not_replaced() -> None:
    japanese = replace(ENTRY, visit="入院7")

    with pytest.raises(MalformedMessage, match="8859/1 does not have"):
        write_oru(japanese, replace(SHEET, charset="8859/1", codec="iso8859-1"))


@pytest.mark.parametrize(
    ("charset", "codec", "word"),
    [
        ("8859/1", "iso8859-1", "tiefe Sedierung für Säugling"),
        ("8859/2", "iso8859-2", "głęboka sedacja"),
        ("8859/7", "iso8859-7", "βαθιά καταστολή"),
        ("UNICODE UTF-8", "utf-8", "深い鎮静"),
    ],
)
def test_the_site_s_words_are_written_in_its_character_set(charset: str, codec: str, word: str) -> None:
    row = text("reason", "3009", words={"deep-sedation": word})

    raw = write_oru(WITHHELD, replace(SHEET, rows=(row,), charset=charset, codec=codec)).raw

    assert word.encode(codec) in raw
    assert rows(parse(raw))["3009"] == ("ST", word)


def test_control_signs_in_a_text_are_sent_as_spaces() -> None:
    drug = DrugMark("analgesic", "morphine\x0b\x1c\r\x1bMSH", "administered", NOON)
    sheet = replace(SHEET, rows=(text("drugs", "3011", ValueType.TEXT),))

    told = rows(read(replace(ENTRY, draft=replace(DRAFT, drugs=(drug,))), sheet))

    assert told["3011"] == ("TX", "analgesic morphine    MSH, administered")


def test_a_number_with_a_control_sign_is_refused_and_not_changed() -> None:
    with pytest.raises(MalformedMessage, match="PID: what was written would not be valid"):
        write_oru(replace(ENTRY, patient=PatientId("47\x0b11", "HOSP")), SHEET)


# No controls and no separators, and the delimiters more often than they come by chance.
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from("|^~\\&"), min_size=1, max_size=30)


@settings(max_examples=30)
@given(number=PRINTABLE, visit=PRINTABLE, drug=PRINTABLE)
def test_whatever_a_text_holds_it_stays_in_its_field_and_its_frame(number: str, visit: str, drug: str) -> None:
    given_drug = DrugMark("analgesic", drug, "administered", NOON)
    entry = replace(ENTRY, patient=PatientId(number, "HOSP"), visit=visit, draft=replace(DRAFT, drugs=(given_drug,)))
    sheet = replace(SHEET, rows=(text("drugs", "3011", ValueType.TEXT),))

    raw = write_oru(entry, sheet).raw
    (frame,) = mllp.Decoder().feed(mllp.encode(raw))
    message = parse(frame.payload)

    assert [one.name for one in message.segments] == ["MSH", "PID", "PV1", "OBR", "NTE", "OBX"]
    assert first(message, "PID").text(3) == number
    assert first(message, "PV1").text(19) == visit
    assert first(message, "OBX").text(5) == f"analgesic {drug}, administered"


@settings(max_examples=50)
@given(value=st.floats(0, 10), decimals=st.integers(0, 3))
def test_a_number_is_rounded_to_its_row_and_never_in_another_form(value: float, decimals: int) -> None:
    entry = replace(ENTRY, draft=replace(DRAFT, value=value))
    sheet = replace(SHEET, rows=(number("score", "3001", decimals=decimals),))

    ((_, told),) = rows(read(entry, sheet)).values()

    assert abs(float(told) - value) <= 0.5 * 10**-decimals + 1e-9
    assert len(told.partition(".")[2]) == decimals
    assert not told.startswith("-")
