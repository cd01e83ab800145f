"""Objects by STOW-RS: dicomweb-client, which nobody here wrote, and bytes as other senders write them."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import ssl
from collections import namedtuple
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import numpy as np
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from neopain.embedded.loopback import free_port
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import token_sha256
from neopain.ingest.dicom import spool as spool_module
from neopain.ingest.dicom.turn import Turn
from neopain.ingest.stream import replay

from ...certificates import NEEDS_OPENSSL, Authority
from ...dicom_objects import BODY_POSITION, as_bytes, audio_object, ecg_object, video_object, waveform_object
from .conftest import Door, MakeDoor, Scorer, until

SECOND = np.zeros(8_000, np.int16)
DICOM = 'multipart/related; type="application/dicom"; boundary=cut'
Usage = namedtuple("Usage", ("total", "used", "free"))


@pytest.fixture
def make_web(make_door: MakeDoor) -> MakeDoor:
    """A door that also has the web service."""
    return lambda **settings: make_door(dicom_web_port=free_port(), **settings)


@pytest.fixture
def web(make_web: MakeDoor) -> Door:
    """The same with the usual settings."""
    return make_web()


@pytest.fixture(autouse=True)
def is_not_waited_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody scores, what is stored goes on waiting and holds up no end of a test."""
    if "scorer" not in request.fixturenames:
        monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.1)


def as_file(dataset: Dataset) -> Dataset:
    """The object as it is when it was read from a file: the client writes a preamble where there was one."""
    return dcmread(io.BytesIO(as_bytes(dataset)))


