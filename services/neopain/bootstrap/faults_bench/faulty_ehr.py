"""A proxy before the real EHR that goes wrong as the table of faults says.

Beside the faults it is two kinds of EHR, by the entry: to every second one it passes the condition of a conditional
create over, as servers that race on it do; of the others its search shows nothing for a while after they were created.
Of a batch, a status that is said without asking the real EHR is that of one request within it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from neopain.bootstrap.faults_bench.faults import Answered, Chance, Fault, PassedOn
from neopain.codecs.fhir.terminology import Json
from neopain.embedded.loopback import HOST

ENTRY = re.compile(r"identifier=[^&]*\|([0-9a-f]{32})")
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding"}
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: ``client`` is when charting gives up, ``late`` when a late request is passed on, ``stale`` how long a
    search does not show what was created."""

    client: float
    late: float
    stale: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def parts(self) -> list[Json]:
        """The requests of a batch; none of another request."""
        body = json.loads(self.body) if self.method == "POST" and self.body else {}
        return list(body["entry"]) if body.get("type") == "batch" else []

    @property
    def entry(self) -> str:
        """The entry that it is about; empty for another request, and for one by reference."""
        return entry_of(self.path, self.headers.get("If-None-Exist", ""))


def entry_of(url: str, condition: str) -> str:
    """The entry that a request names; empty where it names none."""
    found = ENTRY.search(unquote(url)) or ENTRY.search(unquote(condition))
    return found.group(1) if found else ""


def entry_of_part(part: Json) -> str:
    """The same of a request within a batch."""
    return entry_of(part["request"]["url"], part["request"].get("ifNoneExist", ""))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class FaultyEhr:
    """The proxy, at ``url``, in threads of its own."""

    def __init__(self, target: str, chance: Chance, patience: Patience) -> None:
        self.target = urlsplit(target)
        self.chance = chance
        self.patience = patience
        self.created: dict[str, float] = {}
        """Entry to when it was created at the real EHR."""
        self.batches = 0
        """How many it was asked."""
        self._server = _Server((HOST, 0), partial(_Conversation, self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        """The FHIR base URL."""
        return f"http://{HOST}:{self._server.server_port}{self.target.path}"

    def close(self) -> None:
        """Ends it; what is late is passed on all the same."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def pass_on(self, asked: Asked) -> Reply:
        """What the real EHR says."""
        return self._pass_on_batch(asked, asked.parts) if asked.parts else self._pass_on_one(asked)

    def refuse_within(self, asked: Asked, status: int) -> Reply:
        """What it says of a batch whose first request it refuses."""
        reply = self._pass_on_batch(asked, asked.parts[1:])
        body = json.loads(reply.body)
        body["entry"] = [{"response": {"status": str(status)}}, *body["entry"]]
        return replace(reply, body=json.dumps(body).encode())

    def _pass_on_batch(self, asked: Asked, parts: list[Json]) -> Reply:
        passed = [_without_condition(part) for part in parts]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": passed}
        reply = self._pass_on_one(replace(asked, body=json.dumps(bundle).encode()))
        body = json.loads(reply.body)
        told = [self._shown(part, answer) for part, answer in zip(parts, body["entry"], strict=True)]
        return replace(reply, body=json.dumps({**body, "entry": told}).encode())

    def _shown(self, part: Json, answer: Json) -> Json:
        """The answer to a request within a batch: empty where a search would not show yet what was created."""
        entry, method = entry_of_part(part), part["request"]["method"]
        if method == "POST" and answer["response"]["status"].startswith("201"):
            self.created[entry] = time.monotonic()
        return {**answer, "resource": json.loads(NOTHING_FOUND)} if self._is_stale(method, entry) else answer

    def _pass_on_one(self, asked: Asked) -> Reply:
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in NOT_PASSED_ON}
        if ignores_condition(asked.entry):
            headers.pop("If-None-Exist", None)
        connection = http.client.HTTPConnection(str(self.target.netloc), timeout=ANSWER_SECONDS)
        try:
            connection.request(asked.method, asked.path, asked.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if asked.method == "POST" and asked.entry and answer.status == http.HTTPStatus.CREATED:
            self.created[asked.entry] = time.monotonic()
        told = {name: value for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON}
        return Reply(answer.status, told, body)

    def is_stale(self, asked: Asked) -> bool:
        """Whether a search would not show yet what was created."""
        return self._is_stale(asked.method, asked.entry)

    def _is_stale(self, method: str, entry: str) -> bool:
        if method != "GET" or ignores_condition(entry) or entry not in self.created:
            return False
        return time.monotonic() - self.created[entry] < self.patience.stale


def ignores_condition(entry: str) -> bool:
    """Whether a conditional create of the entry is carried out whether there is one or not."""
    return bool(entry) and hashlib.sha256(entry.encode()).digest()[0] % 2 == 0


def _without_condition(part: Json) -> Json:
    """The request within a batch as it is passed on."""
    if not ignores_condition(entry_of_part(part)):
        return part
    return {**part, "request": {name: one for name, one in part["request"].items() if name != "ifNoneExist"}}


NOTHING_FOUND = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0}).encode()


class _Server(ThreadingHTTPServer):
    """Takes it for granted that its clients are killed; whatever else happens in a conversation is told."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What ended a conversation."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Conversation(BaseHTTPRequestHandler):
    """One connection of charting's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, ehr: FaultyEhr, *arguments: object) -> None:
        self.ehr = ehr
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        fault = self.ehr.chance.fault()
        self.ehr.batches += bool(asked.parts)
        if self.ehr.is_stale(asked):
            self._reply(Reply(200, {}, NOTHING_FOUND))
            return
        if asked.parts and fault.answered is Answered.STATUS and fault.passed_on is PassedOn.NEVER:
            self._reply(self.ehr.refuse_within(asked, fault.status))
            return
        reply = self._passed_on(asked, fault)
        match fault.answered:
            case Answered.BREAK:
                self._break()
            case Answered.NOTHING:
                self._until_given_up()
            case Answered.STATUS:
                self._reply(Reply(fault.status, dict(fault.headers), b""))
            case Answered.WRONG_BODY:
                self._reply(Reply(200, {"Content-Type": "application/fhir+json"}, self.ehr.chance.wrong_body()))
            case Answered.SLOWLY:
                time.sleep(0.7 * self.ehr.patience.client)
                self._reply(reply)
            case Answered.AS_IT_IS:
                self._reply(reply)

    do_POST = do_PUT = do_GET  # noqa: N815 - the names are the base class's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Says nothing: addresses name infants."""

    def _passed_on(self, asked: Asked, fault: Fault) -> Reply:
        if fault.passed_on is PassedOn.NOW:
            return self.ehr.pass_on(asked)
        if fault.passed_on is PassedOn.LATE:
            timer = threading.Timer(self.ehr.patience.late, self.ehr.pass_on, [asked])
            timer.start()
        return Reply(0, {}, b"")

    def _reply(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            # The client was killed meanwhile.
            self.close_connection = True

    def _until_given_up(self) -> None:
        self.connection.settimeout(2 * self.ehr.patience.client)
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True

    def _break(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        self.connection.close()
        self.close_connection = True
