"""RDE and RAS: what was ordered and what was given, by whom told, from when to when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from neopain.codecs.drug_codes import DrugCodes
from neopain.codecs.hl7v2.drugs import read_drugs
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.domain.drugs import Basis, DrugClass, DrugFact, periods
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

RECEIVED = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
PID = "PID|1||77^^^HOSP^MR~66^^^HOSP^MR||X^Y||20260702081500+0000|F|||||||||||||66^^^HOSP^MR"
ORC = "ORC|RE|P1^EHR|F1^RX||IP||||20260704114500+0000"
RXA = "RXA|0|1|20260704113000+0000|20260704113000+0000|M03AC03^Vecuronium 10 mg^ATC|0.3|mg"
HEAD = r"MSH|^~\&|RX|GH|||20260704115959+0000||{kind}|4711|T|2.5.1"
BLOCKER = DrugClass.NEUROMUSCULAR_BLOCKER


def read(*lines: str, kind: str = "RAS^O17^RAS_O17") -> tuple[DrugFact, ...]:
    message = parse("\r".join([HEAD.format(kind=kind), *lines]).encode())
    return read_drugs(
        message,
        read_header(message),
        codes=DrugCodes(),
        site_zone=ZoneInfo("UTC"),
        received=RECEIVED,
        source="hl7:RX/GH",
    ).facts


def given(rxa: str, orc: str = ORC, *more: str) -> DrugFact:
    (fact,) = read(PID, orc, rxa, *more)
    return fact


def ordered(*lines: str, kind: str = "RDE^O11^RDE_O11") -> DrugFact:
    (fact,) = read(PID, *lines, kind=kind)
    return fact


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 7, 4, hour, minute, tzinfo=UTC)


def test_an_administration_says_what_was_given_to_whom_when() -> None:
    fact = given(RXA, ORC, "RXR|IV^Intravenous^HL70162")
    assert fact.patients == (PatientId("77", "HOSP"),)
    assert (fact.classes, fact.ingredient, fact.basis) == ((BLOCKER,), "vecuronium", Basis.ADMINISTERED)
    assert (fact.code, fact.system, fact.text, fact.route) == ("M03AC03", "ATC", "Vecuronium 10 mg", "IV")
    assert (fact.begun, fact.ended, fact.outlasts) == (at(11, 30), at(11, 30), timedelta(hours=4))
    assert (fact.order, fact.control_id, fact.processing) == ("F1", "4711", Processing.TRAINING)
    assert (fact.is_infusion, fact.is_stop, fact.is_retracted) == (False, False, False)


def test_a_rate_without_an_end_is_an_infusion_that_goes_on() -> None:
    fact = given("RXA|0|1|20260704113000+0000||N05CD08^Midazolam^ATC|0.06|mg|||||h")
    assert (fact.is_infusion, fact.ended, fact.is_stop) == (True, None, False)
    assert given("RXA|0|1|20260704113000+0000||N05CD08^Midazolam^ATC|0.06|mg/h").is_infusion


def test_an_infusion_that_ends_with_the_calendar_goes_on() -> None:
    fact = given("RXA|0|1|20260704113000+0000|99991231235959|N05CD08^Midazolam^ATC|0.06|mg|||||h")

    assert [period.until for period in periods([fact])] == [None]


def test_a_rate_of_zero_is_a_stop() -> None:
    assert given("RXA|0|2|20260704113000+0000||N05CD08^Midazolam^ATC|0|mg|||||h").is_stop


def test_a_single_dose_of_an_order_that_is_completed_by_it_was_given() -> None:
    fact = given(
        "RXA|0|1|20260704113000+0000||M03AC03^Vecuronium^ATC|0.3|mg", "ORC|RE|P1|F1||CM||||20260704114500+0000"
    )
    assert (fact.is_stop, fact.ended) == (False, at(11, 30))


def test_an_infusion_of_an_order_that_has_ended_ends_when_that_was_told() -> None:
    fact = given(
        "RXA|0|1|20260704113000+0000||M03AC03^Vecuronium^ATC|0.3|mg/h", "ORC|DC|P1|F1||DC||||20260704114500+0000"
    )
    assert (fact.is_infusion, fact.ended) == (True, at(11, 45))


@pytest.mark.parametrize("tail", ["|||||||||||||RE", "|||||||||||||NA", "||||||||||||||D"])
def test_what_was_refused_not_given_or_deleted_did_not_take_place(tail: str) -> None:
    fact = given(RXA + tail)
    assert fact.is_retracted
    assert fact.id == given(RXA).id


@pytest.mark.parametrize("tail", ["|||||||||||||CP|A", "|||||||||||||PA", ""])
def test_what_was_given_in_part_counts(tail: str) -> None:
    assert not given(RXA + tail).is_retracted


def test_several_administrations_are_several_facts() -> None:
    other = "RXA|0|2|20260704115000+0000||7052^Morphine^RxNorm|0.1|mg"
    assert [fact.ingredient for fact in read(PID, ORC, RXA, ORC, other)] == ["vecuronium", "morphine"]
    assert len({fact.id for fact in read(PID, ORC, RXA, other)}) == 2


def test_the_order_within_an_administration_is_no_order_of_its_own() -> None:
    assert [fact.basis for fact in read(PID, ORC, "RXE|^^^|M03AC03^Vecuronium^ATC|1||mg", RXA)] == [Basis.ADMINISTERED]


@pytest.mark.parametrize(
    ("coded", "classes", "ingredient"),
    [
        ("VEC1^VECURONIUM 10MG^L", (BLOCKER,), "vecuronium"),
        ("X1^Drug 7^L^M03AC09^Rocuronium^ATC", (BLOCKER,), "rocuronium"),
        ("N01AH01^Vecuronium^ATC", (DrugClass.ANALGESIC, DrugClass.SEDATIVE, BLOCKER), "fentanyl and vecuronium"),
        ("N02AB03^Fentanyl^ATC", (DrugClass.ANALGESIC, DrugClass.SEDATIVE), "fentanyl"),
        ("M03AC55^Newcurium^ATC", (BLOCKER,), "quaternary ammonium blocker"),
        ("^Propofol", (DrugClass.SEDATIVE,), "propofol"),
        ("J01CA01^Ampicillin^ATC", (), ""),
    ],
)
def test_code_and_name_both_count(coded: str, classes: tuple[DrugClass, ...], ingredient: str) -> None:
    fact = given(f"RXA|0|1|20260704113000+0000||{coded}|1|mg")
    assert (fact.classes, fact.ingredient) == (classes, ingredient)


@pytest.mark.parametrize(("text", "begun"), [("", at(11, 45)), ("later", at(11, 45)), ("20991231120000", at(12))])
def test_when_it_was_given_is_rxa_3_then_orc_9_and_never_the_future(text: str, begun: datetime) -> None:
    assert given(f"RXA|0|1|{text}||M03AC03^Vecuronium^ATC|1|mg").begun == begun


RXE = "RXE|1^Q1H^^20260704100000+0000^20260704180000+0000|M03AC03^Vecuronium^ATC|0.3||mg"


def test_an_order_is_in_force_from_its_begin_to_its_end_and_outlasts_nothing() -> None:
    fact = ordered("ORC|NW|P1|F1", RXE)
    assert (fact.basis, fact.begun, fact.ended, fact.outlasts) == (Basis.ORDERED, at(10), at(18), timedelta(0))


def test_tq1_says_when_an_order_begins_and_ends_before_anything_else() -> None:
    fact = ordered("ORC|NW|P1|F1", "TQ1|1||Q1H||||20260704090000+0000|20260704200000+0000", RXE)
    assert (fact.begun, fact.ended) == (at(9), at(20))


@pytest.mark.parametrize("kind", ["RDE^O11^RDE_O11", "RDE^O25^RDE_O25", "RDE^O01"])
def test_every_trigger_of_an_order_is_read(kind: str) -> None:
    assert ordered("ORC|NW|P1|F1", RXE, kind=kind).ingredient == "vecuronium"


@pytest.mark.parametrize("control", ["CA", "CR", "DC", "DR", "OC", "OD"])
def test_an_order_that_is_cancelled_or_discontinued_stops_then(control: str) -> None:
    fact = ordered(f"ORC|{control}|P1|F1||||||20260704114500+0000", RXE)
    assert (fact.is_stop, fact.begun, fact.order) == (True, at(11, 45), "F1")


MIXTURE = "NICU3^NICU premix 3^L"
BASE, ADDED = "RXC|B|D10W^Dextrose 10 %^L|100|mL", "RXC|A|VEC10^Vecuronium bromide^L|10|mg"


def test_what_is_added_to_a_mixture_counts_where_it_is_given_and_where_it_is_ordered() -> None:
    opioid = "RXC|A|7052^Morphine^RXNORM|5|mg"
    rxa = f"RXA|0|1|20260704113000+0000||{MIXTURE}|1|mL/h"
    (fact,) = read(PID, ORC, f"RXE||{MIXTURE}|1||mL", "RXR|IV", BASE, ADDED, opioid, rxa)
    assert fact.classes == (DrugClass.ANALGESIC, DrugClass.SEDATIVE, BLOCKER)
    assert (fact.text, fact.ingredient, fact.outlasts) == (
        "NICU premix 3",
        "vecuronium and morphine",
        timedelta(hours=6),
    )
    assert ordered(ORC, f"RXE||{MIXTURE}|1||mL", "RXR|IV", BASE, ADDED).classes == (BLOCKER,)


def test_a_drug_in_a_later_repetition_of_the_field_counts() -> None:
    fact = given("RXA|0|1|20260704113000+0000||GLU^Glucose^L~VEC^Vecuronium^L|1|mL")
    assert (fact.code, fact.classes) == ("GLU", (BLOCKER,))


def test_several_drugs_under_one_orc_are_several_orders_with_additions_of_their_own() -> None:
    lines = ("RXE||^Paracetamol^L|1||mg", f"RXE||{MIXTURE}|1||mL", ADDED, "RXE||^Midazolam^L|1||mg")
    facts = read(PID, ORC, *lines, kind="RDE^O11^RDE_O11")
    assert [fact.ingredient for fact in facts] == ["paracetamol", "vecuronium", "midazolam"]
    assert len({fact.id for fact in facts}) == 3


@pytest.mark.parametrize(
    ("kind", "basis"), [("RDE^O11^RDE_O11", Basis.ORDERED), ("RAS^O17^RAS_O17", Basis.ADMINISTERED)]
)
def test_an_order_that_ends_without_naming_its_drug_ends(kind: str, basis: Basis) -> None:
    infusion = given("RXA|0|1|20260704100000+0000||^Vecuronium^L|1|mg/h")
    (stop,) = read(PID, "ORC|DC|P1|F1^RX||||||20260704110000+0000", kind=kind)
    assert (stop.is_stop, stop.basis, stop.begun, stop.is_unknown) == (True, basis, at(11), False)
    (running, _) = periods([infusion, stop])
    assert running.until == at(15)


def test_the_end_of_a_drug_that_no_table_knows_is_kept_as_long_as_the_effect_of_any() -> None:
    stop = ordered("ORC|DC|P1|F1||||||20260704110000+0000", f"RXE||{MIXTURE}|1||mL")
    assert (stop.is_unknown, stop.outlasts) == (True, timedelta(days=7))


@pytest.mark.parametrize(
    ("lines", "location", "code"),
    [
        ((ORC,), "RXA", "100"),
        (("ORC|SC|P1|F1||IP",), "RXA", "100"),
        (("ORC|DC",), "ORC-3", "101"),
    ],
)
def test_orders_that_say_nothing_of_drugs_are_refused(lines: tuple[str, ...], location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read(PID, *lines)
    assert (caught.value.location, caught.value.code) == (location, code)


def test_an_order_that_says_nothing_takes_no_other_with_it() -> None:
    assert [fact.ingredient for fact in read(PID, "ORC|SC|P2|F2||IP", ORC, RXA)] == ["vecuronium"]


@pytest.mark.parametrize(
    ("lines", "location", "code"),
    [
        ((ORC, RXA), "PID", "100"),
        (("PID|1||", ORC, RXA), "PID-3", "101"),
        ((PID, RXA), "ORC", "100"),
        ((PID,), "ORC", "100"),
        ((PID, ORC, "RXA|0|1|20260704113000||^^L|1"), "RXA-5", "101"),
    ],
)
def test_a_message_that_names_no_patient_order_or_drug_is_refused(
    lines: tuple[str, ...], location: str, code: str
) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read(*lines)
    assert (caught.value.location, caught.value.code) == (location, code)


def test_hl7apy_reads_the_same() -> None:
    text = "\r".join([HEAD.format(kind="RAS^O17^RAS_O17"), PID, ORC, RXA, "RXR|IV^Intravenous^HL70162", ""])
    theirs = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    rxa = theirs.rxa
    assert [getattr(rxa, f"rxa_{number}").to_er7() for number in (2, 3, 5, 6, 7)] == [
        "1",
        "20260704113000+0000",
        "M03AC03^Vecuronium 10 mg^ATC",
        "0.3",
        "mg",
    ]
    assert theirs.rxr.rxr_1.to_er7() == "IV^Intravenous^HL70162"
