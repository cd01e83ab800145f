"""ADT: what happened, to whom, where and when; and which triggers change nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from neopain.codecs.hl7v2.adt import AdtReport, Effect, read_adt
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.domain.census import CensusEvent, CensusEventKind
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

RECEIVED = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
EVN = "EVN|A01|20260704115900+0000"
PID = "PID|1||77^^^HOSP^MR||X^Y||20260702081500+0000|F"
PV1 = "PV1|1|I|NICU^1^3^GH|||NICU^1^1^GH|||||||||||||V42^^^HOSP^VN"


def read(*lines: str, trigger: str = "A01", zone: str = "UTC", msh_time: str = "20260704115959+0000") -> AdtReport:
    head = rf"MSH|^~\&|ADT|GH|||{msh_time}||ADT^{trigger}^ADT_A01|4711|T|2.5"
    message = parse("\r".join([head, *lines]).encode())
    return read_adt(message, read_header(message), site_zone=ZoneInfo(zone), received=RECEIVED)


def event(*lines: str, trigger: str = "A01", zone: str = "UTC", msh_time: str = "20260704115959+0000") -> CensusEvent:
    (found,) = read(*lines, trigger=trigger, zone=zone, msh_time=msh_time).events
    return found


def test_an_admission_gives_infant_bed_visit_and_time() -> None:
    found = event(EVN, PID, PV1)
    assert found.kind is CensusEventKind.ADMITTED
    assert found.infant.identifiers == (PatientId("77", "HOSP", "MR"),)
    assert (found.infant.visit, found.infant.sex) == ("V42", "F")
    assert found.infant.born == datetime(2026, 7, 2, 8, 15, tzinfo=UTC)
    assert (found.bed, found.prior_bed) == ("NICU/1/3@GH", "NICU/1/1@GH")
    assert found.occurred == datetime(2026, 7, 4, 11, 59, tzinfo=UTC)
    assert (found.control_id, found.processing) == ("4711", Processing.TRAINING)


def test_the_times_of_an_engine_that_takes_them_over_from_fhir_are_read() -> None:
    found = event("EVN|A01|2026-07-04T11:59:00Z", PID.replace("20260702081500+0000", "2026-07-02T10:15:00+02:00"), PV1)
    assert found.occurred == datetime(2026, 7, 4, 11, 59, tzinfo=UTC)
    assert found.infant.born == datetime(2026, 7, 2, 8, 15, tzinfo=UTC)


def test_an_explicit_null_is_no_visit_and_no_sex() -> None:
    pid, pv1 = PID.replace("|F", '|""'), PV1.replace("V42^^^HOSP^VN", '""')
    found = event(EVN, pid, pv1, trigger="A08")
    assert (found.infant.visit, found.infant.sex) == ("", "")
    (deletion,) = read(EVN, pid, pv1, trigger="A23").events
    (moved,) = read(EVN, pid, 'MRG|88^^^HOSP^MR||||""', pv1, trigger="A45").events
    assert (deletion.infant.visit, moved.prior_visit, moved.infant.visit) == ("", "", "")


@pytest.mark.parametrize("none", ["00010101000000", "18991230000000", "99991231235959", "0001-01-01T00:00:00"])
def test_what_systems_write_where_they_have_no_time_is_none(none: str) -> None:
    gone = PV1 + "|" * 26 + none

    found = event(f"EVN|A08|{none}||||{none}", PID.replace("20260702081500+0000", none), gone, trigger="A08")

    assert found.occurred == datetime(2026, 7, 4, 11, 59, 59, tzinfo=UTC)
    assert (found.infant.born, found.has_left) == (None, False)


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        ("A01", CensusEventKind.ADMITTED),
        ("A02", CensusEventKind.TRANSFERRED),
        ("A03", CensusEventKind.DISCHARGED),
        ("A04", CensusEventKind.REGISTERED),
        ("A08", CensusEventKind.UPDATED),
        ("A11", CensusEventKind.ADMISSION_CANCELLED),
        ("A12", CensusEventKind.TRANSFER_CANCELLED),
        ("A13", CensusEventKind.DISCHARGE_CANCELLED),
        ("A28", CensusEventKind.PERSON_UPDATED),
        ("A31", CensusEventKind.PERSON_UPDATED),
    ],
)
def test_the_trigger_is_that_of_msh_9_even_where_evn_1_says_another(trigger: str, kind: CensusEventKind) -> None:
    assert event(EVN, PID, PV1, trigger=trigger).kind is kind


@pytest.mark.parametrize("trigger", ["A06", "A09", "A17", "A22", "A35", "A37", "A43", "A50", "A52"])
def test_triggers_that_change_who_lies_where_and_are_not_applied_say_so(trigger: str) -> None:
    assert read(EVN, PID, PV1, trigger=trigger).effect is Effect.NOT_YET


@pytest.mark.parametrize("trigger", ["A06", "A07", "A10", "A17", "A32", "A33"])
def test_a_trigger_that_is_not_applied_tells_where_the_infant_is(trigger: str) -> None:
    (doubt,) = read(EVN, PID, PV1, trigger=trigger).events
    assert (doubt.kind, doubt.bed) == (CensusEventKind.ELSEWHERE, "NICU/1/3@GH")
    assert doubt.infant.identifiers == (PatientId("77", "HOSP", "MR"),)


@pytest.mark.parametrize("trigger", ["A23", "A29", "A30", "A37", "A43", "A44"])
def test_a_trigger_that_is_not_applied_tells_of_everybody_whom_it_may_change(trigger: str) -> None:
    doubts = read(EVN, PID, "MRG|88^^^HOSP^MR", PV1, trigger=trigger).events
    assert [(one.kind, one.infant.identifiers[0].value) for one in doubts] == [
        (CensusEventKind.IN_DOUBT, "77"),
        (CensusEventKind.IN_DOUBT, "88"),
    ]


def test_a_deletion_of_a_visit_names_it() -> None:
    (doubt,) = read(EVN, PID, PV1, trigger="A23").events
    assert doubt.infant.visit == "V42"


def test_a_cancelled_transfer_without_a_place_says_only_that_the_infant_is_not_where_it_was() -> None:
    found = event(EVN, PID, "PV1|1|I|", trigger="A12")
    assert (found.kind, found.bed) == (CensusEventKind.ELSEWHERE, None)


def test_a_cancelled_transfer_from_a_unit_without_a_bed_says_so() -> None:
    found = event(EVN, PID, "PV1|1|I|THEATRE", trigger="A12")
    assert (found.kind, found.bed) == (CensusEventKind.TRANSFER_CANCELLED, None)


@pytest.mark.parametrize("trigger", ["A28", "A31"])
def test_what_is_told_of_a_person_is_of_no_visit_and_no_place(trigger: str) -> None:
    found = event(EVN, PID, PV1, "OBX|1|NM|76516-4^^LN||32|wk", trigger=trigger)
    assert (found.bed, found.prior_bed, found.infant.visit) == (None, None, "")
    assert found.infant.gestational_age_days == 224


@pytest.mark.parametrize("trigger", ["A18", "A34", "A36", "A39", "A40"])
def test_a_merge_names_the_surviving_and_the_retired_number(trigger: str) -> None:
    (found,) = read(EVN, PID, "PD1", "MRG|T1^^^HOSP^MR~9^^^LAB^PI", PV1, trigger=trigger).events
    assert (found.kind, found.infant.identifiers) == (CensusEventKind.MERGED, (PatientId("77", "HOSP"),))
    assert found.prior == (PatientId("T1", "HOSP"), PatientId("9", "LAB", "PI"))
    assert (found.infant.visit, found.bed) == ("", None)


def test_a_merge_of_several_pairs_is_as_many_events() -> None:
    other = ("PID|2||88^^^HOSP^MR", "MRG|T2^^^HOSP^MR")
    found = read(EVN, PID, "MRG|T1^^^HOSP^MR", *other, trigger="A40").events
    assert [(one.infant.identifiers[0].value, one.prior[0].value) for one in found] == [("77", "T1"), ("88", "T2")]


def test_a_moved_visit_names_both_patients_and_the_visit() -> None:
    (found,) = read(EVN, PID, "MRG|88^^^HOSP^MR||||V42^^^HOSP^VN", PV1, trigger="A45").events
    assert (found.kind, found.prior_visit, found.infant.visit) == (CensusEventKind.VISIT_MOVED, "V42", "V42")


def test_several_moved_visits_are_each_of_the_pv1_that_follows() -> None:
    lines = (
        "MRG|88^^^HOSP^MR||||V1",
        "PV1||I|||||||||||||||||V1",
        "MRG|88^^^HOSP^MR||||V2",
        "PV1||I|||||||||||||||||V2",
    )
    found = read(EVN, PID, *lines, trigger="A45").events
    assert [(one.prior_visit, one.infant.visit) for one in found] == [("V1", "V1"), ("V2", "V2")]


def test_a_changed_number_names_the_right_and_the_wrong_one() -> None:
    (found,) = read(EVN, PID, "MRG|88^^^HOSP^MR", trigger="A47").events
    assert (found.kind, found.prior) == (CensusEventKind.RENUMBERED, (PatientId("88", "HOSP"),))


@pytest.mark.parametrize(
    ("lines", "location", "code"),
    [((PID,), "MRG", "100"), ((PID, "MRG|"), "MRG-1", "101"), (("MRG|88^^^HOSP^MR",), "PID", "100")],
)
def test_a_merge_without_both_numbers_is_refused(lines: tuple[str, ...], location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read(EVN, *lines, trigger="A40")
    assert (caught.value.location, caught.value.code) == (location, code)


def test_the_mother_s_number_is_none_of_the_newborn_s() -> None:
    both = "PID|1||66^^^HOSP^MR~77^^^HOSP^MR||X^Y||20260702081500+0000|F|||||||||||||66^^^HOSP^MR"
    assert event(EVN, both, PV1).infant.identifiers == (PatientId("77", "HOSP"),)


def test_a_newborn_that_has_only_its_mother_s_number_is_refused() -> None:
    only = "PID|1||66^^^HOSP^MR||X^Y||20260702081500+0000|F|||||||||||||66^^^HOSP^MR"
    with pytest.raises(MalformedMessage) as caught:
        event(EVN, only, PV1)
    assert (caught.value.location, caught.value.code) == ("PID-3", "103")


def test_a_swap_tells_of_both_infants() -> None:
    other = ("PID|2||88^^^HOSP^MR", "PV1|2|I|NICU^1^4^GH")
    doubts = read(EVN, PID, PV1, *other, trigger="A17").events
    assert [(one.infant.identifiers[0].value, one.bed) for one in doubts] == [
        ("77", "NICU/1/3@GH"),
        ("88", "NICU/1/4@GH"),
    ]


@pytest.mark.parametrize("lines", [(PID, "PV1|1|I|NICU"), (PID,), ("PID|1||unknown", PV1), ()])
def test_a_change_of_class_without_an_infant_or_a_bed_tells_nothing(lines: tuple[str, ...]) -> None:
    assert read(EVN, *lines, trigger="A06") == AdtReport(Effect.NOT_YET)


@pytest.mark.parametrize("trigger", ["A05", "A38", "A60", "Z99"])
def test_other_triggers_say_nothing_about_who_lies_where(trigger: str) -> None:
    assert read(EVN, PID, PV1, trigger=trigger) == AdtReport(Effect.NONE)


@pytest.mark.parametrize(
    ("evn", "msh_time", "expected"),
    [
        (
            "EVN||20260704113000+0000||||20260704110000+0000",
            "20260704115959+0000",
            datetime(2026, 7, 4, 11, 0, tzinfo=UTC),
        ),
        ("EVN||20260704113000+0000", "20260704115959+0000", datetime(2026, 7, 4, 11, 30, tzinfo=UTC)),
        ("EVN||", "202607041130+0000", datetime(2026, 7, 4, 11, 30, tzinfo=UTC)),
        ("EVN||20260704113000", "", datetime(2026, 7, 4, 9, 30, tzinfo=UTC)),
        ("EVN||soon", "", RECEIVED),
        ("EVN||20991231000000+0000", "", RECEIVED),
        ("EVN||20260704113000+0000||||20260704", "", datetime(2026, 7, 4, 11, 30, tzinfo=UTC)),
        ("EVN||20260704||||2026070411", "20260704", RECEIVED),
    ],
)
def test_when_it_happened_is_evn_6_then_evn_2_then_msh_7_and_never_the_future(
    evn: str, msh_time: str, expected: datetime
) -> None:
    assert event(evn, PID, PV1, zone="Europe/Berlin", msh_time=msh_time).occurred == expected


def test_a_unit_without_a_bed_places_nobody() -> None:
    assert event(EVN, PID, "PV1|1|I|THEATRE", trigger="A02").bed is None


def test_a_time_of_discharge_in_an_update_is_seen() -> None:
    assert event(EVN, PID, PV1 + "|" * 26 + "20260704", trigger="A08").has_left
    assert not event(EVN, PID, PV1, trigger="A08").has_left


@pytest.mark.parametrize(
    ("lines", "location", "code"),
    [
        ((EVN, PV1), "PID", "100"),
        ((EVN, "PID|1||", PV1), "PID-3", "101"),
        ((EVN, "PID|1||123456789^^^USSSA^SS", PV1), "PID-3", "101"),
        ((EVN, PID), "PV1-3", "101"),
        ((EVN, PID, "PV1|1|I|"), "PV1-3", "101"),
    ],
)
def test_an_admission_without_whom_or_where_is_refused(lines: tuple[str, ...], location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        event(*lines)
    assert (caught.value.location, caught.value.code) == (location, code)


def test_a_discharge_needs_no_place() -> None:
    assert event(EVN, PID, trigger="A03").bed is None


@pytest.mark.parametrize(
    ("obx", "days"),
    [
        ("OBX|1|NM|18185-9^GA^LN||32|wk^^UCUM", 224),
        ("OBX|1|NM|11884-4^GA^LN||225|d^^UCUM", 225),
        ("OBX|1|NM|76516-4^GA at birth^LN||32.5|wk", 228),
        ("OBX|1|ST|18185-9^GA^LN||32+5|", 229),
        ("OBX|1|ST|18185-9^GA^LN||32w5d|", 229),
        ("OBX|1|ST|18185-9^GA^LN||32 5/7|wk", 229),
        ("OBX|1|ST|18185-9^GA^LN||32 5/7 weeks|", 229),
        ("OBX|1|ST|18185-9^GA^LN||32 5|wk", None),
        ("OBX|1|SN|18185-9^GA^LN||^32|wk", 224),
        ("OBX|1|SN|18185-9^GA^LN||=^230|d", 230),
        ("OBX|1|SN|18185-9^GA^LN||>^32|wk", None),
        ("OBX|1|SN|18185-9^GA^LN||^32^-^33|wk", None),
        ("OBX|1|NM|LOCAL^GA^99GH^18185-9^GA^LN||32|wk", 224),
        ("OBX|1|NM|18185-9^GA^LN||32", None),
        ("OBX|1|NM|18185-9^GA^LN||320|wk", None),
        ("OBX|1|NM|18185-9^GA^LN||32|kg", None),
        ("OBX|1|NM|18185-9^GA^LN||32|wk|||||X", None),
        ("OBX|1|NM|8339-4^Birth weight^LN||1800|g", None),
    ],
)
def test_gestational_age_is_read_in_weeks_or_days_and_never_without_a_unit(obx: str, days: int | None) -> None:
    assert event(EVN, PID, PV1, obx, trigger="A08").infant.gestational_age_days == days


def test_the_age_at_birth_comes_before_an_estimate() -> None:
    estimate, at_birth = "OBX|1|NM|11884-4^^LN||31|wk", "OBX|2|NM|76516-4^^LN||32|wk"
    assert event(EVN, PID, PV1, estimate, at_birth).infant.gestational_age_days == 224


def test_the_gestational_age_of_a_mother_s_pregnancy_is_not_an_infant_s() -> None:
    mother = "PID|1||66^^^HOSP^MR||X^Y||19950101|F"
    assert event(EVN, mother, PV1, "OBX|1|NM|18185-9^GA^LN||32|wk").infant.gestational_age_days is None
