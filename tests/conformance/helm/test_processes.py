"""Every command, variable and probe of the chart, started on this machine with every door open."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from neopain.embedded.loopback import HOST
from neopain.embedded.postgres import OWNER, WRITER, Postgres
from neopain.embedded.valkey import server_binary

from ...certificates import NEEDS_OPENSSL, Authority
from .conftest import FILES, Object, Render, containers_of, of_kind, pod_specs
from .machine import Machine, Process
from .test_chart import ENDS_BY_ITSELF

pytestmark = NEEDS_OPENSSL

READY_SECONDS = 90.0
TOKEN = hashlib.sha256(b"a token of the test").hexdigest()
VALKEY_CLI = """#!{python}
import os, socket, sys
port = int(sys.argv[sys.argv.index("-p") + 1])
with socket.create_connection(("127.0.0.1", port), timeout=2) as server:
    server.sendall(f"AUTH {{os.environ['REDISCLI_AUTH']}}\\r\\nPING\\r\\n".encode())
    answers = server.makefile()
    print(answers.readline(), answers.readline())
"""
"""Valkey's wheel brings the server alone; this asks what valkey-cli would."""
CAMERAS = [
    {"name": f"cot-{group}", "bed": "NICU/1/1@H", "url": "rtsp://127.0.0.1:9/none", "group": group}
    for group in ("north", "south")
]
ORU = (
    "MSH|^~\\&|MON|H|NEOPAIN|H|20261005120000+0000||ORU^R01^ORU_R01|4711|P|2.6\r"
    "PID|||77^^^HOSP^MR\r"
    "PV1||I|NICU^1^1^H\r"
    "OBR|1|||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|||20261005120000+0000\r"
    "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|140|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||20261005120000+0000\r"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever issued the doors' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own_database(database_url: str) -> Iterator[str]:
    """The name of an empty database."""
    name = f"chart_{uuid.uuid4().hex[:12]}"
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} OWNER {OWNER}"))
    yield name
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="module")
def elsewhere(ehr_url: str, stand_in_repository: Path) -> dict[str, str]:
    """What the release finds outside of it: the nets of its image, and the EHR."""
    return {
        "/opt/neopain/triton_models": str(stand_in_repository),
        "https://ehr.hospital.example/fhir/R4": ehr_url,
    }


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    render: Render,
    authority: Authority,
    elsewhere: dict[str, str],
    postgres: Postgres,
    own_database: str,
) -> Iterator[Machine]:
    """A ward's release, installed as Helm would: the migration first, as the tables' owner, then everything at once."""
    folder = tmp_path_factory.mktemp("machine")
    objects = render("ward")
    machine = Machine(
        folder=folder,
        programs=programs(folder),
        secrets={
            ("neopain-connections", "bus-password"): "bus-0-secret",
            ("neopain-connections", "media-password"): "media-0-secret",
            ("neopain-connections", "database-url"): url(postgres, WRITER, own_database),
            ("neopain-connections", "migration-url"): url(postgres, OWNER, own_database),
            ("neopain-cameras", "cameras"): json.dumps(CAMERAS),
        },
        files=secret_files(folder, authority),
        elsewhere=elsewhere,
        config_maps={one["metadata"]["name"]: one for one in of_kind(objects, "ConfigMap").values()},
    )
    pods = pod_specs(objects)
    try:
        for component in ("bus", "media"):
            machine.run(component, pods.pop(component))
        migration = machine.run("charting-migrate", pods.pop("charting-migrate"))[0]
        assert migration.child.wait(60) == 0, migration.child.log_tail()
        retention = machine.run("charting-retention", pods.pop("charting-retention"))[0]
        assert retention.child.wait(60) == 0, retention.child.log_tail()
        for component, pod in pods.items():
            machine.run(component, pod)
        yield machine
    finally:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda process: process.child.stop(), machine.processes.values()))


@pytest.fixture(scope="module")
def hospital(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory, render: Render, authority: Authority, bus_url: str
) -> Iterator[Machine]:
    """Of a hospital's release what it starts otherwise than a ward: servers by URL, two workers beside a Triton, a FHIR
    API behind a proxy, senders with certificates. The database is the ward's."""
    folder = tmp_path_factory.mktemp("hospital")
    objects = render("hospital-cpu", "--set", "scoring.worker.perTriton=2,bus.namespace=hospital")
    secrets = {"bus-url": bus_url, "broker-url": bus_url, "media-password": "media-0-secret"}
    secrets["database-url"] = machine.secrets["neopain-connections", "database-url"]
    hospital = Machine(
        folder=folder,
        programs=programs(folder),
        secrets={("neopain-connections", key): value for key, value in secrets.items()},
        files=secret_files(folder, authority),
        elsewhere=machine.elsewhere,
        config_maps={one["metadata"]["name"]: one for one in of_kind(objects, "ConfigMap").values()},
    )
    pods = pod_specs(objects)
    try:
        for component in ("media", "ingest-hl7", "scoring-worker", "charting-delivery", "charting-api", "dashboard"):
            hospital.run(component, pods[component])
        yield hospital
    finally:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda process: process.child.stop(), hospital.processes.values()))


def url(postgres: Postgres, role: str, database: str) -> str:
    """How a role reaches a database."""
    return f"{postgres.url_of(role).rpartition('/')[0]}/{database}"


