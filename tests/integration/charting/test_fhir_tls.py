"""TLS both ways and a proxy on the way to a FHIR EHR, whose token endpoint is reached by the same way."""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from neopain.charting.ehr.client_tls import ClientTls, ClientTlsFiles
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.ehr.smart_keys import make_key
from neopain.charting.ehr.smart_token import SmartClient
from neopain.errors import EhrUnavailable

from ...certificates import NEEDS_OPENSSL, Authority, Issued, end_of
from ...servers import in_background
from .authorization import CLIENT, AuthorizationServer, running

pytestmark = NEEDS_OPENSSL


@dataclass(slots=True)
class Hospital:
    """An authority, what it issued to us, and an EHR that takes certificates of its only."""

    authority: Authority
    ours: Issued
    server: AuthorizationServer
    keys: Path


@pytest.fixture(scope="module")
def hospital(authorization_script: Path, ehr_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    authority = Authority(folder)
    ours = authority.issue("neopain")
    make_key(folder / "keys", "ES384", now=datetime(2026, 1, 1, tzinfo=UTC))
    with running(authorization_script, ehr_url, tls=(authority, authority.issue("localhost"), ours)) as server:
        yield Hospital(authority, ours, server, folder / "keys")


@pytest.fixture
def connect(channel_to: Callable[..., R4Channel], hospital: Hospital) -> Callable[..., R4Channel]:
    """Makes a channel to the EHR; shows our certificate and trusts its authority unless told otherwise."""
    hospital.server.register(hospital.keys, forget=True)

    def make(
        *, ca: Path | None = hospital.authority.own.certificate, shown: Issued | None = hospital.ours, proxy: str = ""
    ) -> R4Channel:
        own = (shown.certificate, shown.key) if shown else (None, None)
        tls = ClientTls(ClientTlsFiles("NEOPAIN_CHARTING_EHR_TLS", ca, *own))
        smart = SmartClient(CLIENT, hospital.keys, "system/Observation.crus")
        return channel_to(hospital.server.fhir, http={"tls": tls, "proxy": proxy, "smart": smart})

    return make


def test_both_sides_show_a_certificate(hospital: Hospital, connect: Callable[..., R4Channel]) -> None:
    connect().check()

    assert [one["peer"] for one in hospital.server.seen] == ["neopain"]


def test_without_a_certificate_nothing_is_charted(hospital: Hospital, connect: Callable[..., R4Channel]) -> None:
    with pytest.raises(EhrUnavailable, match=r"smart-configuration: (Read|Connect)Error"):
        connect(shown=None).check()

    assert hospital.server.seen == []


def test_a_server_of_another_authority_is_not_talked_to_and_the_reason_is_told(
    hospital: Hospital, connect: Callable[..., R4Channel]
) -> None:
    with pytest.raises(EhrUnavailable, match="certificate verify failed"):
        connect(ca=None).check()

    assert hospital.server.seen == []


def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    hospital: Hospital, connect: Callable[..., R4Channel], tmp_path: Path
) -> None:
    own = Issued(tmp_path / "own.pem", tmp_path / "own.key")
    place(hospital.ours, own)
    channel = connect(shown=own)
    hospital.server.register(hospital.keys, forget=True, close=True)
    channel.check()

    own.certificate.write_text("half of a renewal")
    channel.check()
    place(hospital.authority.issue("neopain-renewed"), own)
    hospital.server.register(hospital.keys, forget=True, close=True)
    channel.check()

    assert [one["peer"] for one in hospital.server.seen] == ["neopain-renewed"]


