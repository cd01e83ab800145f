"""TLS with certificates that OpenSSL makes for the test."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from neopain.errors import ConfigurationError

from .conftest import MakeDoor

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here: it makes certificates"),
    pytest.mark.usefixtures("abandoned_sockets"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and key for the door and for a sender, each its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("door", "sender"):
        made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}"
        names = ["-addext", "subjectAltName=DNS:localhost"]
        files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
        subprocess.run(["openssl", *made.split(), *names, *files], check=True, capture_output=True)
    return folder


def sender_context(certificates: Path, *, with_certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "door.pem")
    if with_certificate:
        context.load_cert_chain(certificates / "sender.pem", certificates / "sender.key")
    return context


async def echoed(make_door: MakeDoor, certificates: Path, *, with_certificate: bool, is_mutual: bool) -> int | None:
    told = {"dicom_tls_certificate": certificates / "door.pem", "dicom_tls_key": certificates / "door.key"}
    if is_mutual:
        told["dicom_tls_client_ca"] = certificates / "sender.pem"
    door = make_door(**told)
    context = sender_context(certificates, with_certificate=with_certificate)
    async with door.opened():
        # Somebody who connects and says nothing does not hold up the others.
        _, silent = await asyncio.open_connection("127.0.0.1", door.settings.dicom_port)

        def echo() -> int | None:
            with door.associated([], tls_args=(context, "localhost")) as association:
                return int(association.send_c_echo().Status) if association.is_established else None

        status = await asyncio.to_thread(echo)
        silent.close()
    return status


@pytest.mark.parametrize(
    ("with_certificate", "is_mutual", "status"), [(False, False, 0), (True, True, 0), (False, True, None)]
)
async def test_a_sender_needs_a_certificate_where_an_authority_is_named(
    make_door: MakeDoor, certificates: Path, with_certificate: bool, is_mutual: bool, status: int | None
) -> None:
    assert await echoed(make_door, certificates, with_certificate=with_certificate, is_mutual=is_mutual) == status


async def test_plain_tcp_is_not_spoken_beside_tls(make_door: MakeDoor, certificates: Path) -> None:
    door = make_door(dicom_tls_certificate=certificates / "door.pem", dicom_tls_key=certificates / "door.key")
    async with door.opened():
        with await asyncio.to_thread(lambda: door.associated([])) as association:
            assert not association.is_established


async def test_half_a_configuration_is_refused(make_door: MakeDoor, certificates: Path) -> None:
    with pytest.raises(ConfigurationError, match="TLS needs both"):
        async with make_door(dicom_tls_certificate=certificates / "door.pem").opened():
            pass
    with pytest.raises(ConfigurationError, match=r"NEOPAIN_INGEST_DICOM_TLS_KEY: .* is not that of the certificate"):
        async with make_door(
            dicom_tls_certificate=certificates / "door.pem", dicom_tls_key=certificates / "sender.key"
        ).opened():
            pass


async def test_renewed_certificates_are_taken_for_the_associations_to_come(
    make_door: MakeDoor, certificates: Path, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"own.{name}" for name in ("pem", "key")}
    for name, path in files.items():
        shutil.copy(certificates / f"door.{name}", path)
    door = make_door(dicom_tls_certificate=files["pem"], dicom_tls_key=files["key"])

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", door.settings.dicom_port))

    async with door.opened():
        before = await asyncio.to_thread(shown)
        for name, path in files.items():
            shutil.copy(certificates / f"sender.{name}", path)
        renewed = (certificates / "sender.pem").read_text()
        deadline = asyncio.get_running_loop().time() + 20
        while await asyncio.to_thread(shown) != renewed:
            assert asyncio.get_running_loop().time() < deadline, "the renewed certificate was not taken"
            await asyncio.sleep(0.1)
    assert before == (certificates / "door.pem").read_text()