def programs(folder: Path) -> Path:
    """What the image of Valkey has on its PATH."""
    place = folder / "bin"
    place.mkdir()
    (place / "valkey-server").symlink_to(server_binary())
    client = place / "valkey-cli"
    client.write_text(VALKEY_CLI.format(python=sys.executable))
    client.chmod(0o755)
    return place


def secret_files(folder: Path, authority: Authority) -> dict[str, Path]:
    """The secrets that are mounted: certificates of the doors, and who may send."""
    issued = authority.issue("door")
    found = {}
    for door in ("hl7", "device", "dicom", "api", "dashboard"):
        place = folder / f"tls-{door}"
        place.mkdir()
        (place / "tls.crt").write_bytes(issued.certificate.read_bytes())
        (place / "tls.key").write_bytes(issued.key.read_bytes())
        (place / "ca.crt").write_bytes(authority.own.certificate.read_bytes())
        found[f"neopain-{door}-tls"] = place
    trust = folder / "trust"
    trust.mkdir()
    (trust / "ca.crt").write_bytes(authority.own.certificate.read_bytes())
    found["neopain-authorities"] = trust
    for name, file, content in (
        ("neopain-devices", "devices.toml", f'[[device]]\nname = "g"\ntoken_sha256 = ["{TOKEN}"]\nbeds = ["*"]\n'),
        ("neopain-dashboard-openid", "client-secret", "a secret of the test"),
        ("neopain-dicom-senders", "senders.toml", f'[[sender]]\nname = "a"\ntoken_sha256 = ["{TOKEN}"]\n'),
    ):
        place = folder / name
        place.mkdir()
        (place / file).write_text(content)
        found[name] = place
    return found


def test_every_process_answers_its_probes(machine: Machine) -> None:
    going_on = those_that_go_on(machine)
    wait_for_all(going_on)
    assert len(going_on) == 15


def test_what_a_hospital_starts_otherwise_answers_its_probes(hospital: Machine) -> None:
    wait_for_all(hospital.processes.values())
    assert len(hospital.processes) == 8


def test_no_size_starts_anything_that_was_not_started_here(machine: Machine, hospital: Machine, render: Render) -> None:
    told: dict[str, set[str]] = {}
    probed: dict[str, set[str]] = {}
    for process in (*machine.processes.values(), *hospital.processes.values()):
        key = " ".join(process.container["command"])
        told.setdefault(key, set()).update(one["name"] for one in process.container["env"])
        probed.setdefault(key, set()).add(probes_of(process.container))
    for size in FILES:
        for component, pod in pod_specs(render(size)).items():
            for container in containers_of(pod):
                key = " ".join(container["command"])
                assert {one["name"] for one in container["env"]} <= told[key], component
                assert probes_of(container) in probed[key], component


def probes_of(container: Object) -> str:
    """The probes with what they ask, the same for the workers of a pod; how long they wait is another matter."""
    asked = {kind: probe.get("httpGet", probe.get("exec")) for kind, probe in container.items() if "Probe" in kind}
    return re.sub(r"http-\d+", "http-N", json.dumps(asked, sort_keys=True))


def those_that_go_on(machine: Machine, component: str = "") -> list[Process]:
    """The processes that serve until they are stopped, of a component or of all."""
    found = {name: name.partition(".")[0] for name in machine.processes}
    found = {name: own for name, own in found.items() if own not in ENDS_BY_ITSELF and component in ("", own)}
    return [machine.processes[name] for name in found]


def wait_for_all(processes: Collection[Process]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for process in processes:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            wait_for(process, kind, deadline)


def wait_for(process: Process, kind: str, deadline: float) -> None:
    left = max(deadline - time.monotonic(), 1.0)
    process.child.wait_until(lambda: process.answers(kind), timeout_seconds=left)


def test_an_hl7_message_is_acknowledged_over_tls(machine: Machine, authority: Authority) -> None:
    wait_for_all(those_that_go_on(machine, "ingest-hl7"))
    port = machine.port("ingest-hl7", 2575)
    with (
        socket.create_connection((HOST, port), timeout=10) as plain,
        authority.context().wrap_socket(plain, server_hostname="localhost") as sender,
    ):
        sender.sendall(b"\x0b" + ORU.encode() + b"\x1c\r")
        answer = sender.recv(4096)
    assert b"MSA|AA|4711" in answer


def test_the_fhir_api_tells_what_it_is_over_tls(machine: Machine, authority: Authority) -> None:
    wait_for_all(those_that_go_on(machine, "charting-api"))
    context: ssl.SSLContext = authority.context()
    with (
        socket.create_connection((HOST, machine.port("charting-api", 8080)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as reader,
    ):
        reader.sendall(b"GET /fhir/R4/metadata HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert reader.recv(12) == b"HTTP/1.1 200"


def test_every_process_ends_by_itself_within_its_grace(machine: Machine) -> None:
    wait_for_all(those_that_go_on(machine))
    running = {name: one for name, one in machine.processes.items() if one.child.is_alive()}
    servers = {name: running.pop(name) for name in ("bus.valkey", "media.valkey")}
    codes = {}
    for group in (running, servers):
        for process in group.values():
            os.kill(process.child.pid, signal.SIGTERM)
        codes |= {name: process.child.wait(process.grace_seconds) for name, process in group.items()}
    assert codes == dict.fromkeys({**running, **servers}, 0)
