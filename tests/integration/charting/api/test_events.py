"""Server-sent events: what has changed, to whom it may be told, from where a client goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from neopain.charting.aggregates import sum_up_scores
from neopain.charting.api import stream as streams
from neopain.codecs.fhir.ids import patient_id
from neopain.domain.identity import BedId

Rows = Callable[[str], list[dict[str, Any]]]


class Stream:
    """The events of a stream, one after another; comments are left out."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.iter_lines()

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        for line in self.lines:
            if not line and "event" in event:
                return event
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                event[name] = json.loads(value) if name == "data" else value
        raise AssertionError("the stream has ended")

    def until(self, kind: str) -> dict[str, Any]:
        while (event := self.next())["event"] != kind:
            continue
        return event


@contextmanager
def streamed(api: Any, *, last: str = "", token: str | None = None) -> Iterator[Stream]:
    headers = {"Authorization": f"Bearer {token or api.token()}"}
    if last:
        headers["Last-Event-ID"] = last
    with api.http.stream("GET", f"{api.url}/$events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(answer)


def primed(ward: Any, stream: Stream) -> dict[str, Any]:
    """The first change that is told."""
    with ward.going_on():
        return stream.until("live-score")


def test_a_newest_score_an_aggregate_and_an_entry_are_told_as_references(api: Any, ward: Any) -> None:
    with streamed(api) as stream:
        assert stream.next()["event"] == "ready"
        primed(ward, stream)
        ward.chart()
        events = {kind: stream.until(kind) for kind in ("entry",)}
        sum_up_scores(ward.intake, now=ward.score(3600).window_end)
        events["aggregate"] = stream.until("aggregate")
        ward.take(ward.score(30))
        events["live-score"] = stream.until("live-score")

    for event in events.values():
        assert event["data"]["subject"] == {"reference": f"Patient/{patient_id(ward.infant)}"}
        resource = api.read(event["data"]["focus"]["reference"])
        assert resource["subject"] == event["data"]["subject"]


def test_that_a_number_became_too_old_is_told(api: Any, ward: Any) -> None:
    with streamed(api) as stream:
        assert stream.next()["event"] == "ready"
        primed(ward, stream)
        ward.clock.advance(60)
        event = stream.until("live-score")

    assert event["data"]["version"].endswith("none")


def test_a_client_goes_on_where_it_was(api: Any, ward: Any) -> None:
    with streamed(api) as stream:
        assert stream.next()["event"] == "ready"
        first = primed(ward, stream)
    with streamed(api) as other:
        other.next()
        ward.take(ward.score(5))
        second = other.until("live-score")

    with streamed(api, last=first["id"]) as again:
        assert again.next() == second


@pytest.mark.parametrize("last", ["0000-1", "nothing", "x-99999999999999999999", "-"])
def test_a_client_that_was_away_too_long_is_told_to_read_anew(api: Any, ward: Any, last: str) -> None:
    with streamed(api, last=last) as stream:
        assert stream.next()["event"] == "reset"


def test_a_client_hears_only_of_whom_it_may(api: Any, ward: Any) -> None:
    other = type(ward)(ward.engine, ward.clock, bed=BedId("PICU/1/1"))
    other.admit(other.infant)
    narrow = api.token(scope="patient/Observation.rs", patient=patient_id(ward.infant))
    with streamed(api, token=narrow) as stream:
        assert stream.next()["event"] == "ready"
        primed(ward, stream)
        other.take(other.score(1))
        ward.take(ward.score(8))
        event = stream.next()

    assert event["data"]["subject"] == {"reference": f"Patient/{patient_id(ward.infant)}"}


def test_whom_events_tell_of_is_written_down_before_once_a_minute(api: Any, ward: Any, rows: Rows) -> None:
    with streamed(api, token=api.token(jti="one")) as stream:
        assert stream.next()["event"] == "ready"
        primed(ward, stream)
        ward.take(ward.score(8))
        stream.until("live-score")

    (row,) = rows("SELECT patient, detail FROM audit WHERE chain = 'reads'")
    assert row["patient"] == f"HOSP|{ward.infant.value}"
    assert json.loads(row["detail"])["asked"] == "$events"


def test_a_stream_ends_with_its_token(api: Any, ward: Any) -> None:
    with streamed(api) as stream:
        assert stream.next()["event"] == "ready"
        primed(ward, stream)
        ward.clock.advance(10**9)
        event = stream.until("end")

    assert event["data"] == {"reason": "the token has ended"}


def test_a_client_that_does_not_take_what_is_told_is_cut_off(
    api: Any, ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with streamed(api) as one:
        assert one.next()["event"] == "ready"
        primed(ward, one)
        # A write that has to wait for the client is over its time at once.
        monkeypatch.setattr(streams, "SEND_SECONDS", 0.0)
        ward.take(ward.score(60))
        with pytest.raises(httpx.RemoteProtocolError):
            one.until("never")


def test_without_a_scope_or_a_token_there_is_no_stream(api: Any) -> None:
    assert api.ask("$events", token="").status_code == 401
    assert api.ask("$events", token=api.token(scope="system/Patient.rs")).status_code == 403
    assert api.ask("$events", method="POST").status_code == 405


def test_no_more_streams_than_may_are_open(api_with: Callable[..., Any]) -> None:
    api = api_with(api_streams=0)

    assert api.ask("$events").status_code == 503
