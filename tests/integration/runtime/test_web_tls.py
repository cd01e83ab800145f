"""TLS of our HTTP servers over a real socket: what new and open connections see when the files are renewed."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from neopain.embedded.loopback import free_port
from neopain.errors import ConfigurationError
from neopain.runtime.tls import Tls, TlsFiles
from neopain.runtime.web import Door, listening

from ...certificates import NEEDS_OPENSSL, Authority, Issued, end_of

pytestmark = NEEDS_OPENSSL

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def first(authority: Authority) -> Issued:
    return authority.issue("first", days=40)


@pytest.fixture(scope="module")
def second(authority: Authority) -> Issued:
    return authority.issue("second", days=20)


@pytest.fixture
def door(first: Issued, tmp_path: Path) -> Door:
    """One whose files can be replaced; they are the first's."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(first.certificate, certificate)
    shutil.copy(first.key, key)
    return Door("api", "charting", "127.0.0.1", free_port(), certificate, key, settings="NEOPAIN_CHARTING_API")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed files are noticed at once."""
    monkeypatch.setattr("neopain.runtime.web.CERTIFICATE_SECONDS", 0.02)


@asynccontextmanager
async def serving(door: Door) -> AsyncIterator[None]:
    """A server that answers everything with ``here``."""

    async def handle(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="here")

    async with listening(handle, lambda status: web.Response(status=status), door, stop=lambda: None):
        yield


@dataclass(frozen=True)
class Connection:
    """A client's connection, which stays open between requests."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def shown(self) -> str:
        """The common name of the certificate that the server showed."""
        subject = self.writer.get_extra_info("peercert")["subject"]
        return str(dict(part[0] for part in subject)["commonName"])

    async def ask(self) -> str:
        """The body of the answer to a request."""
        self.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        return (await asyncio.wait_for(self.reader.readexactly(4), 10)).decode()


@asynccontextmanager
async def connected(
    door: Door, authority: Authority, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, is_host_named: bool = True
) -> AsyncIterator[Connection]:
    """A connection of that TLS; without the host's name the ClientHello has no server_name (RFC 6066, 3)."""
    context = authority.context()
    context.check_hostname = is_host_named
    context.maximum_version = version
    host = "localhost" if is_host_named else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context, server_hostname=host)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"neopain_charting_certificate_{name}", {"door": "api", **labels}) or 0.0


def reloads(outcome: str) -> float:
    return told("reloads_total", outcome=outcome)


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 - a metric has no event
            await asyncio.sleep(0.01)


async def renew(door: Door, issued: Issued) -> None:
    """Replaces the files, and waits until they were taken."""
    before = reloads("taken")
    assert door.certificate is not None
    assert door.key is not None
    shutil.copy(issued.key, door.key)
    shutil.copy(issued.certificate, door.certificate)
    await until(lambda: reloads("taken") > before)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_host_named", [True, False])
async def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on(
    door: Door, authority: Authority, second: Issued, *, version: ssl.TLSVersion, is_host_named: bool
) -> None:
    async with serving(door), connected(door, authority, version=version, is_host_named=is_host_named) as old:
        assert [old.shown, await old.ask()] == ["first", "here"]
        await renew(door, second)
        async with connected(door, authority, version=version, is_host_named=is_host_named) as new:
            assert [new.shown, await new.ask()] == ["second", "here"]
        assert await old.ask() == "here"


async def test_a_certificate_is_renewed_again_and_again(
    door: Door, authority: Authority, first: Issued, second: Issued
) -> None:
    shown = []
    async with serving(door):
        for issued in (second, first, second):
            await renew(door, issued)
            async with connected(door, authority) as new:
                shown.append(new.shown)
    assert shown == ["second", "first", "second"]


@pytest.mark.parametrize("half", ["another's certificate", "cut off", "gone"])
async def test_half_a_renewal_leaves_the_old_certificate_and_is_counted(
    door: Door, authority: Authority, second: Issued, caplog: pytest.LogCaptureFixture, half: str
) -> None:
    assert door.certificate is not None
    before = reloads("refused")
    async with serving(door):
        match half:
            case "another's certificate":
                shutil.copy(second.certificate, door.certificate)
            case "cut off":
                door.certificate.write_bytes(door.certificate.read_bytes() + second.certificate.read_bytes()[:200])
            case _:
                door.certificate.unlink()
        await until(lambda: reloads("refused") > before)
        async with connected(door, authority) as new:
            assert [new.shown, await new.ask()] == ["first", "here"]
        await renew(door, second)
        async with connected(door, authority) as new:
            assert new.shown == "second"
    assert "certificate_not_taken" in [record.message for record in caplog.records]


def test_a_key_that_is_gone_when_openssl_reads_it_leaves_the_old_certificate(door: Door, second: Issued) -> None:
    assert door.certificate is not None
    assert door.key is not None
    tls = Tls("api", TlsFiles("X_TLS", door.certificate, door.key), service="charting", kind=Late)
    old = tls.context
    shutil.copy(second.certificate, door.certificate)
    Late.gone = door.key
    assert not tls.refresh()
    assert tls.context is old


class Late(ssl.SSLContext):
    """Finds a file gone that was there a moment ago."""

    gone: Path | None = None

    def load_cert_chain(self, *files: Any, **named: Any) -> None:
        """As the base class's."""
        if self.gone is not None:
            self.gone.unlink()
        super().load_cert_chain(*files, **named)


async def test_the_end_is_told_as_a_metric_and_from_30_days_before_it_in_the_log(
    door: Door, first: Issued, second: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    def is_warned() -> bool:
        return "certificate_ends_soon" in [record.message for record in caplog.records]

    async with serving(door):
        assert (told("end_seconds"), is_warned()) == (end_of(first), False)
        await renew(door, second)
        assert (told("end_seconds"), is_warned()) == (end_of(second), True)


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        ("none", "first.key", "NEOPAIN_CHARTING_API_TLS_CERTIFICATE: .*none cannot be read"),
        ("first.pem", "none", "NEOPAIN_CHARTING_API_TLS_KEY: .*none cannot be read"),
        ("first.key", "first.key", "NEOPAIN_CHARTING_API_TLS_CERTIFICATE: .* holds no certificate in PEM form"),
        ("first.pem", "first.pem", "NEOPAIN_CHARTING_API_TLS_KEY: .* holds no key without a passphrase"),
        ("first.pem", "second.key", "NEOPAIN_CHARTING_API_TLS_KEY: .* is not that of the certificate"),
        ("first.pem", "rsa.key", "NEOPAIN_CHARTING_API_TLS_KEY: .* is not that of the certificate"),
        ("weak.pem", "weak.key", "NEOPAIN_CHARTING_API_TLS_CERTIFICATE: .* holds a certificate that is too weak"),
    ],
)
@pytest.mark.usefixtures("first", "second", "other_kinds")
async def test_a_file_that_cannot_be_used_is_refused_by_its_setting(
    authority: Authority, certificate: str, key: str, says: str
) -> None:
    files = authority.folder / certificate, authority.folder / key
    door = Door("api", "charting", "127.0.0.1", free_port(), *files, settings="NEOPAIN_CHARTING_API")
    with pytest.raises(ConfigurationError, match=says):
        async with serving(door):
            pass


@pytest.fixture(scope="module")
def other_kinds(authority: Authority) -> None:
    """Certificates with RSA keys: ``rsa`` is a good one, ``weak`` has 1024 bits."""
    authority.issue("rsa", key=("-newkey", "rsa:2048"))
    authority.issue("weak", key=("-newkey", "rsa:1024"))
