"""Framing: what reaches the decoder, however it is cut, and which messages come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.mllp import NO_END_BLOCK, TOO_LONG, Decoder, Frame, encode

# Two messages in one go, junk between, a doubled end block, a forgotten end block, an empty frame, a doubled start.
TRAFFIC = (
    b"\x0bMSH|one\rPID|1\r\x1c\x0d"
    b"\x0bMSH|two\r\x1c\x0d\x1c\x0d"
    b"noise\r\n"
    b"\x0bMSH|three\rPID|3\r"
    b"\x0bMSH|four\r\x1c"
    b"\x0b\x1c\x0d"
    b"\x0b\x0bMSH|five\r\x1c\x0d"
    b"\x0bMSH|cut sho"
    b"\x0bMSH|six\n\x1c\x0a"
)
MESSAGES = [
    Frame(b"MSH|one\rPID|1\r"),
    Frame(b"MSH|two\r"),
    Frame(b"MSH|three\rPID|3\r"),
    Frame(b"MSH|four\r"),
    Frame(b"MSH|five\r"),
    Frame(b"MSH|cut sho", NO_END_BLOCK),
    Frame(b"MSH|six\n"),
]

plain_messages = st.binary(min_size=1, max_size=60).map(lambda raw: b"MSH" + raw.translate(None, b"\x0b\x1c"))


def fed(data: bytes, cuts: list[int], *, longest: int = 1_048_576) -> list[Frame]:
    decoder = Decoder(longest=longest)
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    return [frame for piece in pieces for frame in decoder.feed(piece)]


def test_all_deviations_of_real_senders_give_their_messages() -> None:
    assert fed(TRAFFIC, []) == MESSAGES


@pytest.mark.parametrize("cut", range(len(TRAFFIC) + 1))
def test_one_cut_anywhere_gives_the_same_messages(cut: int) -> None:
    assert fed(TRAFFIC, [cut]) == MESSAGES


def test_byte_by_byte_gives_the_same_messages() -> None:
    assert fed(TRAFFIC, list(range(len(TRAFFIC)))) == MESSAGES


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=6), longest=st.integers(1, 40))
def test_any_cut_of_any_bytes_gives_the_same_frames(data: bytes, cuts: list[int], longest: int) -> None:
    framed = b"\x0b" + data.replace(b"\x00", b"\x0b").replace(b"\x01", b"\x1c\x0d") + b"\x1c\x0d"
    inside = [min(cut, len(framed)) for cut in cuts]
    assert fed(framed, inside, longest=longest) == fed(framed, [], longest=longest)


@given(st.lists(plain_messages, max_size=5))
def test_decoding_what_was_encoded_gives_it_back(messages: list[bytes]) -> None:
    stream = b"".join(encode(message) for message in messages)
    assert fed(stream, []) == [Frame(message) for message in messages]


def test_a_message_is_complete_at_its_end_block_even_without_the_carriage_return() -> None:
    assert Decoder().feed(b"\x0bMSH|x\r\x1c") == [Frame(b"MSH|x\r")]


def test_a_message_above_the_bound_gives_its_head_and_ends_the_connection() -> None:
    decoder = Decoder(longest=8)
    assert decoder.feed(b"\x0bMSH|123456789") == [Frame(b"MSH|1234", TOO_LONG)]
    assert decoder.is_broken
    assert decoder.feed(b"\x0bMSH|x\r\x1c\x0d") == []


def test_a_message_of_exactly_the_bound_is_taken() -> None:
    assert Decoder(longest=8).feed(b"\x0bMSH|1234\x1c\x0d") == [Frame(b"MSH|1234")]


def test_bytes_outside_of_frames_are_counted_so_that_an_unframed_sender_shows() -> None:
    decoder = Decoder()
    assert decoder.feed(b"MSH|x\r") == []
    assert decoder.skipped == 5


def test_line_ends_and_doubled_end_blocks_between_frames_are_not_worth_counting() -> None:
    decoder = Decoder()
    decoder.feed(b"\x0bMSH|x\r\x1c\x0d\x1c\x0d\r\n")
    assert decoder.skipped == 0


def test_an_unfinished_message_is_seen_as_such() -> None:
    decoder = Decoder()
    decoder.feed(b"\x0bMSH|x")
    assert decoder.is_within_frame


@pytest.mark.parametrize("byte", [b"\x0b", b"\x1c"])
def test_a_message_with_a_framing_byte_cannot_be_encoded(byte: bytes) -> None:
    with pytest.raises(ValueError, match="0x0B or 0x1C"):
        encode(b"MSH|" + byte)
