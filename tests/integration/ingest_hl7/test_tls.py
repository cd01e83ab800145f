"""MLLP over TLS: who is let in, who is not and how that is counted, and renewal while connections are open."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.mllp import open_hl7_connection
from prometheus_client import REGISTRY

from neopain.errors import ConfigurationError
from neopain.ingest.hl7.service import tls_of
from neopain.ingest.settings import IngestSettings

from ...certificates import NEEDS_OPENSSL, Authority, Issued, end_of

pytestmark = NEEDS_OPENSSL


@dataclass(frozen=True)
class Ward:
    """The door's certificate, a monitor's, a stranger's, and who signed the first two."""

    authority: Authority
    door: Issued
    monitor: Issued
    stranger: Issued

    @property
    def plain(self) -> dict[str, object]:
        """Settings of a door that asks nobody for a certificate."""
        return {"hl7_tls_certificate": self.door.certificate, "hl7_tls_key": self.door.key}

    @property
    def mutual(self) -> dict[str, object]:
        """Settings of a door that does."""
        return self.plain | {"hl7_tls_client_ca": self.authority.own.certificate}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder, abroad = tmp_path_factory.mktemp("tls"), tmp_path_factory.mktemp("abroad")
    authority = Authority(folder)
    monitor = authority.issue("Monitor-7", alternative="DNS:mon7.ward.example")
    return Ward(authority, authority.issue("door"), monitor, Authority(abroad).issue("stranger"))


def closed(why: str) -> float:
    """How many connections were closed for that reason so far."""
    return REGISTRY.get_sample_value("neopain_ingest_closed_total", {"why": why}) or 0.0


async def is_refused(door: Any, context: ssl.SSLContext) -> bool:
    """Whether a sender gets no answer, at the handshake or, as TLS 1.3 has it, right after."""
    try:
        connection = await door.connect(context)
        await connection.write(b"\x0bMSH|\x1c\x0d")
        return await connection.is_closed()
    except (ssl.SSLError, ConnectionError):
        return True


async def test_a_sender_is_answered_over_tls(opening: Any, address: Any, ward: Ward, text: Any) -> None:
    async with opening(address, **ward.plain) as door:
        connection = await door.connect(ward.authority.context())
        assert [(await connection.ask(text.vitals(control=one)))[1] for one in "12"] == ["MSA|AA|1", "MSA|AA|2"]
        assert connection.writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
        assert len(await door.batches()) == 2


async def test_python_hl7_s_asyncio_client_is_answered_over_mutual_tls(
    opening: Any, address: Any, ward: Ward, text: Any
) -> None:
    async with opening(address, **ward.mutual) as door:
        context = ward.authority.context(ward.monitor)
        reader, writer = await open_hl7_connection("127.0.0.1", door.port, ssl=context, server_hostname="localhost")
        writer.writemessage(hl7.parse(text.vitals(control="8").decode()))
        answer = await reader.readmessage()
        writer.close()
        assert str(answer.segment("MSA")[2]) == "8"
        assert len(await door.batches()) == 1


