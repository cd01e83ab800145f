from __future__ import annotations

import pytest

from neopain.domain.identity import SourceId
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage
from neopain.ingest.device.call import Call
from neopain.ingest.device.gate import Grant
from neopain.ingest.device.sender import Sender, series_of
from neopain.wire.v1 import device_pb2 as pb


def call(kept: int = 0) -> Call:
    sender = Sender(SourceId("device", "ecg"), Processing.PRODUCTION)
    return Call("vitals", sender, Grant(None, "vitals"), "vitals:ecg:a", kept)


def floors(one: Call, *numbers: tuple[int, int]) -> list[int]:
    """The floor after each (sequence, given up); every message is stored but for negative sequences: refused."""
    found = []
    for sequence, given_up in numbers:
        one.follow(pb.DeviceVitals(sequence=abs(sequence), given_up=given_up))
        found.append(one.floor)
        if sequence > 0:
            one.stored()
    return found


def test_each_message_needs_the_one_before_it_on_the_bus() -> None:
    assert floors(call(), (1, 0), (2, 0), (3, 0)) == [0, 1, 2]


def test_a_refused_message_is_accounted_for() -> None:
    assert floors(call(), (1, 0), (-2, 0), (-3, 0), (4, 0)) == [0, 1, 1, 1]


def test_a_number_that_is_missing_unsaid_is_needed() -> None:
    assert floors(call(), (1, 0), (4, 0)) == [0, 3]


def test_what_is_given_up_is_not_needed() -> None:
    assert floors(call(5), (9, 3)) == [5]
    assert floors(call(), (4, 0), (-5, 0), (8, 2)) == [3, 4, 4]


def test_what_was_kept_before_the_call_is_known() -> None:
    one = call(kept=7)
    one.follow(pb.DeviceVitals(sequence=7))
    assert one.is_kept
    one.follow(pb.DeviceVitals(sequence=8))
    assert not one.is_kept


@pytest.mark.parametrize("sequence", [0, 3, 2**53])
def test_numbers_that_do_not_rise_are_refused(sequence: int) -> None:
    one = call()
    one.follow(pb.DeviceVitals(sequence=3))
    with pytest.raises(MalformedMessage, match=f"sequence: {sequence} after 3"):
        one.follow(pb.DeviceVitals(sequence=sequence))


@pytest.mark.parametrize("series", ["a b", "x" * 65, "ä", "a:b"])
def test_a_series_that_could_be_mistaken_for_another_is_refused(series: str) -> None:
    with pytest.raises(MalformedMessage, match="neopain-series"):
        series_of({"neopain-series": series})
