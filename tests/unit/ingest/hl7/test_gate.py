"""Who may send: networks and certificates' names."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from neopain.errors import ConfigurationError
from neopain.ingest.certificate_names import names_in
from neopain.ingest.hl7.gate import Gate, gate_of
from neopain.ingest.settings import IngestSettings


@pytest.mark.parametrize(
    ("address", "is_let_in"),
    [("10.20.3.4", True), ("10.21.0.1", False), ("2001:db8::7", True), ("2001:db9::7", False), ("unknown", False)],
)
def test_an_address_must_lie_in_a_network(address: str, is_let_in: bool) -> None:
    gate = Gate((ip_network("10.20.0.0/16"), ip_network("2001:db8::/32")))
    assert gate.admits_address(address) == is_let_in


def test_empty_lists_let_all_in() -> None:
    gate = gate_of(IngestSettings())
    assert (gate.admits_address("10.0.0.1"), gate.admits_names(())) == (True, True)


def test_nobody_without_a_certificate_is_on_a_list_of_names() -> None:
    assert not Gate(names=frozenset({"mon7"})).admits_names(())


def test_a_list_of_names_needs_an_authority() -> None:
    with pytest.raises(ConfigurationError, match="ALLOWED_NAMES needs NEOPAIN_INGEST_HL7_TLS_CLIENT_CA"):
        gate_of(IngestSettings(hl7_allowed_names=("mon7",)))


def test_a_certificate_is_named_by_its_subject_and_its_alternatives() -> None:
    shown = {
        "subject": ((("organizationName", "GH"),), (("commonName", "Monitor-7"),)),
        "subjectAltName": (("DNS", "MON7.ward.example"), ("IP Address", "10.0.0.7"), ("DirName", "x")),
        "notAfter": "Nov 26 08:00:00 2027 GMT",
    }
    assert names_in(shown) == ("monitor-7", "mon7.ward.example", "10.0.0.7")


@pytest.mark.parametrize("nothing", [None, {}])
def test_nobody_is_named_without_a_certificate(nothing: dict[str, object] | None) -> None:
    assert names_in(nothing) == ()
