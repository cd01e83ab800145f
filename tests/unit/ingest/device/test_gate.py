from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import Credentials, Shown, token_sha256
from neopain.ingest.device.credentials import DeviceEntry
from neopain.ingest.device.gate import Denied, Gate, certificate_names, make_gate
from neopain.ingest.settings import IngestSettings

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
GATEWAY = DeviceEntry("gateway", (token_sha256("g"),), (), ("NICU/1/1",), ("vitals",))
CAMERA = DeviceEntry("camera", (), ("camera.nicu",), ("NICU/*",), ("frames", "audio"))
BOTH = DeviceEntry("both", (token_sha256("b"),), ("both.nicu",), ("*",))
GATE = Gate(Credentials((GATEWAY, CAMERA, BOTH)))
FAR = "10.0.0.7"


def shown(authorization: str = "", *names: str, encrypted: bool = True, host: str = FAR) -> Shown:
    return Shown(authorization, names, encrypted, host)


def test_a_token_over_tls_lets_its_device_in() -> None:
    assert GATE.admit(shown("Bearer g"), "vitals").entry is GATEWAY


def test_a_token_without_tls_is_taken_from_this_machine_alone() -> None:
    assert GATE.admit(shown("bearer g", encrypted=False, host="127.0.0.1"), "vitals").entry is GATEWAY
    with pytest.raises(Denied, match="tokens are taken over TLS alone"):
        GATE.admit(shown("Bearer g", encrypted=False), "vitals")


def test_a_certificate_lets_its_device_in() -> None:
    assert GATE.admit(shown("", "other", "camera.nicu"), "audio").entry is CAMERA


def test_a_device_with_both_needs_both() -> None:
    assert GATE.admit(shown("Bearer b", "both.nicu"), "audio").entry is BOTH
    for told in (shown("Bearer b"), shown("Bearer b", "camera.nicu"), shown("", "both.nicu")):
        with pytest.raises(Denied) as denied:
            GATE.admit(told, "audio")
        assert denied.value.status is UNAUTHENTICATED


@pytest.mark.parametrize(
    ("told", "stream", "status", "why"),
    [
        (shown(), "vitals", UNAUTHENTICATED, "missing"),
        (shown("", "stranger"), "vitals", UNAUTHENTICATED, "missing"),
        (shown("Basic Zzpn"), "vitals", UNAUTHENTICATED, "scheme"),
        (shown("Bearer wrong"), "vitals", UNAUTHENTICATED, "token"),
        (shown("Bearer b"), "vitals", UNAUTHENTICATED, "certificate"),
        (shown("Bearer g", encrypted=False), "vitals", UNAUTHENTICATED, "unencrypted"),
        (shown("Bearer g"), "frames", DENIED, "stream"),
    ],
)
def test_who_is_not_let_in_is_told_why_without_the_token(
    told: Shown, stream: str, status: grpc.StatusCode, why: str
) -> None:
    with pytest.raises(Denied) as denied:
        GATE.admit(told, stream)
    assert (denied.value.status, denied.value.why) == (status, why)
    assert "wrong" not in str(denied.value)


def test_a_bed_that_is_not_the_device_s_is_denied_by_name() -> None:
    grant = GATE.admit(shown("Bearer g"), "vitals")
    grant.check_bed(BedId("NICU/1/1"))
    with pytest.raises(Denied, match="NICU/1/2 is not open to the device gateway") as denied:
        grant.check_bed(BedId("NICU/1/2"))
    assert (denied.value.status, denied.value.why) == (DENIED, "bed")


def test_a_device_cannot_speak_in_another_s_name() -> None:
    with pytest.raises(Denied, match="these credentials are gateway's"):
        GATE.admit(shown("Bearer g"), "vitals").check_name("camera")


def test_without_a_file_the_door_is_open_to_this_machine_alone() -> None:
    assert make_gate(IngestSettings()).admit(shown(encrypted=False), "frames").entry is None
    for host in ("0.0.0.0", "::", "10.0.0.7", "neopain.example"):  # noqa: S104 - what is refused
        with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_DEVICE_CREDENTIALS"):
            make_gate(IngestSettings(device_host=host))


def test_tokens_that_a_network_could_read_are_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(f'[[device]]\nname = "g"\ntoken_sha256 = ["{token_sha256("g")}"]\nbeds = ["*"]\n')
    assert make_gate(IngestSettings(device_credentials=path)).credentials is not None
    with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE"):
        make_gate(IngestSettings(device_host="10.0.0.7", device_credentials=path))


def test_certificates_that_nobody_asks_for_are_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text('[[device]]\nname = "g"\ncertificate = ["g.nicu"]\nbeds = ["*"]\n')
    with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_DEVICE_TLS_CLIENT_CA is not set"):
        make_gate(IngestSettings(device_credentials=path))


def test_the_common_name_counts_only_without_alternative_names() -> None:
    common = {"x509_common_name": [b"old"]}
    assert certificate_names(common) == ("old",)
    assert certificate_names({**common, "x509_subject_alternative_name": [b"a", b"b"]}) == ("a", "b")
    assert certificate_names({}) == ()
