"""The encoding rules: what senders write, and which segments and fields are read from it."""

from __future__ import annotations

import time

import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import UNREADABLE, Delimiters, Message, escape, messages_in, parse, unescape
from neopain.errors import MalformedMessage

HEAD = r"MSH|^~\&|MON|NICU|||20260101120000||ORU^R01|1|P|2.6"


def names(message: Message) -> list[str]:
    return [segment.name for segment in message.segments]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r \r", "\r\n\r\n"])
def test_segments_end_with_any_line_end_and_blank_ones_are_left_out(end: str) -> None:
    message = parse(end.join([HEAD, "PID|1||77", "OBX|1|NM"]).encode())
    assert names(message) == ["MSH", "PID", "OBX"]
    assert message.segments[1].text(3) == "77"


@pytest.mark.parametrize("junk", [b"\x00\x00", b"\xef\xbb\xbf", b"\r\n", b"  ", b"FHS|x\rBHS|y\r"])
def test_what_stands_before_msh_is_left_out(junk: bytes) -> None:
    assert names(parse(junk + HEAD.encode() + b"\rPID|1")) == ["MSH", "PID"]


def test_nuls_are_left_out_wherever_they_are() -> None:
    message = parse(HEAD.encode() + b"\rP\x00ID|1||7\x007\r\x00\x00")
    assert message.segments[1].text(3) == "77"


def test_msh_1_is_the_field_separator_and_msh_2_the_others() -> None:
    header = parse(HEAD.encode()).header
    assert (header.raw(1), header.raw(2), header.text(3), header.text(10)) == ("|", "^~\\&", "MON", "1")


def test_delimiters_are_those_of_the_message() -> None:
    message = parse(b"MSH#*+!%#MON#NICU\rPID#1##7*2%5*x+8")
    pid = message.segments[1]
    assert message.delimiters == Delimiters("#", "*", "+", "!", "%")
    assert (pid.text(3, 1), pid.text(3, 2, 2), pid.repetitions(3)) == ("7", "5", ["7*2%5*x", "8"])


def test_the_truncation_sign_of_version_2_7_is_accepted() -> None:
    assert parse(rb"MSH|^~\&#|MON").header.text(3) == "MON"


def test_delimiters_that_a_sender_leaves_out_separate_nothing() -> None:
    message = parse(b"MSH|^|MON~1\\F\\")
    assert message.delimiters == Delimiters("|", "^", "", "", "")
    assert message.header.text(3) == "MON~1\\F\\"


@pytest.mark.parametrize("header", [b"MSH|^^\\&|x", b"MSH|", b"MSH||x", b"MSH|^a\\&|x", b"MSH|^\xa7\\&|x"])
def test_delimiters_that_cannot_be_told_apart_are_refused(header: bytes) -> None:
    with pytest.raises(MalformedMessage, match="MSH-2"):
        parse(header)


@pytest.mark.parametrize("raw", [b"", b"PID|1", b"MSHX|^~\\&", b"\x00\x01\x02", b"xMSH|^~\\&|", b"MSH"])
def test_bytes_without_an_msh_segment_are_no_message(raw: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(raw)
    assert (caught.value.location, caught.value.code) == ("MSH", "100")


def test_two_messages_in_one_frame_are_refused_rather_than_half_read() -> None:
    with pytest.raises(MalformedMessage, match=r"MSH\[2\]"):
        parse(f"{HEAD}\rPID|1\r{HEAD}\r".encode())


def test_a_line_that_is_no_segment_belongs_to_the_field_before_it() -> None:
    message = parse(f"{HEAD}\rNTE|1||first line\nsecond line\rPID|1".encode())
    assert names(message) == ["MSH", "NTE", "PID"]
    assert message.segments[1].text(3) == "first line\nsecond line"


def test_segments_of_one_name_are_numbered() -> None:
    message = parse(f"{HEAD}\rOBX|1\rNTE|1\rOBX|2".encode())
    assert [segment.number for segment in message.all("OBX")] == [1, 2]
    assert message.segments[3].place(5) == "OBX[2]-5"


def test_absent_fields_and_components_are_empty() -> None:
    pid = parse(f"{HEAD}\rPID|1||77".encode()).segments[1]
    assert (pid.text(9), pid.text(3, 4), pid.text(3, 1, 2), pid.repetitions(20)) == ("", "", "", [])


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("8859/1", "Müller".encode("iso8859-1")),
        ("8859/15", "Müller".encode("iso8859-15")),
        ("UNICODE UTF-8", "Müller".encode()),
        ("", "Müller".encode()),
        ("", "Müller".encode("iso8859-1")),
        ("ASCII", "Müller".encode("iso8859-1")),
        ("UNKNOWN SET", "Müller".encode()),
    ],
)
def test_the_character_set_is_that_of_msh_18(declared: str, written: bytes) -> None:
    raw = f"{HEAD}||||||{declared}\rPID|1||77||".encode() + written
    assert parse(raw).segments[1].text(5) == "Müller"


