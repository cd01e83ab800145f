"""Delivery to a flowsheet interface: python-hl7's MLLP server, which answers as it is told or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server
from sqlalchemy import Engine

from neopain.charting.audit.verify import verify_audit
from neopain.charting.deliverer import Deliverer
from neopain.charting.desk import Decision, Verdict, decide, read_entry
from neopain.charting.ehr.channel import Located, NotLocated
from neopain.charting.ehr.client_tls import ClientTls, ClientTlsFiles
from neopain.charting.ehr.mllp import MllpAddress, MllpConnection
from neopain.charting.ehr.oru_r01 import OruChannel
from neopain.charting.entries import charted_entry
from neopain.charting.flowsheet_file import EXAMPLE, read_flowsheet
from neopain.charting.retry import RetryPolicy
from neopain.charting.statuses import change_status
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.hl7v2.flowsheet import Acknowledgement
from neopain.domain.charting import ChartedEntry
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing
from neopain.errors import ConfigurationError, ContractBroken, EhrUnavailable

from ...certificates import NEEDS_OPENSSL, Authority, Issued
from ...streams import close_server

Rows = Callable[[str], list[dict[str, Any]]]

TAKEN = ("CA", "AA")
SILENT: tuple[str, ...] = ()
CUT = ("cut",)
SHEET = read_flowsheet(EXAMPLE)
SHORT_SECONDS = 0.3
"""How long an answer is awaited that does not come."""


class Interface:
    """A flowsheet interface. ``script`` holds the answers to the messages to come; then each is taken.

    A step is a code of MSA-1, ``other`` (AA to another message), ``junk``, ``cut`` (the connection) or lines after MSH.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: deque[tuple[str, ...]] = deque()
        self.got: list[hl7.Message] = []
        self.connections = 0
        self.shown: list[str] = []
        """The common names of the certificates that senders showed."""
        self.has_closed = threading.Event()
        self.port = 0
        self._open: set[HL7StreamWriter] = set()
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_begun = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def begin(self) -> None:
        self._thread.start()
        assert self._has_begun.wait(10)

    def end(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    @property
    def control_ids(self) -> list[str]:
        return [str(message.segment("MSH")[10]) for message in self.got]

    @property
    def orders(self) -> list[str]:
        """OBR-3, the identifiers of the entries."""
        return [str(message.segment("OBR")[3][0][0]) for message in self.got]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await start_hl7_server(self._converse, "127.0.0.1", 0, encoding="utf-8", ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._has_begun.set()
        await self._end.wait()
        await close_server(server, self._open)

    async def _converse(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        self.connections += 1
        if (certificate := writer.get_extra_info("peercert")) is not None:
            self.shown += [value for part in certificate["subject"] for kind, value in part if kind == "commonName"]
        self._open.add(writer)
        try:
            while True:
                message = await reader.readmessage()
                self.got.append(message)
                for step in self.script.popleft() if self.script else TAKEN:
                    if step == "cut":
                        return
                    await self._answer(writer, message, step)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(writer)
            self.has_closed.set()

    async def _answer(self, writer: HL7StreamWriter, message: hl7.Message, step: str) -> None:
        if step == "junk":
            writer.writeblock(b"<html>Sign in</html>")
        elif step == "other":
            other = message.create_ack("AA")
            other.segment("MSA")[2] = "N0THEROTHEROTHEROTHR"
            writer.writemessage(other)
        elif "|" in step:
            header = str(message.create_ack("AA")).split("\r")[0]
            lines = step.replace("{id}", str(message.segment("MSH")[10]))
            writer.writeblock(f"{header}\r{lines}\r".encode())
        else:
            writer.writemessage(message.create_ack(step))
        await writer.drain()


@contextmanager
def begun(interface: Interface) -> Iterator[Interface]:
    interface.begin()
    try:
        yield interface
    finally:
        interface.end()


@pytest.fixture
def interface() -> Iterator[Interface]:
    with begun(Interface()) as running:
        yield running


@pytest.fixture
def channel_to() -> Iterator[Callable[..., OruChannel]]:
    """Makes a channel to a port of this machine."""
    made: list[MllpConnection] = []

    def make(port: int, *, seconds: float = 30.0, sheet: Any = SHEET, tls: ClientTls | None = None) -> OruChannel:
        host = "localhost" if tls else "127.0.0.1"
        made.append(MllpConnection(MllpAddress(host, port, tls is not None), tls=tls, timeout_seconds=seconds))
        return OruChannel(made[-1], sheet)

    yield make
    for connection in made:
        connection.close()


@dataclass(slots=True)
class Line:
    """From a bed with an infant to the interface."""

    engine: Engine
    ward: Any
    interface: Interface
    channel_to: Callable[..., OruChannel]
    rows: Rows

    def chart(self, intervals: int = 1) -> None:
        self.ward.chart(intervals)

    def pass_by(self, seconds: float) -> None:
        self.ward.clock.advance(seconds)

    def sweep(self, channel: OruChannel | None = None, **options: Any) -> int:
        """One round of delivery; a message in doubt is sent again after 10 s of the test's clock."""
        retry = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=8), doubt=timedelta(seconds=10))
        channel = channel or self.channel_to(self.interface.port, **options)
        deliverer = Deliverer(self.engine, channel, self.ward.clock, retry)
        return sum(deliverer.deliver(entry_id) for entry_id in deliverer.hand_out())

    def decide(self, verdict: Verdict) -> str:
        """What a person decides about the first entry; the state after it."""
        row = self.rows("SELECT entry_id FROM outbox ORDER BY place")[0]
        return decide(self.engine, self.ward.clock, row["entry_id"], Decision(verdict, "A. Nurse", "why")).value

    def become(self, status: EntryStatus) -> None:
        """Gives the one entry another status."""
        (row,) = self.rows("SELECT entry_id FROM outbox")
        with unit_of_work(self.engine, self.ward.clock) as unit:
            now = self.ward.clock.now()
            change_status(unit, row["entry_id"], status, actor="N. Nurse", cause="review", now=now)

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in self.rows("SELECT state FROM outbox ORDER BY place")]


