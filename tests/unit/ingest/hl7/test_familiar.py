"""Which messages are familiar, and that a bounded number of senders is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from neopain.codecs.hl7v2 import ack
from neopain.codecs.hl7v2.codes import BUILT_IN
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import read_reports
from neopain.codecs.mllp import Frame
from neopain.ingest.hl7 import familiar
from neopain.ingest.hl7.familiar import FamiliarMessages
from neopain.ingest.hl7.received import Received
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.sources import SourceFacts

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
MONITOR = Sender("10.1.2.3")
PLAIN = (
    r"MSH|^~\&|MON|NICU|||20260704120005+0000||ORU^R01|4711|P|2.6|1||NE|AL",
    "PID|||77^^^HOSP^MR",
    "PV1||I|NICU^1^3",
    "OBR|1||||||20260704120000",
    "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||142|/min|||||R",
)
TEXT = "\r".join(PLAIN) + "\r"


def learn(known: FamiliarMessages, text: str, sender: Sender = MONITOR) -> None:
    """Reads a message the usual way, twice, as the listener does."""
    for _ in range(2):
        message = parse(text.encode())
        header = read_header(message)
        one = Received(text.encode(), message, header, sender, NOON, SourceFacts(UTC))
        (report,) = read_reports(message, header, site_zone=UTC)
        assert report.bed is not None
        known.learn(one, report, report.bed, ack.address(message))


def is_familiar(known: FamiliarMessages, text: str, sender: Sender = MONITOR, fault: str = "") -> bool:
    return known.recognise(Frame(text.encode(), fault), sender, NOON) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("|4711|", "|X-1:2.3|"),
        ("|142|", "|151.5|"),
        ("20260704120005+0000", "20260704140006.5+0200"),
        ("|2.6|1|", "|2.6|7|"),
    ],
    ids=["another control id", "another number", "another time", "a sequence number"],
)
def test_news_make_no_message_strange(old: str, new: str) -> None:
    known = FamiliarMessages(BUILT_IN)
    learn(known, TEXT)
    assert is_familiar(known, TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("|MON|", "|MON2|"),
        ("|P|", "|T|"),
        ("77^", "78^"),
        ("^1^3", "^1^4"),
        ("|4711|", r"|47\T\11|"),
        ("|4711|", "|47 11|"),
        ("|4711|", "||"),
        ("20260704120005+0000", ""),
        ("|NE|AL", "|AL|AL"),
        ("|142|", "|---|"),
        ("\rOBX", "\nOBX"),
        ("77^^^HOSP", "77^^^\x00HOSP"),
        ("^~\\&", "^~\\#"),
    ],
)
def test_another_text_makes_a_message_strange(old: str, new: str) -> None:
    known = FamiliarMessages(BUILT_IN)
    learn(known, TEXT)
    assert old in TEXT
    assert is_familiar(known, TEXT)
    assert not is_familiar(known, TEXT.replace(old, new))


def test_another_sender_and_a_frame_that_must_not_be_believed_are_strange() -> None:
    known = FamiliarMessages(BUILT_IN)
    learn(known, TEXT)
    assert not is_familiar(known, TEXT, Sender("10.1.2.4"))
    assert not is_familiar(known, TEXT, Sender("10.1.2.3", ("monitor-7",)))
    assert not is_familiar(known, TEXT, fault="cut off")


def test_senders_without_end_leave_a_bounded_number_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiar, "_MOST", 4)
    known = FamiliarMessages(BUILT_IN)
    for number in range(10):
        learn(known, TEXT, Sender(f"10.1.2.{number}"))
    assert 1 <= len(known.kept) <= 4


def test_what_a_sender_says_at_length_is_not_kept() -> None:
    known = FamiliarMessages(BUILT_IN)
    learn(known, TEXT.replace("|MON|", f"|{'M' * 600}|"))
    assert known.kept == {}


def test_a_time_that_occurs_twice_is_the_one_nearest_to_when_the_message_came() -> None:
    known, berlin = FamiliarMessages(BUILT_IN), SourceFacts(ZoneInfo("Europe/Berlin"))
    text = TEXT.replace("20260704120005+0000", "20261025023001").replace("20260704120000", "20261025023000")
    came = datetime(2026, 10, 25, 1, 30, 2, tzinfo=UTC)
    message = parse(text.encode())
    one = Received(text.encode(), message, read_header(message), MONITOR, came, berlin)
    (report,) = read_reports(message, one.header, site_zone=one.zone)
    assert report.newest == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert report.bed is not None
    known.learn(one, report, report.bed, ack.address(message))
    found = known.recognise(Frame(text.encode()), MONITOR, came)
    assert found is not None
    assert found.moment.utc == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
