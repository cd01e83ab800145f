"""TLS and credentials over a real connection, with certificates that OpenSSL makes for the test."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from prometheus_client import REGISTRY

from neopain.bus.bus import Bus
from neopain.bus.streams import VITALS
from neopain.client.channel import Target
from neopain.domain.identity import BedId
from neopain.embedded.loopback import free_port
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import token_sha256
from neopain.ingest.device.service import listen, make_server
from neopain.ingest.device.tls import tls_of
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import SystemClock
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub
from neopain.wire.vitals import decode_batch

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here: it makes certificates")

BED, OTHER_BED = BedId("NICU/1/1"), "NICU/9/9"
TOKEN = "a-token-of-this-test-alone"
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


def openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority and what it signed (a door, a camera, and one of each whose time is over), and with a
    stranger's authority."""
    folder = tmp_path_factory.mktemp("pki")
    for name in ("ca", "stranger"):
        openssl(folder, f"req -x509 {NEW_KEY} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem")
    for name, host, days in (
        ("door", "localhost", 2),
        ("old-door", "localhost", -1),
        ("camera", "camera.nicu", 2),
        ("old-camera", "camera.nicu", -1),
    ):
        (folder / "san").write_text(f"subjectAltName=DNS:{host}")
        openssl(folder, f"req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        signing = f"-CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -days {days}"
        openssl(folder, f"x509 -req -in {name}.csr {signing} -out {name}.pem")
    (folder / "devices.toml").write_text(
        f'[[device]]\nname = "gateway"\ntoken_sha256 = ["{token_sha256(TOKEN)}"]\nbeds = ["{BED}"]\n'
        'streams = ["vitals"]\n'
    )
    (folder / "cameras.toml").write_text(
        f'[[device]]\nname = "camera"\ncertificate = ["camera.nicu"]\nbeds = ["{BED}"]\n'
    )
    return folder


def told(pki: Path, **fields: object) -> IngestSettings:
    return IngestSettings(
        device_port=free_port(),
        device_tls_certificate=pki / "door.pem",
        device_tls_key=pki / "door.key",
        **fields,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def serving(bus: Bus, settings: IngestSettings) -> AsyncIterator[str]:
    server, _ = make_server(bus, settings, SystemClock())
    listen(server, settings, tls_of(settings))
    await server.start()
    yield f"localhost:{settings.device_port}"
    await server.stop(0)


async def answer(target: Target, *, bed: str = BED, stream: str = "vitals") -> grpc.StatusCode:
    """How a call with one message ends.

    It is sent after the greeting, as a device's client does: grpc.aio says INTERNAL where it cannot send on a call that
    the server has ended meanwhile (grpc/grpc#36066).
    """
    value = pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_HEART_RATE, value=140.0)
    message = pb.DeviceVitals(bed=bed, sequence=1, values=[value]) if stream == "vitals" else pb.DeviceAudio(bed=bed)
    greeted = asyncio.Event()

    async def messages() -> AsyncIterator[pb.DeviceVitals | pb.DeviceAudio]:
        await greeted.wait()
        if not call.done():
            yield message

    async with target.channel() as channel:
        stub = DeviceIngestStub(channel)
        method = stub.StreamVitals if stream == "vitals" else stub.StreamAudio
        metadata = (*target.metadata(), ("neopain-series", "a"))
        call = method(messages(), metadata=metadata, timeout=20)  # type: ignore[arg-type, operator]
        try:
            async for _ in call:
                greeted.set()
        except grpc.aio.AioRpcError:
            pass
        code = await call.code()
        greeted.set()
        return code


def denied(why: str, stream: str = "vitals") -> float:
    return REGISTRY.get_sample_value("neopain_ingest_device_denied_total", {"stream": stream, "why": why}) or 0.0


async def test_a_token_over_tls_opens_the_device_s_bed_in_the_device_s_name(bus: Bus, pki: Path) -> None:
    async with serving(bus, told(pki, device_credentials=pki / "devices.toml")) as address:
        assert await answer(Target(address, TOKEN, pki / "ca.pem")) is grpc.StatusCode.OK
    (batch,) = [decode_batch(one.payload) for one in await bus.read_range(VITALS, bed=BED)]
    assert str(batch.source) == "device:gateway"


async def test_what_is_denied_is_counted_by_reason_stored_nowhere_and_no_token_is_logged(
    bus: Bus, pki: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = {one: denied(one) for one in ("missing", "token", "bed")} | {"stream": denied("stream", "audio")}
    caplog.set_level(logging.DEBUG)
    # What it says at this level it says while objects of tests before are taken down, and the process has died of it.
    caplog.set_level(logging.INFO, logger="grpc._cython.cygrpc")
    ca = pki / "ca.pem"
    async with serving(bus, told(pki, device_credentials=pki / "devices.toml")) as address:
        assert await answer(Target(address, "", ca)) is grpc.StatusCode.UNAUTHENTICATED
        assert await answer(Target(address, "a-wrong-one", ca)) is grpc.StatusCode.UNAUTHENTICATED
        assert await answer(Target(address, TOKEN, ca), bed=OTHER_BED) is grpc.StatusCode.PERMISSION_DENIED
        assert await answer(Target(address, TOKEN, ca), stream="audio") is grpc.StatusCode.PERMISSION_DENIED
    after = {one: denied(one) for one in ("missing", "token", "bed")} | {"stream": denied("stream", "audio")}
    assert {one: after[one] - before[one] for one in after} == dict.fromkeys(after, 1.0)
    assert await bus.read_range(VITALS, bed=BedId(OTHER_BED)) == []
    logged = "".join(str(vars(one)) for one in caplog.records)
    assert "device_denied" in logged
    assert TOKEN not in logged
    assert "a-wrong-one" not in logged


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("camera", grpc.StatusCode.OK),
        ("old-camera", grpc.StatusCode.UNAVAILABLE),
        ("stranger", grpc.StatusCode.UNAVAILABLE),
        ("door", grpc.StatusCode.UNAUTHENTICATED),
        (None, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_certificate_opens_the_door_where_it_is_valid_and_a_device_s(
    bus: Bus, pki: Path, name: str | None, code: grpc.StatusCode
) -> None:
    settings = told(pki, device_credentials=pki / "cameras.toml", device_tls_client_ca=pki / "ca.pem")
    own = (pki / f"{name}.pem", pki / f"{name}.key") if name else (None, None)
    async with serving(bus, settings) as address:
        assert await answer(Target(address, "", pki / "ca.pem", *own)) is code


async def test_a_plain_client_gets_nothing_at_a_tls_port(bus: Bus, pki: Path) -> None:
    async with serving(bus, told(pki, device_credentials=pki / "devices.toml")) as address:
        assert await answer(Target(address, TOKEN)) is grpc.StatusCode.UNAVAILABLE
    assert await bus.read_range(VITALS, bed=BED) == []


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (
            {"device_tls_key": None},
            "needs both NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE and NEOPAIN_INGEST_DEVICE_TLS_KEY",
        ),
        ({"device_tls_certificate": "none.pem"}, "NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE: .* cannot be read"),
        ({"device_tls_key": "none.key"}, "NEOPAIN_INGEST_DEVICE_TLS_KEY: .* cannot be read"),
        ({"device_tls_key": "camera.key"}, "NEOPAIN_INGEST_DEVICE_TLS_KEY: .* is not that of the certificate"),
        ({"device_tls_certificate": "devices.toml"}, "NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE: .* holds no certificate"),
        (
            {"device_tls_certificate": "old-door.pem", "device_tls_key": "old-door.key"},
            "NEOPAIN_INGEST_DEVICE_TLS_CERTIFICATE: no device would take .*expired",
        ),
        ({"device_tls_client_ca": "devices.toml"}, "NEOPAIN_INGEST_DEVICE_TLS_CLIENT_CA: .* holds no certificate"),
    ],
)
def test_a_wrong_file_stops_the_start_by_its_setting(pki: Path, fields: dict[str, str | None], rule: str) -> None:
    wrong = {key: pki / name if name else None for key, name in fields.items()}
    settings = told(pki).model_copy(update=wrong)
    with pytest.raises(ConfigurationError, match=rule):
        tls_of(settings)


def test_right_files_are_taken(pki: Path) -> None:
    assert tls_of(told(pki, device_tls_client_ca=pki / "ca.pem")) is not None
    assert tls_of(IngestSettings()) is None


@pytest.fixture
def renewable(pki: Path, tmp_path: Path) -> IngestSettings:
    """A door whose files can be replaced; at first they are another authority's, which no device of ours trusts."""
    replaced(tmp_path, pki, "stranger")
    return told(pki, device_credentials=pki / "devices.toml").model_copy(
        update={"device_tls_certificate": tmp_path / "own.pem", "device_tls_key": tmp_path / "own.key"}
    )


def replaced(folder: Path, pki: Path, name: str) -> None:
    for kind in ("pem", "key"):
        shutil.copyfile(pki / f"{name}.{kind}", folder / f"new.{kind}")
        (folder / f"new.{kind}").replace(folder / f"own.{kind}")


def end_told() -> float:
    return REGISTRY.get_sample_value("neopain_ingest_certificate_end_seconds", {"door": "device"}) or 0.0


async def test_a_renewed_certificate_greets_the_next_connection_and_its_end_is_told(
    bus: Bus, pki: Path, tmp_path: Path, renewable: IngestSettings
) -> None:
    async with serving(bus, renewable) as address:
        ours = Target(address, TOKEN, pki / "ca.pem")
        assert await answer(ours) is grpc.StatusCode.UNAVAILABLE
        before = end_told()
        replaced(tmp_path, pki, "door")
        assert await answer(ours) is grpc.StatusCode.OK
    in_two_days = time.time() + 2 * 86_400
    assert before == pytest.approx(in_two_days, abs=600)
    assert end_told() == pytest.approx(in_two_days, abs=600)


async def test_a_renewal_that_cannot_be_used_leaves_the_door_as_it_is(
    bus: Bus, pki: Path, tmp_path: Path, renewable: IngestSettings
) -> None:
    replaced(tmp_path, pki, "door")
    async with serving(bus, renewable) as address:
        replaced(tmp_path, pki, "old-door")
        assert await answer(Target(address, TOKEN, pki / "ca.pem")) is grpc.StatusCode.OK