@pytest.fixture
def line(engine: Engine, ward: Any, interface: Interface, channel_to: Any, rows: Rows) -> Line:
    """The line, with nothing charted yet."""
    return Line(engine, ward, interface, channel_to, rows)


@pytest.fixture
def entry(ward: Any, engine: Engine, rows: Rows) -> ChartedEntry:
    """The ward's first entry."""
    ward.chart()
    with engine.connect() as connection:
        return charted_entry(connection, rows("SELECT entry_id FROM outbox")[0]["entry_id"])


def test_what_was_acknowledged_is_accepted_and_not_confirmed(line: Line, database: str) -> None:
    line.chart()

    assert line.sweep() == 1

    (row,) = line.rows("SELECT entry_id, state, ehr_reference, confirmed FROM outbox")
    (control_id,) = line.interface.control_ids
    assert (row["state"], row["ehr_reference"]) == ("accepted", f"MSH-10 {control_id}, AA")
    assert row["confirmed"] is not None
    assert line.interface.orders == [row["entry_id"]]
    events = [one["event"] for one in line.rows("SELECT event FROM audit ORDER BY position")]
    assert events == ["entry_charted", "entry_accepted"]
    assert verify_audit(database).is_whole


def test_the_interface_reads_who_where_and_what(line: Line) -> None:
    line.chart()

    line.sweep()

    (message,) = line.interface.got
    assert str(message.segment("PID")[3]) == f"{line.ward.infant.value}^^^HOSP^MR"
    assert str(message.segment("PV1")[3]) == "^".join(str(line.ward.bed).split("/"))
    assert str(message.segment("PV1")[19]) == "V1^^^^VN"
    score = next(one for one in message.segments("OBX") if str(one[3]).startswith("900001^"))
    assert (str(score[2]), str(score[5]), str(score[11])) == ("NM", "2.0", "P")


