"""Stands in for Oracle Health (Millennium R4), which nobody can run: its documented rules for Observations of category
vital-signs, to the letter. Patients, encounters and practitioners are those of the real FHIR server behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from ...servers import in_background, trusted

Json = dict[str, Any]
FIELDS = {
    "resourceType",
    "status",
    "category",
    "code",
    "subject",
    "encounter",
    "effectiveDateTime",
    "issued",
    "performer",
    "valueQuantity",
    "interpretation",
    "note",
    "referenceRange",
}
REQUIRED = FIELDS - {"encounter", "issued", "interpretation", "note", "referenceRange"}
FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"


@dataclass
class Millennium:
    """What it has, and what it is told to do otherwise."""

    behind: str
    observations: dict[str, Json] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    drops_notes: bool = False
    faults: list[tuple[str, int, Json, dict[str, str]]] = field(default_factory=list)
    """Method, status, body and headers of answers to come; a status of 0 does it and cuts the answer off, one below 0
    answers with that status afterwards."""
    url: str = ""

    def put(self, sent: Json, own_id: str) -> None:
        version = int(self.observations.get(own_id, {}).get("meta", {}).get("versionId", "0")) + 1
        kept = {**sent, "id": own_id, "meta": {"versionId": str(version)}}
        # Its own identifier, more than one code of the value, and times as it writes them.
        kept["identifier"] = [{"system": "https://fhir.cerner.com/ceuuid", "value": f"CE{own_id}"}]
        kept["code"]["coding"].append({"system": "http://loinc.org", "code": "98012-8"})
        moment = datetime.fromisoformat(sent["effectiveDateTime"])
        kept["effectiveDateTime"] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if self.drops_notes:
            kept.pop("note", None)
        self.observations[own_id] = kept

    def judged(self, sent: Json) -> tuple[int, str]:
        """Status and issue code of a refusal; 0 where it is taken."""
        if unsupported := set(sent) - FIELDS - {"id"}:
            return 422, f"not-supported {' '.join(sorted(unsupported))}"
        if missing := REQUIRED - set(sent):
            return 500, f"required {' '.join(sorted(missing))}"
        categories = [one["code"] for each in sent["category"] for one in each["coding"]]
        performers = [one["reference"].partition("/")[0] for one in sent["performer"]]
        functions = [e["valueCodeableConcept"]["coding"][0]["code"] for e in sent["performer"][0].get("extension", [])]
        rules = {
            "category": categories == ["vital-signs"],
            "status": sent["status"] in {"final", "amended", "corrected", "entered-in-error"},
            "performer": set(performers) == {"Practitioner"} and len(performers) <= 2,
            "performerFunction": functions == ["LA"] and sent["performer"][0]["extension"][0]["url"] == FUNCTION,
            "subject": sent["subject"]["reference"].startswith("Patient/"),
        }
        broken = [name for name, holds in rules.items() if not holds]
        return (422, f"invalid {' '.join(broken)}") if broken else (0, "")

    def found(self, query: dict[str, list[str]]) -> list[Json]:
        if any("cerner.com" in code for code in query.get("code", [])):
            return []
        patient = query["patient"][0].rpartition("/")[2]
        bounds = {one[:2]: datetime.fromisoformat(one[2:]) for one in query.get("date", [])}
        return [
            one
            for one in self.observations.values()
            if one["subject"]["reference"] == f"Patient/{patient}"
            and bounds["ge"] <= datetime.fromisoformat(one["effectiveDateTime"]) <= bounds["le"]
        ]


@contextmanager
def running(behind: str) -> Iterator[Millennium]:
    """One that runs, before a FHIR server."""
    domain = Millennium(behind)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(domain))
    server.daemon_threads = True
    domain.url = f"http://127.0.0.1:{server.server_port}"
    with in_background(server):
        yield domain


def _handler(domain: Millennium) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path)
            kind, _, own_id = path.path.strip("/").partition("/")
            if (fault := self._fault()) is not None:
                self._answer(fault[1], fault[2], fault[3])
            elif kind != "Observation":
                self._answer(*self._behind())
            elif not own_id:
                found = [{"resource": one} for one in domain.found(parse_qs(path.query))]
                self._answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": found})
            elif own_id in domain.observations:
                self._answer(200, domain.observations[own_id])
            else:
                self._answer(404, _outcome("not-found"))

        def do_POST(self) -> None:
            sent = self._body()
            self._write(sent, f"VS-{len(domain.observations) + 1}", 201)

        def do_PUT(self) -> None:
            sent, own_id = self._body(), self.path.rpartition("/")[2]
            current = domain.observations[own_id]
            if self.headers["If-Match"] != f'W/"{current["meta"]["versionId"]}"':
                self._answer(409, _outcome("conflict"))
                return
            self._write(sent, own_id, 200)

        def _write(self, sent: Json, own_id: str, done: int) -> None:
            fault = self._fault()
            if fault is not None and fault[1] > 0:
                self._answer(fault[1], fault[2], fault[3])
                return
            status, code = domain.judged(sent)
            if status:
                self._answer(status, _outcome(code))
                return
            domain.put(sent, own_id)
            if fault is not None and fault[1] < 0:
                self._answer(-fault[1], fault[2], fault[3])
                return
            if fault is not None:
                domain.asked.append((self.command, 0))
                self.close_connection = True
                return
            place = {"Location": f"{domain.url}/Observation/{own_id}", "Content-Type": "text/html"}
            self._answer(done, None, place if done == 201 else {})

        def _fault(self) -> tuple[str, int, Json, dict[str, str]] | None:
            for fault in domain.faults:
                if fault[0] == self.command:
                    domain.faults.remove(fault)
                    return fault
            return None

        def _behind(self) -> tuple[int, Json]:
            answer = httpx.get(f"{domain.behind}{self.path}", trust_env=False, verify=trusted())
            return answer.status_code, answer.json()

        def _body(self) -> Json:
            sent: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return sent

        def _answer(self, status: int, body: Json | None, headers: dict[str, str] | None = None) -> None:
            domain.asked.append((self.command, status))
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            told = {"Content-Type": "application/fhir+json", "X-Request-Id": "30a3177d", **(headers or {})}
            for name, value in {**told, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            return

    return Handler


def _outcome(code: str) -> Json:
    issue, _, where = code.partition(" ")
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": issue, "expression": where.split()}],
    }