def japanese(text: str, *, declared: str = "~ISO IR87||ISO 2022-1994", codec: str = "iso2022_jp") -> bytes:
    """A message as Japanese hospitals send them: ASCII, and JIS X 0208 after ESC $ B, back to ASCII after ESC ( B."""
    return rf"MSH|^~\&|病院情報|厚生病院|||20260101120000||ADT^A08^ADT_A01|1|P|2.5||||||{declared}".encode(
        codec
    ) + f"\r{text}\r".encode(codec)


@pytest.mark.parametrize("declared", ["~ISO IR87||ISO 2022-1994", "ASCII~ISO IR87", "ISO IR87", "iso ir6~iso ir87"])
def test_japanese_names_are_read_where_msh_18_names_jis_x_0208(declared: str) -> None:
    name = "患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P"
    message = parse(japanese(f"PID|0001||9999013^^^^PI||{name}||20260101|M", declared=declared))
    pid = message.segments[1]
    assert pid.repetitions(5) == ["患者^太郎^^^^^L^I", "カンジャ^タロウ^^^^^L^P"]
    assert (pid.text(3), pid.text(7), pid.text(8), message.header.text(4)) == ("9999013", "20260101", "M", "厚生病院")


def test_a_character_whose_half_looks_like_a_delimiter_separates_nothing() -> None:
    # In JIS X 0208 含 is 0x345E, 奥 is 0x317C and 万 is 0x4B7C: ^ and |.
    raw = japanese("PID|1||77||奥^含子^^^^^L^I||万")
    assert b"$B1|" in raw
    pid = parse(raw).segments[1]
    assert (pid.text(5), pid.text(5, 2), pid.text(7)) == ("奥", "含子", "万")


def test_a_delimiter_like_half_in_the_header_does_not_hide_its_character_set() -> None:
    raw = japanese("PID|1||77||太郎").replace("厚生病院".encode("iso2022_jp"), "奥万病院".encode("iso2022_jp"))
    assert parse(raw).segments[1].text(5) == "太郎"


def test_the_supplementary_japanese_set_is_read_beside_the_first() -> None:
    raw = japanese("PID|1||77||太郎^丂", declared="~ISO IR87~ISO IR159", codec="iso2022_jp_1")
    assert (parse(raw).segments[1].text(5), parse(raw).segments[1].text(5, 2)) == ("太郎", "丂")


def test_a_name_that_does_not_return_to_ascii_takes_no_segment_with_it() -> None:
    raw = japanese("PID|1||77||太郎").rstrip(b"\r").removesuffix(b"\x1b(B") + b"\rPV1|1|I|NICU^1^3\r"
    assert parse(raw).segments[2].text(3, 3) == "3"


def test_bytes_of_no_declared_japanese_set_are_unreadable_and_not_guessed() -> None:
    raw = japanese("PID|1||77").rstrip(b"\r") + "||太郎".encode("shift_jis")
    assert UNREADABLE in parse(raw).segments[1].text(5)


@pytest.mark.parametrize("declared", ["UNKNOWN~ISO IR87", "ISO IR999", "CNS 11643-1992"])
def test_a_set_that_is_not_known_is_read_as_before(declared: str) -> None:
    assert parse(f"{HEAD}||||||{declared}\rPID|1||77||Müller".encode()).codec == "utf-8"
    assert parse(f"{HEAD}||||||{declared}\rPID|1||77||Müller".encode("iso8859-1")).codec == "iso8859-1"


WIDE = [("BIG-5", "big5", "張育^靜"), ("~GB 18030-2000", "gb18030", "王緗^靜"), ("KS X 1001", "euc_kr", "김^철수")]


@pytest.mark.parametrize(("declared", "codec", "name"), WIDE)
def test_a_character_of_two_bytes_whose_second_looks_like_a_delimiter_separates_nothing(
    declared: str, codec: str, name: str
) -> None:
    head = rf"MSH|^~\&|{name[1:]}|{name}|||||ORU^R01|1|P|2.6||||||{declared}".encode(codec)
    pid = parse(head + f"\rPID|1||77||{name}||20260101".encode(codec)).segments[1]
    assert (f"{pid.text(5)}^{pid.text(5, 2)}", pid.text(7)) == (name, "20260101")