def body_of(*parts: bytes, headers: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    """A body of these parts."""
    return b"".join(b"--cut\r\n" + headers + b"\r\n" + part + b"\r\n" for part in parts) + b"--cut--\r\n"


def url_of(door: Door, scheme: str = "http") -> str:
    """Where the web service is."""
    return f"{scheme}://localhost:{door.settings.dicom_web_port}"


def post(door: Door, body: bytes | Iterator[bytes], *, path: str = "/studies", **headers: str) -> requests.Response:
    """The answer to a request; a header's name is written with underscores."""
    told = {"Content-Type": DICOM} | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(url_of(door) + path, data=body, headers=told, timeout=20)


async def posted(door: Door, body: bytes | Iterator[bytes], **told: str) -> requests.Response:
    """The same without waiting on the loop's thread."""
    return await asyncio.to_thread(lambda: post(door, body, **told))


def reasons(answer: Dataset, sequence: str = "FailedSOPSequence") -> list[tuple[str, int]]:
    """The instances in a sequence of an answer, and what is said of each."""
    return [
        (one.ReferencedSOPInstanceUID, int(one.get("FailureReason") or one.get("WarningReason") or 0))
        for one in answer.get(sequence, [])
    ]


async def test_objects_of_a_client_are_stored_and_scored(
    make_web: MakeDoor, bus: object, scorer: Scorer, mp4: bytes
) -> None:
    door = make_web()
    objects = [as_file(one) for one in (video_object(mp4, "1.2.3.81"), audio_object(SECOND, uid="1.2.3.82"))]
    async with door.opened():
        # Pieces of 10 kB: the client sends them in HTTP's chunks.
        client = DICOMwebClient(url_of(door), chunk_size=10_000)
        answer = await asyncio.to_thread(client.store_instances, objects)
        await door.emptied()
    assert reasons(answer, "ReferencedSOPSequence") == [("1.2.3.81", 0), ("1.2.3.82", 0)]
    assert "FailedSOPSequence" not in answer
    assert sorted(path.name for path in door.reports.iterdir()) == ["1.2.3.81.json", "1.2.3.82.json"]
    assert json.loads((door.reports / "1.2.3.81.json").read_text())["caller"] == "127.0.0.1"
    assert len(scorer.seen["frames"]) + len(scorer.seen["audio"]) > 0


async def test_an_object_of_another_study_than_the_path_s_fails_alone(web: Door) -> None:
    async with web.opened():
        client = DICOMwebClient(url_of(web))
        objects = [as_file(audio_object(SECOND, uid=uid)) for uid in ("1.2.3.83", "1.2.3.84")]
        answer = await asyncio.to_thread(client.store_instances, objects, study_instance_uid="1.2.3.83.1")
        left = [path.stat().st_size for path in web.waiting()], web.incoming()
    assert reasons(answer, "ReferencedSOPSequence") == [("1.2.3.83", 0)]
    assert reasons(answer) == [("1.2.3.84", 0xA901)]
    assert (len(left[0]), left[1]) == (1, [])


Expected = tuple[int, list[tuple[str, int]], list[int]]


def said_in(answer: requests.Response) -> Expected:
    """The status of an answer, its Failed SOP Sequence and its Other Failures Sequence."""
    module = Dataset.from_json(answer.json())
    assert answer.headers["Content-Type"] == "application/dicom+json"
    others = [int(one.FailureReason) for one in module.get("OtherFailuresSequence", [])]
    return answer.status_code, reasons(module), others


ANSWERED: list[tuple[list[bytes], Expected]] = [
    ([as_bytes(audio_object(SECOND, uid="1.2.1"))], (200, [], [])),
    (
        [as_bytes(audio_object(SECOND, uid="1.2.1")), as_bytes(waveform_object(BODY_POSITION, [], "1.2.2"))],
        (202, [("1.2.2", 0xC000)], []),
    ),
    ([as_bytes(audio_object(SECOND, uid="1.2.1")), b"no DICOM"], (202, [], [0xC000])),
    ([b"no DICOM"], (409, [], [0xC000])),
    ([as_bytes(audio_object(SECOND, rate_hz=100.0, uid="1.2.3"))], (409, [("1.2.3", 0xC000)], [])),
    ([as_bytes(audio_object(np.zeros(80_000, np.int16), uid="1.2.4"))], (413, [("1.2.4", 0xA701)], [])),
]


async def test_each_object_is_answered_and_what_was_refused_is_gone(make_web: MakeDoor) -> None:
    door = make_web(dicom_largest_waveform_bytes=100_000)
    async with door.opened():
        answers = [said_in(await posted(door, body_of(*parts))) for parts, _ in ANSWERED]
        kept = len(door.waiting()), door.incoming()
    assert answers == [expected for _, expected in ANSWERED]
    assert kept == (3, [])


async def test_a_signal_that_no_score_rests_on_is_a_warning_and_not_kept(web: Door) -> None:
    lead = ecg_object(np.zeros(500, np.int16)).WaveformSequence
    async with web.opened():
        answer = await posted(web, body_of(as_bytes(waveform_object(BODY_POSITION, lead, "1.2.2"))))
        kept = web.waiting()
    warned = reasons(Dataset.from_json(answer.json()), "ReferencedSOPSequence")
    assert (answer.status_code, warned, kept) == (202, [("1.2.2", 0xB006)], [])


FOREIGN = [
    (("1.2.3.30", "1.2.3.31"), ("1.2.3.31", 0xA900)),
    (("1.2.840.10008.5.1.4.1.1.9.4.2", "1.2.840.10008.5.1.4.1.1.9.4.9"), ("1.2.3.30", 0x0122)),
    (("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"), ("1.2.3.30", 0xC122)),
]
"""What the file meta information says otherwise, at the same length, and the failure."""


async def test_what_an_association_would_not_have_settled_fails(web: Door) -> None:
    whole = as_bytes(audio_object(SECOND))
    async with web.opened():
        answers = [
            said_in(await posted(web, body_of(whole.replace(old.encode(), new.encode(), 1))))
            for (old, new), _ in FOREIGN
        ]
    assert answers == [(409, [failure], []) for _, failure in FOREIGN]


QUOTINGS = [
    ("multipart/related; type=application/dicom; boundary=cut", b"Content-Type: application/dicom\r\n"),
    ('Multipart/Related;Boundary="cut";TYPE = "application/dicom"', b""),
    (DICOM, b'content-type: application/dicom; transfer-syntax="1.2.840.10008.1.2.1"\r\nContent-ID: <1>\r\n'),
]


async def test_headers_are_read_with_and_without_quotes(web: Door) -> None:
    part = as_bytes(audio_object(SECOND))
    async with web.opened():
        answers = [
            await posted(web, body_of(part, headers=headers), Content_Type=content_type)
            for content_type, headers in QUOTINGS
        ]
    assert [one.status_code for one in answers] == [200, 200, 200]


REFUSED: list[tuple[dict[str, str], bytes, int]] = [
    ({"Content_Type": "multipart/related; type=application/dicom"}, body_of(b"x"), 400),
    ({"Content_Type": "?"}, body_of(b"x"), 400),
    ({}, b"--cut\r\n\r\nhalf", 400),
    ({}, b"--cut--", 400),
    ({"Content_Type": "application/dicom"}, b"x", 415),
    ({"Content_Type": 'multipart/related; type="application/dicom+json"; boundary=cut'}, body_of(b"x"), 415),
    ({"Content_Encoding": "gzip"}, body_of(b"x"), 415),
    ({"Accept": "application/dicom+xml"}, body_of(b"x"), 406),
    ({"path": "/series"}, body_of(b"x"), 404),
    ({"path": "/studies/a"}, body_of(b"x"), 404),
    ({}, body_of(bytes(200_000)), 413),
]


async def test_a_request_that_is_not_taken_leaves_nothing(make_web: MakeDoor) -> None:
    door = make_web(dicom_web_largest_request_bytes=100_000)
    async with door.opened():
        sized = [(await posted(door, body, **told)).status_code for told, body, _ in REFUSED]
        chunked = [(await posted(door, iter([body]), **told)).status_code for told, body, _ in REFUSED]
        left = (door.waiting(), door.incoming())
    assert sized == chunked == [status for _, _, status in REFUSED]
    assert left == ([], [])


async def test_only_posts_are_taken(web: Door) -> None:
    async with web.opened():
        for method in ("GET", "HEAD", "DELETE"):
            answer = await asyncio.to_thread(requests.request, method, url_of(web) + "/studies", timeout=20)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_with_a_low_disk_a_request_is_to_come_again(web: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async with web.opened():
        monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
        answer = await posted(web, body_of(as_bytes(audio_object(SECOND))))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")


async def test_an_object_whose_turn_to_be_read_does_not_come_is_to_come_again(
    web: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Turn(patience_seconds=0.0)
    monkeypatch.setattr(spool_module, "Turn", lambda: turn)
    async with web.opened():
        with turn.taken():
            answer = await posted(web, body_of(as_bytes(audio_object(SECOND))))
        again = await posted(web, body_of(as_bytes(audio_object(SECOND))))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xA700]
    assert again.status_code == 200


async def test_a_disk_that_gets_low_ends_an_upload_and_leaves_nothing(
    web: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"--cut\r\n\r\n" + bytes(1_000_000)
        while [path.stat().st_size > 500_000 for path in web.incoming()] != [True]:
            pass
        monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
        yield bytes(1_000_000)

    async with web.opened():
        answer = await posted(web, pieces())
        left = (web.waiting(), web.incoming())
    assert (answer.status_code, left) == (503, ([], []))


async def test_an_upload_that_is_cut_off_leaves_nothing_not_even_its_whole_parts(web: Door) -> None:
    async with web.opened():
        peer = socket.create_connection(("127.0.0.1", web.settings.dicom_web_port))
        whole = body_of(as_bytes(audio_object(SECOND)))[: -len(b"--cut--\r\n")]
        head = f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: {DICOM}\r\nContent-Length: 9000000\r\n\r\n"
        await asyncio.to_thread(peer.sendall, head.encode() + whole + b"--cut\r\n\r\n" + bytes(500_000))
        await until(lambda: len(web.incoming()) == 2)
        peer.close()
        await until(lambda: web.incoming() == [])
        assert web.waiting() == []


async def test_an_upload_that_falls_silent_leaves_nothing(make_web: MakeDoor) -> None:
    door = make_web(dicom_idle_seconds=0.2)
    async with door.opened():
        with socket.create_connection(("127.0.0.1", door.settings.dicom_web_port)) as peer:
            head = f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: {DICOM}\r\nTransfer-Encoding: chunked\r\n\r\n"
            peer.sendall(head.encode() + b"f\r\n--cut\r\n\r\nhalf")
            await until(lambda: len(door.incoming()) == 1)
            await until(lambda: door.incoming() == [])


async def test_a_sender_that_asks_first_is_told_to_go_on_and_may_send_more(web: Door) -> None:
    body = body_of(as_bytes(audio_object(SECOND)))
    head = (
        f"POST /studies HTTP/1.1\r\nHost: x\r\nContent-Type: {DICOM}\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )

    def sent_twice() -> list[tuple[bytes, int]]:
        answers = []
        with socket.create_connection(("127.0.0.1", web.settings.dicom_web_port)) as peer:
            for _ in range(2):
                peer.sendall(head.encode())
                interim = peer.recv(4096)
                peer.sendall(body)
                answer = HTTPResponse(peer)
                answer.begin()
                answer.read()
                answers.append((interim, answer.status))
        return answers

    async with web.opened():
        answers = await asyncio.to_thread(sent_twice)
    assert answers == [(b"HTTP/1.1 100 \r\n\r\n", 200)] * 2


async def test_what_is_no_http_is_answered_and_hung_up_on(web: Door) -> None:
    async with web.opened():
        reader, writer = await asyncio.open_connection("127.0.0.1", web.settings.dicom_web_port)
        writer.write(b"\x02\x00 no request\r\n\r\n")
        said = await reader.read()
        writer.close()
    assert said.startswith(b"HTTP/1.1 400 ")


async def test_connections_above_the_most_are_hung_up_on(make_web: MakeDoor) -> None:
    door = make_web(dicom_web_most_connections=1)
    async with door.opened():
        with socket.create_connection(("127.0.0.1", door.settings.dicom_web_port)):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.settings.dicom_web_port)
            assert await reader.read() == b""
            writer.close()


async def test_a_request_in_hand_is_answered_before_the_door_closes(web: Door) -> None:
    body = body_of(as_bytes(audio_object(SECOND)))
    async with web.opened() as running:
        connection = HTTPConnection("127.0.0.1", web.settings.dicom_web_port)
        connection.putrequest("POST", "/studies")
        connection.putheader("Content-Type", DICOM)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:5_000])
        await until(lambda: len(web.incoming()) == 1)
        running.stop()
        await asyncio.sleep(0.1)
        connection.send(body[5_000:])
        answer = await asyncio.to_thread(connection.getresponse)
        assert answer.status == 200
        answer.read()
        connection.close()
    assert len(web.waiting()) == 1


async def test_senders_of_the_file_are_let_in_by_their_token(make_web: MakeDoor, tmp_path: Path) -> None:
    path = tmp_path / "senders.toml"
    path.write_text(f'[[sender]]\nname = "archive-1"\ntoken_sha256 = ["{token_sha256("t")}"]\n')
    door = make_web(dicom_web_credentials=path)
    body = body_of(as_bytes(ecg_object(np.zeros(500, np.int16))))
    async with door.opened():
        statuses = [
            (await posted(door, body, Authorization=told)).status_code
            for told in ("", "Bearer x", "Basic t", "Bearer t")
        ]
        kept = [path.name.split(".")[3] for path in door.waiting()]
    assert (statuses, kept) == ([401, 401, 401, 200], ["archive-1"])


@NEEDS_OPENSSL
async def test_over_tls_a_certificate_says_who_sends(make_web: MakeDoor, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, known, stranger = (authority.issue(name) for name in ("own", "archive-1", "other"))
    path = tmp_path / "senders.toml"
    path.write_text('[[sender]]\nname = "pacs"\ncertificate = ["Archive-1"]\n')
    door = make_web(
        dicom_web_credentials=path,
        dicom_web_tls_certificate=own.certificate,
        dicom_web_tls_key=own.key,
        dicom_web_tls_client_ca=authority.own.certificate,
    )

    def sent(shown: object) -> int:
        pair = (str(shown.certificate), str(shown.key)) if shown else None  # type: ignore[attr-defined]
        told = {"Content-Type": DICOM}
        body = body_of(as_bytes(audio_object(SECOND)))
        url = url_of(door, "https") + "/studies"
        trusted = str(authority.own.certificate)
        return requests.post(url, data=body, headers=told, cert=pair, verify=trusted, timeout=20).status_code

    async with door.opened():
        assert await asyncio.to_thread(sent, known) == 200
        assert await asyncio.to_thread(sent, stranger) == 401
        with pytest.raises((requests.ConnectionError, ssl.SSLError)):
            await asyncio.to_thread(sent, None)
        with pytest.raises(requests.ConnectionError):
            await posted(door, b"")


async def test_the_service_is_off_unless_it_has_a_port_and_refuses_to_be_open(door: Door, make_web: MakeDoor) -> None:
    assert door.settings.dicom_web_port == 0
    with pytest.raises(ConfigurationError, match="needs NEOPAIN_INGEST_DICOM_WEB_CREDENTIALS"):
        async with make_web(dicom_web_host="0.0.0.0").opened():  # noqa: S104 - refused is what is tested
            pass