def test_a_renewed_certificate_is_taken_where_the_old_one_gets_no_token(
    hospital: Hospital, connect: Callable[..., R4Channel], tmp_path: Path
) -> None:
    own, elsewhere = Issued(tmp_path / "own.pem", tmp_path / "own.key"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    place(Authority(elsewhere).issue("neopain"), own)
    channel = connect(shown=own)
    with pytest.raises(EhrUnavailable, match=r"smart-configuration: (Read|Connect|RemoteProtocol)Error"):
        channel.check()

    place(hospital.ours, own)
    channel.check()

    assert [one["peer"] for one in hospital.server.seen] == ["neopain"]


def test_an_authority_that_is_taken_away_is_trusted_no_more(
    hospital: Hospital, connect: Callable[..., R4Channel], tmp_path: Path
) -> None:
    trusted, elsewhere = tmp_path / "ca.pem", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(hospital.authority.own.certificate, trusted)
    channel = connect(ca=trusted)
    hospital.server.register(hospital.keys, forget=True, close=True)
    channel.check()

    shutil.copy(Authority(elsewhere).own.certificate, trusted)
    hospital.server.register(hospital.keys, forget=True, close=True)

    with pytest.raises(EhrUnavailable, match="certificate verify failed"):
        channel.check()


def test_the_end_of_our_certificate_is_told_and_renewals_are_counted(
    hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, lasting = Issued(tmp_path / "own.pem", tmp_path / "own.key"), hospital.authority.issue("lasting", days=40)
    place(lasting, own)
    tls = ClientTls(ClientTlsFiles("NEOPAIN_CHARTING_EHR_TLS", None, own.certificate, own.key))
    assert (told("end_seconds"), "certificate_ends_soon" in caplog.messages) == (end_of(lasting), False)
    refused = told("reloads_total", outcome="refused")

    own.certificate.write_text("half of a renewal")
    tls.refresh()
    assert (told("end_seconds"), told("reloads_total", outcome="refused") - refused) == (end_of(lasting), 1)

    place(hospital.ours, own)
    tls.refresh()
    assert (told("end_seconds"), "certificate_ends_soon" in caplog.messages) == (end_of(hospital.ours), True)


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"neopain_charting_certificate_{name}", {"door": "ehr", **labels}) or 0.0


def place(issued: Issued, own: Issued) -> None:
    """Puts a certificate and its key where ours are."""
    for source, target in ((issued.key, own.key), (issued.certificate, own.certificate)):
        shutil.copy(source, beside := target.with_suffix(".new"))
        beside.replace(target)


@dataclass
class Proxy:
    """A proxy that tunnels (RFC 9110 section 9.3.6), and what it was asked for."""

    asked: list[str] = field(default_factory=list)
    refuses: bool = False
    url: str = ""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            proxy.asked.append(self.rfile.readline().decode().strip())
            while self.rfile.readline().strip():
                continue
            if proxy.refuses:
                self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            host, _, port = proxy.asked[-1].split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as beyond:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=carry, args=(beyond, self.connection))
                back.start()
                carry(self.connection, beyond)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Tunnel) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        with in_background(server):
            yield proxy


def carry(source: socket.socket, target: socket.socket) -> None:
    """Carries bytes one way until the source ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_everything_goes_through_the_proxy_and_stays_closed_to_it(
    hospital: Hospital, connect: Callable[..., R4Channel], proxy: Proxy
) -> None:
    channel = connect(proxy=proxy.url)
    channel.check()
    channel.http.close()

    place_asked = hospital.server.base.removeprefix("https://")
    assert set(proxy.asked) == {f"CONNECT {place_asked} HTTP/1.1"}
    assert [one["peer"] for one in hospital.server.seen] == ["neopain"]


def test_a_proxy_that_refuses_is_named_as_the_reason(connect: Callable[..., R4Channel], proxy: Proxy) -> None:
    proxy.refuses = True

    with pytest.raises(EhrUnavailable, match=r"ProxyError .*407"):
        connect(proxy=proxy.url).check()


def test_a_proxy_of_the_environment_is_not_taken(
    hospital: Hospital, connect: Callable[..., R4Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    connect().check()

    assert len(hospital.server.seen) == 1