def test_the_entries_of_an_infant_arrive_in_order_over_one_connection(line: Line) -> None:
    line.chart(5)

    line.sweep()

    wanted = [row["entry_id"] for row in line.rows("SELECT entry_id FROM outbox ORDER BY place")]
    assert line.interface.orders == wanted
    assert (len(wanted), line.interface.connections) == (5, 1)


@pytest.mark.parametrize(
    ("unclear", "seconds"),
    [
        (SILENT, SHORT_SECONDS),
        (("CA",), SHORT_SECONDS),
        (("other",), SHORT_SECONDS),
        (("junk",), SHORT_SECONDS),
        (CUT, 30),
        (("CA", "cut"), 30),
    ],
    ids=["silent", "CA", "other", "junk", "cut", "CA-cut"],
)
def test_after_an_unknown_outcome_the_same_message_is_sent_again(
    line: Line, unclear: tuple[str, ...], seconds: float
) -> None:
    line.chart()
    line.interface.script.append(unclear)

    line.sweep(seconds=seconds)
    assert line.states == ["pending"]
    line.pass_by(3600)
    line.sweep()

    assert line.states == ["accepted"]
    first, again = (str(message) for message in line.interface.got)
    assert first == again


@pytest.mark.parametrize(
    ("unclear", "told"),
    [
        (SILENT, "no answer within 0.3 s"),
        (("CA",), "no answer within 0.3 s (but CA, taken into safe storage)"),
        (("other",), "no answer within 0.3 s (but an acknowledgement of another message)"),
        (("junk",), "an answer that is no acknowledgement, MSH:"),
        (CUT, "the connection was closed before there was an answer"),
    ],
    ids=["silent", "CA", "other", "junk", "cut"],
)
def test_what_came_instead_of_the_answer_is_told(
    entry: ChartedEntry, interface: Interface, channel_to: Any, unclear: tuple[str, ...], told: str
) -> None:
    interface.script.append(unclear)

    with pytest.raises(EhrUnavailable) as unknown:
        channel_to(interface.port, seconds=SHORT_SECONDS).create(entry, Located("HOSP|1"))

    assert told in str(unknown.value)
    assert unknown.value.was_sent


def test_an_unknown_outcome_holds_back_the_infant_s_later_entries(line: Line) -> None:
    line.chart(3)
    line.interface.script.append(SILENT)

    line.sweep(seconds=SHORT_SECONDS)

    assert line.states == ["pending", "pending", "pending"]
    assert len(line.interface.got) == 1


def test_what_was_sent_and_is_in_doubt_cannot_be_cancelled(line: Line) -> None:
    line.chart()
    line.interface.script.append(SILENT)
    line.sweep(seconds=SHORT_SECONDS)

    with pytest.raises(ConfigurationError, match="was sent and may be in the EHR"):
        line.decide(Verdict.CANCEL)


def test_a_worker_that_dies_between_sending_and_writing_sends_the_same_message_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.chart()

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Deliverer, "_settle", die)
        with pytest.raises(SystemExit):
            line.sweep()
    assert line.states == ["pending"]
    line.pass_by(60)
    line.sweep()

    assert line.states == ["accepted"]
    assert str(line.interface.got[0]) == str(line.interface.got[1])


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_for_a_person_with_its_codes_and_apart_from_them_its_words(line: Line, code: str) -> None:
    line.chart()
    words = f"row unknown for {line.ward.infant.value}"
    refusal = f"MSA|{code}|{{id}}|{words}\rERR||OBX^2^3|103^Table value not found^HL70357|E"
    line.interface.script.append((refusal,))

    line.sweep()

    (row,) = line.rows("SELECT entry_id, state FROM outbox")
    traced = read_entry(line.engine, line.ward.clock, row["entry_id"], by="engineer 3")
    (control_id,) = line.interface.control_ids
    assert row["state"] == "rejected"
    assert traced.last_error == f"message {control_id}: {code}, 103 at OBX[2]-3"
    assert traced.ehr_words.startswith(words)
    (audited,) = line.rows("SELECT detail FROM audit WHERE event = 'entry_rejected'")
    assert line.ward.infant.value not in audited["detail"]