@pytest.mark.parametrize(("declared", "codec", "name"), WIDE)
def test_what_is_not_of_the_set_of_two_bytes_that_is_named_is_refused(declared: str, codec: str, name: str) -> None:
    assert read_header(parse(f"{HEAD}||||||{declared}\rPID|1||77||".encode() + name.encode(codec))).control_id == "1"
    message = parse(f"{HEAD}||||||{declared}\rPID|1||77||".encode() + b"\xff|\xff^")
    with pytest.raises(MalformedMessage, match="MSH-18"):
        read_header(message)


@pytest.mark.parametrize("declared", ["", "ISO IR999", "ASCII"])
@pytest.mark.parametrize(
    "name", ["育".encode("big5"), "王育".encode("big5"), "張綺^育".encode("big5"), "王緗".encode("gb18030")]
)
def test_bytes_that_may_be_halves_of_characters_cut_no_field_where_no_set_is_named(declared: str, name: bytes) -> None:
    raw = f"{HEAD}||||||{declared}\rPID|1||77||".encode() + name + b"||20260101"
    with pytest.raises(MalformedMessage, match="MSH-18"):
        read_header(parse(raw))


@pytest.mark.parametrize("name", ["René^José", "Nuñez^Conceição^Zoë", "Määttä^37 °", "Peña^« été »", "Ibáñez^µ"])
@pytest.mark.parametrize("codec", ["iso8859-1", "utf-8"])
def test_names_that_end_with_an_accent_are_read_where_no_set_is_named(name: str, codec: str) -> None:
    message = parse(f"{HEAD}\rPID|1||77||{name}|".encode(codec))
    assert (read_header(message).message_type, message.segments[1].raw(5)) == ("ORU", name)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("Петрова^Анна", "cp1251"),
        ("Петрова^Анна", "koi8-r"),
        ("Παπάς^Ελένη", "iso8859-7"),
        ("כהן^דוד", "cp1255"),
        ("ÄÖÜ^Zoë", "iso8859-1"),
    ],
)
def test_names_of_an_alphabet_of_one_byte_are_kept_where_no_set_is_named(name: str, codec: str) -> None:
    message = parse(f"{HEAD}\rPID|1||77||{name}|20260101".encode(codec))
    kept = message.segments[1].raw(5).encode("iso8859-1").decode(codec)
    assert (read_header(message).message_type, kept, message.segments[1].text(6)) == ("ORU", name, "20260101")


def test_a_name_in_utf_8_that_a_sender_has_cut_off_within_a_character_is_no_reason_to_refuse() -> None:
    raw = f"{HEAD}\rPID|1||77||José".encode()[:-1] + b"|Ren\xc3\xa9^"
    assert read_header(parse(raw)).message_type == "ORU"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b\T\c\R\d\E\e", "a^b&c~d\\e"),
        (r"\X4D6F\n", "Mon"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ ", "bold"),
        (r"100 \unknown\ x", r"100 \unknown\ x"),
        ("one \\ alone", "one \\ alone"),
        (r"\Xzz\ ", r"\Xzz\ "),
    ],
)
def test_escape_sequences_mean_what_the_standard_says(sent: str, meant: str) -> None:
    assert unescape(sent, Delimiters()).strip() == meant.strip()


def test_unescaping_what_was_escaped_gives_it_back() -> None:
    text = "a|b^c&d~e\\f\ng"
    assert unescape(escape(text, Delimiters()), Delimiters()) == text


def test_a_file_holds_one_message_for_each_line_that_begins_with_msh() -> None:
    one, two = f"{HEAD}\nPID|1".encode(), f"{HEAD}\r\nPID|2".encode()
    assert messages_in(b"\x0b" + one + b"\x1c\x0d\n" + two + b"\r\n\r\n") == [one, two]


def test_a_megabyte_made_to_be_slow_is_read_in_linear_time() -> None:
    began = time.perf_counter()
    for filler in (b"\r", b"\n ", b"\t", b"MSH", b"|", b"\\E"):
        parse(HEAD.encode() + b"\r" + filler * (1_000_000 // len(filler)) + b"x")
    assert time.perf_counter() - began < 10


def test_a_nul_written_as_an_escape_is_left_out_like_a_nul_that_is_sent() -> None:
    assert unescape(r"4\X00\711\X0041\ ", Delimiters()) == "4711A "
