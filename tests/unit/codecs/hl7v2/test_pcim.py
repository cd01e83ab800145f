"""Device-patient associations of IHE PCIM: who, which device, which bed, and whether it counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcim import is_association, read_association
from neopain.domain.census import CensusEvent, CensusEventKind
from neopain.domain.identity import BedId, PatientId
from neopain.errors import MalformedMessage

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
PROFILE = "IHE_DEV_051^IHE PCD^1.3.6.1.4.1.19376.1.6.1.51.1^ISO"
ASSOCIATED, ENDED = "198332^MDC_EVT_ASSOCIATION_PATIENT_DEVICE^MDC", "198334^MDC_EVT_DISASSOCIATION_PATIENT_DEVICE^MDC"
PUMP = "PRT|1|UC||EQUIP^EQUIP^HL70912|||||{place}|PUMP7^^0012340000000001^EUI-64|20260704115500+0000"


def message_of(
    *,
    value: str = ASSOCIATED,
    status: str = "F",
    profile: str = PROFILE,
    order: str = "69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC",
    bed: str = "NICU^1^3",
    device: str = PUMP.format(place=""),
) -> bytes:
    """A DEV-51: MSH, PID, PV1, OBR, OBX, and PRT of the nurse and of the device."""
    lines = [
        rf"MSH|^~\&|DPAR|GH|||20260704115959+0000||ORU^R01^ORU_R01|7|P|2.6|||AL|NE|||||{profile}",
        "PID|||77^^^HOSP^MR||X^Y",
        f"PV1||I|{bed}",
        f"OBR|1||A1^DPAR|{order}|||20260704115500+0000|20260704115500+0000",
        f"OBX|1|CWE|68487^MDC_ATTR_EVT_COND^MDC|0.0.0.0|{value}||||||{status}",
        "PRT|1|UC||AUT^AUT^HL70912|12^NURSE^ANNA",
        *([device] if device else []),
    ]
    return "".join(f"{line}\r" for line in lines).encode()


def read(raw: bytes) -> CensusEvent | None:
    message = parse(raw)
    return read_association(message, read_header(message), site_zone=UTC, received=NOON, default_facility="EAST")


def test_an_association_says_who_is_at_which_device_in_which_bed_since_when() -> None:
    assert read(message_of()) == CensusEvent(
        kind=CensusEventKind.ASSOCIATED,
        infant=read(message_of()).infant,  # type: ignore[union-attr]
        occurred=datetime(2026, 7, 4, 11, 55, tzinfo=UTC),
        bed=BedId("NICU/1/3@EAST"),
        control_id="7",
        told=NOON,
        device="device:PUMP7|0012340000000001",
    )
    assert read(message_of()).infant.identifiers == (PatientId("77", "HOSP"),)  # type: ignore[union-attr]


def test_a_day_alone_is_not_when_a_device_was_associated() -> None:
    found = read(message_of().replace(b"|20260704115500+0000|20260704115500+0000", b"|20260704"))
    assert found is not None
    assert found.occurred == datetime(2026, 7, 4, 11, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "status", "kind"),
    [
        (ASSOCIATED, "F", CensusEventKind.ASSOCIATED),
        (ASSOCIATED, "C", CensusEventKind.ASSOCIATED),
        (ENDED, "F", CensusEventKind.DISSOCIATED),
        (ASSOCIATED, "W", CensusEventKind.DISSOCIATED),
        (ENDED, "W", CensusEventKind.ASSOCIATED),
    ],
)
def test_what_is_validated_counts_and_what_was_wrong_is_undone(value: str, status: str, kind: CensusEventKind) -> None:
    event = read(message_of(value=value, status=status))
    assert event is not None
    assert event.kind is kind


def test_what_awaits_validation_or_names_no_bed_changes_nothing() -> None:
    assert read(message_of(status="R")) is None
    assert read(message_of(bed="NICU")) is None


def test_the_place_of_the_device_stands_for_that_of_the_patient_and_must_not_contradict_it() -> None:
    placed = PUMP.format(place="NICU^1^4")
    assert read(message_of(bed="", device=placed)).bed == BedId("NICU/1/4@EAST")  # type: ignore[union-attr]
    with pytest.raises(MalformedMessage) as caught:
        read(message_of(device=placed))
    assert (caught.value.location, caught.value.code) == ("PRT-9", "103")


@pytest.mark.parametrize(
    ("raw", "location", "code"),
    [
        (message_of().replace(b"77^^^HOSP^MR", b""), "PID-3", "101"),
        (message_of(device=""), "PRT-10", "101"),
        (message_of(value="198399^X^MDC"), "OBX[1]-5", "103"),
        (message_of(status="X"), "OBX[1]-11", "103"),
        (message_of().replace(b"68487^", b"68480^"), "OBX", "100"),
    ],
)
def test_an_association_that_lacks_something_is_refused_with_its_place(raw: bytes, location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read(raw)
    assert (caught.value.location, caught.value.code) == (location, code)


@pytest.mark.parametrize(
    ("profile", "order", "expected"),
    [
        (PROFILE, "", True),
        ("X^Y^1.3.6.1.4.1.19376.1.6.1.52.1^ISO", "", True),
        ("IHE_DEV_051^IHE PCD^1.3.6.1.4.1.19376.1.6.4.51.1^ISO", "", True),
        ("", "69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC", True),
        ("", "691360^X^MDC", False),
        ("IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO", "182777000^monitoring of patient^SCT", False),
    ],
)
def test_an_association_is_known_by_its_profile_or_its_order(profile: str, order: str, *, expected: bool) -> None:
    message = parse(message_of(profile=profile, order=order))
    assert is_association(message, read_header(message)) is expected