def test_a_refused_entry_does_not_hold_back_the_next(line: Line) -> None:
    line.chart(2)
    line.interface.script.append(("AE",))

    line.sweep()

    assert line.states == ["rejected", "accepted"]


def test_what_a_person_has_tried_again_after_a_refusal_is_a_new_message_of_the_same_order(line: Line) -> None:
    line.chart()
    line.interface.script.append(("AE",))
    line.sweep()
    line.pass_by(60)

    line.decide(Verdict.RETRY)
    line.sweep()

    assert line.states == ["accepted"]
    assert len(set(line.interface.control_ids)) == 2
    assert len(set(line.interface.orders)) == 1


DUPLICATE = "MSA|AE|{id}\rERR|||205^Duplicate key identifier^HL70357|E"


def test_what_was_refused_is_not_sent_once_it_is_another_infants(line: Line) -> None:
    line.chart()
    line.interface.script.append((DUPLICATE,))
    line.sweep()

    line.ward.admit(PatientId("ANOTHER", "HOSP"), at=-40)

    assert line.states[0] == "cancelled"


def test_what_was_refused_after_a_sending_without_an_answer_waits_for_a_person_and_is_withdrawn_there(
    line: Line,
) -> None:
    line.chart()
    line.interface.script += [SILENT, (DUPLICATE,)]
    line.sweep(seconds=SHORT_SECONDS)
    line.pass_by(60)
    line.sweep()
    (refused,) = line.rows("SELECT entry_id, state, ehr_reference FROM outbox")
    assert (refused["state"], refused["ehr_reference"]) == (
        "rejected",
        "sent 2026-10-05T12:00:00+00:00 without an answer",
    )

    line.ward.admit(PatientId("ANOTHER", "HOSP"), at=-40)
    line.sweep()
    own = f"SELECT state FROM outbox WHERE entry_id = '{refused['entry_id']}' ORDER BY change"  # noqa: S608
    assert [row["state"] for row in line.rows(own)] == ["rejected", "pending"]

    line.decide(Verdict.RETRY)
    line.sweep()

    assert [row["state"] for row in line.rows(own)] == ["accepted", "accepted"]
    told = [str(one.segment("OBX")[11]) for one in line.interface.got]
    assert [code for code, order in zip(told, line.interface.orders, strict=True) if order == refused["entry_id"]] == [
        *"PPPD"
    ]


def test_a_locked_record_is_tried_again_later(line: Line) -> None:
    line.chart()
    line.interface.script.append(("MSA|AE|{id}\rERR|||206^Application record locked^HL70357|E",))

    line.sweep()
    assert line.states == ["pending"]
    line.pass_by(60)
    line.sweep()

    assert line.states == ["accepted"]


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (Acknowledgement.ACCEPT, ("CA",)),
        (Acknowledgement.ACCEPT, ("AA",)),
        (Acknowledgement.ORIGINAL, ("AA",)),
        (Acknowledgement.APPLICATION, ("AA",)),
    ],
)
def test_the_answer_that_the_flowsheet_awaits_is_enough(
    line: Line, wanted: Acknowledgement, answer: tuple[str, ...]
) -> None:
    line.chart()
    line.interface.script.append(answer)

    line.sweep(sheet=replace(SHEET, acknowledgement=wanted))

    assert line.states == ["accepted"]


