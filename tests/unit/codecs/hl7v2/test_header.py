"""MSH: what is taken from it, and what makes a message unacceptable from its first line on."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage


def msh(**fields: str) -> bytes:
    """MSH with fields by number (``f9="ORU^R01"``) over good ones."""
    values = {
        3: "MON^1234^EUI-64",
        4: "NICU",
        7: "20260704120000+0200",
        9: "ORU^R01^ORU_R01",
        10: "77",
        11: "P",
        12: "2.6",
    }
    values |= {int(name[1:]): value for name, value in fields.items()}
    return ("MSH|^~\\&|" + "|".join(values.get(number, "") for number in range(3, 22))).encode()


def test_type_trigger_ids_and_wishes_are_read() -> None:
    header = read_header(parse(msh(f15="al", f16="NE")))
    assert (header.message_type, header.trigger, header.control_id, header.version) == ("ORU", "R01", "77", "2.6")
    assert (header.sending_application, header.sending_facility) == ("MON", "NICU")
    assert (header.accept_acknowledgement, header.application_acknowledgement) == ("AL", "NE")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("P", Processing.PRODUCTION),
        ("D", Processing.DEBUGGING),
        ("T^A", Processing.TRAINING),
        ("", Processing.PRODUCTION),
    ],
)
def test_the_processing_id_is_carried_on(sent: str, meant: Processing) -> None:
    assert read_header(parse(msh(f11=sent))).processing is meant


@pytest.mark.parametrize(
    ("field", "value", "location", "code"),
    [
        ("f9", "", "MSH-9", "101"),
        ("f10", "", "MSH-10", "101"),
        ("f11", "X", "MSH-11", "202"),
        ("f12", "3.0", "MSH-12", "203"),
        ("f12", "soon", "MSH-12", "203"),
    ],
)
def test_a_header_that_breaks_the_standard_is_refused(field: str, value: str, location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_header(parse(msh(**{field: value})))
    assert (caught.value.location, caught.value.code) == (location, code)


@pytest.mark.parametrize(
    "version", ["2", "2.1", "2.3", "2.3.1", "2.4", "2.5.1", "2.6", "2.7", "2.8", "2.8.2", "2.6^DEU", ""]
)
def test_every_version_2_is_read_and_a_missing_one_too(version: str) -> None:
    assert read_header(parse(msh(f12=version))).version == version.removesuffix("^DEU")


@pytest.mark.parametrize(
    ("kind", "more", "trigger"),
    [
        ("ORU", b"", "R01"),
        ("ADT", b"\rEVN|a01|20260704", "A01"),
        ("ADT^A02", b"\rEVN|A01|20260704", "A02"),
        ("QRY", b"\rEVN|A19", ""),
    ],
)
def test_a_trigger_that_msh_9_leaves_out_is_that_of_old_versions(kind: str, more: bytes, trigger: str) -> None:
    assert read_header(parse(msh(f9=kind, f12="2.1") + more)).trigger == trigger


@pytest.mark.parametrize("more", [b"", b"\rEVN||20260704"])
def test_an_adt_without_any_trigger_is_refused(more: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_header(parse(msh(f9="ADT") + more))
    assert (caught.value.location, caught.value.code) == ("MSH-9.2", "101")


@pytest.mark.parametrize("name", ["IHE_PCD_001", "PCD_DEC_001", "IHE PCD ORU-R01 2006", ""])
def test_pcd_01_is_known_by_its_oid_whatever_its_name(name: str) -> None:
    assert read_header(parse(msh(f21=f"{name}^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"))).is_pcd_01


@pytest.mark.parametrize("profile", ["", "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.2^ISO", "IHE_PCD_001"])
def test_another_oid_is_not_pcd_01(profile: str) -> None:
    assert not read_header(parse(msh(f21=profile))).is_pcd_01