async def test_plain_text_at_a_tls_port_is_closed_counted_and_never_shown(
    opening: Any, address: Any, ward: Ward, text: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    before = closed("plain text at the TLS port")
    async with opening(address, **ward.plain) as door:
        connection = await door.connect()
        await connection.write(b"\x0b" + text.vitals(mrn="MRN-4711") + b"\x1c\x0d")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await connection.answer()
        assert await door.batches() == []
    assert closed("plain text at the TLS port") - before == 1
    assert "4711" not in "".join(str(vars(record)) for record in caplog.records)


async def test_tls_1_1_is_too_old(opening: Any, address: Any, ward: Ward) -> None:
    context = ward.authority.context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    before = closed("TLS version too old")
    async with opening(address, **ward.plain) as door:
        assert await is_refused(door, context)
    assert closed("TLS version too old") - before == 1


async def test_mutual_tls_takes_known_senders_alone(opening: Any, address: Any, ward: Ward, text: Any) -> None:
    before = [closed(why) for why in ("no certificate", "certificate not trusted")]
    async with opening(address, **ward.mutual) as door:
        known = await door.connect(ward.authority.context(ward.monitor))
        assert (await known.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
        assert await is_refused(door, ward.authority.context())
        assert await is_refused(door, ward.authority.context(ward.stranger))
    after = [closed(why) for why in ("no certificate", "certificate not trusted")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


async def test_a_certificate_may_be_asked_for_and_not_required(
    opening: Any, address: Any, ward: Ward, text: Any
) -> None:
    async with opening(address, **ward.mutual, hl7_tls_client_required=False) as door:
        nameless = await door.connect(ward.authority.context())
        assert (await nameless.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
        assert await is_refused(door, ward.authority.context(ward.stranger))


@pytest.mark.parametrize(("names", "is_let_in"), [(["MON7.ward.example"], True), (["monitor-7"], True), (["x"], False)])
async def test_only_listed_certificates_may_send(
    opening: Any, address: Any, ward: Ward, *, names: list[str], is_let_in: bool
) -> None:
    before = closed("certificate not allowed")
    async with opening(address, **ward.mutual, hl7_allowed_names=names) as door:
        # Whoever is let in gets the refusal of a message that is none.
        assert await is_refused(door, ward.authority.context(ward.monitor)) != is_let_in
    assert closed("certificate not allowed") - before == (0 if is_let_in else 1)


@pytest.mark.parametrize(("names", "stored"), [(["monitor-7"], 1), (["x"], 0)])
async def test_a_message_that_comes_with_the_end_of_the_handshake_waits_until_it_is_known_who_sends(
    opening: Any, address: Any, ward: Ward, text: Any, eventually: Any, *, names: list[str], stored: int
) -> None:
    before, received, sent = closed("certificate not allowed"), ssl.MemoryBIO(), ssl.MemoryBIO()
    speaker = ward.authority.context(ward.monitor).wrap_bio(received, sent, server_hostname="localhost")
    async with opening(address, **ward.mutual, hl7_allowed_names=names) as door:
        connection = await door.connect()
        while True:
            try:
                speaker.do_handshake()
                break
            except ssl.SSLWantReadError:
                await connection.write(sent.read())
                received.write(await connection.reader.read(65536))
        speaker.write(b"\x0b" + text.vitals() + b"\x1c\x0d")
        await connection.write(sent.read())

        async def is_over() -> bool:
            return bool(await door.batches()) or closed("certificate not allowed") > before

        assert await eventually(is_over)
        assert len(await door.batches()) == stored


async def test_a_peer_that_says_nothing_is_given_up_and_holds_up_nobody(
    opening: Any, address: Any, ward: Ward, text: Any
) -> None:
    before = closed("TLS handshake incomplete")
    async with opening(address, **ward.plain, hl7_frame_seconds=0.5) as door:
        silent = await door.connect()
        assert (await (await door.connect(ward.authority.context())).ask(text.vitals()))[1] == "MSA|AA|1"
        assert await silent.is_closed()
    assert closed("TLS handshake incomplete") - before == 1


async def test_garbage_after_the_handshake_ends_that_connection_alone(
    opening: Any, address: Any, ward: Ward, text: Any
) -> None:
    async with opening(address, **ward.plain) as door:
        good = await door.connect(ward.authority.context())
        raw_reader, raw_writer = await asyncio.open_connection("127.0.0.1", door.port)
        inbound, outbound = ssl.MemoryBIO(), ssl.MemoryBIO()
        half = ward.authority.context().wrap_bio(inbound, outbound, server_hostname="localhost")
        while True:
            try:
                half.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw_writer.write(outbound.read())
                inbound.write(await asyncio.wait_for(raw_reader.read(65536), 5))
        raw_writer.write(outbound.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        await asyncio.wait_for(raw_reader.read(), 10)
        raw_writer.close()
        assert (await good.ask(text.vitals()))[1] == "MSA|AA|1"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed files are noticed at once."""
    monkeypatch.setattr("neopain.ingest.hl7.service.CERTIFICATE_SECONDS", 0.05)


@pytest.mark.usefixtures("soon")
async def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on(
    opening: Any, address: Any, ward: Ward, text: Any, eventually: Any
) -> None:
    renewed = ward.authority.issue("renewed")
    certificate, key = ward.authority.folder / "tls.crt", ward.authority.folder / "tls.key"
    shutil.copy(ward.door.certificate, certificate)
    shutil.copy(ward.door.key, key)
    async with opening(address, hl7_tls_certificate=certificate, hl7_tls_key=key) as door:
        old = await door.connect(ward.authority.context())
        # One file after the other: half a renewal is refused, and the door goes on.
        shutil.copy(renewed.certificate, certificate)

        async def is_half_seen() -> bool:
            told = {"door": "hl7", "outcome": "refused"}
            return bool(REGISTRY.get_sample_value("neopain_ingest_certificate_reloads_total", told))

        assert await eventually(is_half_seen)
        assert await shown(door, ward) == "door"
        shutil.copy(renewed.key, key)

        async def is_renewed() -> bool:
            return await shown(door, ward) == "renewed"

        assert await eventually(is_renewed)
        assert (await old.ask(text.vitals(control="9")))[1] == "MSA|AA|9"


async def shown(door: Any, ward: Ward) -> str:
    """The common name of the certificate that the door shows to a new connection."""
    connection = await door.connect(ward.authority.context())
    certificate = connection.writer.get_extra_info("peercert")
    connection.writer.close()
    return str(dict(part[0] for part in certificate["subject"])["commonName"])


def test_the_end_of_the_certificate_is_a_metric(ward: Ward) -> None:
    tls_of(IngestSettings(**ward.plain))  # type: ignore[arg-type]
    told = REGISTRY.get_sample_value("neopain_ingest_certificate_end_seconds", {"door": "hl7"})
    assert told == end_of(ward.door)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hl7_tls_key": None}, "needs both NEOPAIN_INGEST_HL7_TLS_CERTIFICATE and NEOPAIN_INGEST_HL7_TLS_KEY"),
        (
            {"hl7_tls_certificate": Path("/nowhere.pem")},
            "NEOPAIN_INGEST_HL7_TLS_CERTIFICATE: /nowhere.pem cannot be read",
        ),
        ({"hl7_tls_key": Path("/nowhere.key")}, "NEOPAIN_INGEST_HL7_TLS_KEY: /nowhere.key cannot be read"),
        ({"hl7_tls_key": "stranger"}, "NEOPAIN_INGEST_HL7_TLS_KEY: .* is not that of the certificate"),
        ({"hl7_tls_certificate": "key"}, "NEOPAIN_INGEST_HL7_TLS_CERTIFICATE: .* holds no certificate"),
        ({"hl7_tls_key": "certificate"}, "NEOPAIN_INGEST_HL7_TLS_KEY: .* holds no key"),
        ({"hl7_tls_client_ca": Path("/nowhere.ca")}, "NEOPAIN_INGEST_HL7_TLS_CLIENT_CA: /nowhere.ca cannot be read"),
        ({"hl7_tls_client_ca": "key"}, "NEOPAIN_INGEST_HL7_TLS_CLIENT_CA: .* holds no certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_setting(ward: Ward, change: dict[str, Any], told: str) -> None:
    files = {"stranger": ward.stranger.key, "key": ward.door.key, "certificate": ward.door.certificate}
    chosen = ward.mutual | {name: files.get(value, value) for name, value in change.items()}
    with pytest.raises(ConfigurationError, match=told):
        tls_of(IngestSettings(**chosen))