def test_a_late_answer_is_never_taken_for_that_to_the_next_message(
    entry: ChartedEntry, interface: Interface, channel_to: Any
) -> None:
    channel = channel_to(interface.port, seconds=SHORT_SECONDS)
    interface.script.append(SILENT)
    with pytest.raises(EhrUnavailable):
        channel.create(entry, Located("HOSP|1"))
    channel.connection.timeout_seconds = 30

    assert channel.create(entry, Located("HOSP|1")).endswith(", AA")
    assert interface.connections == 2


def test_a_connection_that_the_interface_has_closed_meanwhile_is_made_anew(
    entry: ChartedEntry, interface: Interface, channel_to: Any
) -> None:
    channel = channel_to(interface.port)
    interface.script.append(("CA", "AA", "cut"))
    channel.create(entry, Located("HOSP|1"))
    assert interface.has_closed.wait(10)

    channel.create(entry, Located("HOSP|1"))

    assert interface.connections == 2


def test_an_interface_that_is_down_has_nothing_and_what_waited_for_it_says_that_it_is_late(line: Line) -> None:
    line.chart()
    line.sweep(line.channel_to(1))
    (row,) = line.rows("SELECT state, attempted, last_error FROM outbox")
    assert (row["state"], row["attempted"]) == ("pending", None)
    assert "127.0.0.1:1: Connection refused when connecting" in row["last_error"]

    line.pass_by(3600)
    line.sweep()

    (message,) = line.interface.got
    assert "Charted late: 60 min after its end" in str(message.segment("NTE")[3])


def test_what_never_left_can_be_cancelled(line: Line) -> None:
    line.chart()
    line.sweep(line.channel_to(1))

    assert line.decide(Verdict.CANCEL) == "cancelled"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"patient": PatientId("1", "ELSEWHERE")}, "has no [[authority]]"),
        ({"patient": PatientId("1", "")}, "has no [[authority]]"),
        ({"patient": PatientId("", "HOSP")}, "has no number"),
        ({"visit": ""}, "has no visit number"),
    ],
)
def test_nobody_guesses_the_infant_or_its_visit(
    entry: ChartedEntry, channel_to: Any, changes: dict[str, Any], reason: str
) -> None:
    located = channel_to(1).locate(replace(entry, **changes))

    assert isinstance(located, NotLocated)
    assert reason in located.reason


def test_an_infant_of_an_authority_that_the_flowsheet_does_not_know_is_held_and_never_sent(
    bedside: Any, interface: Interface, channel_to: Any, rows: Rows
) -> None:
    bedside.admit(PatientId("7", "ELSEWHERE"))
    bedside.chart()

    Line(bedside.engine, bedside, interface, channel_to, rows).sweep()

    assert [row["state"] for row in rows("SELECT state FROM outbox")] == ["held"]
    assert interface.got == []


def test_a_site_may_do_without_visit_numbers(entry: ChartedEntry, channel_to: Any) -> None:
    channel = replace(channel_to(1), requires_encounter=False)

    assert channel.locate(replace(entry, visit="")) == Located(f"HOSP|{entry.patient.value}")


@pytest.mark.parametrize("processing", [Processing.DEBUGGING, Processing.TRAINING])
def test_test_input_never_leaves(
    entry: ChartedEntry, interface: Interface, channel_to: Any, processing: Processing
) -> None:
    tried = replace(entry, draft=replace(entry.draft, processing=processing))

    with pytest.raises(ContractBroken, match="test input"):
        channel_to(interface.port).create(tried, Located("HOSP|1"))

    assert interface.got == []


def test_check_connects_and_an_interface_that_is_down_is_asked_later(interface: Interface, channel_to: Any) -> None:
    channel_to(interface.port).check()

    with pytest.raises(EhrUnavailable) as down:
        channel_to(1).check()

    assert not down.value.was_sent


@NEEDS_OPENSSL
def test_by_tls_both_sides_show_who_they_are(line: Line, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("interface"), authority.issue("neopain")
    with begun(Interface(server_context(authority, server))) as interface:
        line.chart()
        channel = line.channel_to(interface.port, tls=trusting(authority, client))

        line.sweep(channel)
        channel.connection.close()

        assert (line.states, len(interface.got)) == (["accepted"], 1)
        # An interface that ends before its peer has gone waits for it.
        assert interface.has_closed.wait(10)


@NEEDS_OPENSSL
def test_a_renewed_certificate_is_shown_from_the_next_connection_on(channel_to: Any, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, renewed = authority.issue("neopain"), authority.issue("neopain-renewed")
    with begun(Interface(server_context(authority, authority.issue("interface")))) as interface:
        channel = channel_to(interface.port, tls=trusting(authority, own))
        channel.check()
        channel.connection.close()
        assert interface.has_closed.wait(10)
        interface.has_closed.clear()
        own.key.write_bytes(renewed.key.read_bytes())
        own.certificate.write_bytes(renewed.certificate.read_bytes())
        channel.check()
        channel.connection.close()
        assert interface.has_closed.wait(10)

        assert interface.shown == ["neopain", "neopain-renewed"]


@NEEDS_OPENSSL
def test_an_interface_that_nobody_vouches_for_gets_nothing(
    entry: ChartedEntry, channel_to: Any, tmp_path: Path
) -> None:
    authority, abroad = Authority(tmp_path), tmp_path / "abroad"
    abroad.mkdir()
    stranger = Authority(abroad).issue("interface")
    with begun(Interface(server_context(authority, stranger))) as interface:
        channel = channel_to(interface.port, tls=trusting(authority))

        with pytest.raises(EhrUnavailable, match="its certificate is not taken") as refused:
            channel.create(entry, Located("HOSP|1"))

        assert (refused.value.was_sent, interface.got) == (False, [])


@NEEDS_OPENSSL
def test_who_shows_no_certificate_where_one_is_asked_for_charts_nothing(
    entry: ChartedEntry, channel_to: Any, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with begun(Interface(server_context(authority, authority.issue("interface")))) as interface:
        channel = channel_to(interface.port, tls=trusting(authority))

        with pytest.raises(EhrUnavailable):
            channel.create(entry, Located("HOSP|1"))

        assert interface.got == []


def trusting(authority: Authority, shown: Issued | None = None) -> ClientTls:
    certificate, key = (shown.certificate, shown.key) if shown else (None, None)
    return ClientTls(ClientTlsFiles("NEOPAIN_CHARTING_EHR_TLS", authority.own.certificate, certificate, key))


def server_context(authority: Authority, shown: Issued) -> ssl.SSLContext:
    """An interface's context, which asks for a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    context.load_verify_locations(authority.own.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize(
    ("status", "observed", "order"),
    [(EntryStatus.FINAL, "F", "F"), (EntryStatus.ENTERED_IN_ERROR, "D", "C"), (EntryStatus.CANCELLED, "D", "C")],
)
def test_a_status_is_the_same_order_with_another_result_status(
    line: Line, status: EntryStatus, observed: str, order: str
) -> None:
    line.chart()
    line.sweep()
    line.become(status)

    assert line.sweep() == 1

    created, changed = line.interface.got
    assert line.interface.orders[0] == line.interface.orders[1]
    assert line.interface.control_ids[0] != line.interface.control_ids[1]
    assert [str(one[3]) for one in changed.segments("OBX")] == [str(one[3]) for one in created.segments("OBX")]
    assert {str(one[11]) for one in changed.segments("OBX")} == {observed}
    assert str(changed.segment("OBR")[25]) == order
    assert line.states == ["accepted", "accepted"]


def test_a_status_without_an_answer_goes_out_again_as_it_was(line: Line) -> None:
    line.chart()
    line.sweep()
    line.become(EntryStatus.FINAL)
    line.interface.script.append(SILENT)

    line.sweep(seconds=SHORT_SECONDS)
    assert line.states == ["accepted", "pending"]
    line.pass_by(20)
    line.sweep()

    assert line.states == ["accepted", "accepted"]
    assert str(line.interface.got[1]) == str(line.interface.got[2])
