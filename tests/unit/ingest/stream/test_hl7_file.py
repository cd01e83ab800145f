from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neopain.domain.identity import recording_bed
from neopain.domain.vitals import Processing, VitalKind
from neopain.errors import UnreadableRecording
from neopain.ingest.stream.hl7_file import Hl7Values, read_hl7_files

Message = Callable[..., str]
BED = recording_bed("test")
EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Hl7Values]:
    def make(*contents: str | bytes) -> Hl7Values:
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"feed{number}.hl7"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        return read_hl7_files(paths, BED)

    return make


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: text.replace("\r", "\n"),
        lambda text: text.replace("\r", "\r\n"),
        lambda text: text.replace("\r", "\n\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\x0b" + text + "\x1c\r",
    ],
    ids=["CR", "LF", "CRLF", "blank lines", "byte order mark", "MLLP"],
)
def test_a_message_is_read_however_its_lines_end(
    read: Callable[..., Hl7Values], pcd01: Message, form: Callable[[str], str]
) -> None:
    (moment, batch), *more = read(form(pcd01(0, rate=151))).batches
    assert more == []
    assert moment == EIGHT
    assert [(one.kind, one.value) for one in batch.samples] == [
        (VitalKind.HEART_RATE, 151.0),
        (VitalKind.SPO2, 97.0),
    ]


def test_the_source_time_is_kept_as_it_was_written(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    sample = read(pcd01(0)).batches[0][1].samples[0]
    assert sample.timing.source_text == "20260302080000+0000"
    assert sample.timing.aligned == EIGHT


def test_several_messages_and_files_lie_on_one_axis(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    values = read(pcd01(4) + pcd01(2), pcd01(3))
    assert [moment.second for moment, _ in values.batches] == [2, 3, 4]


def test_the_recording_says_that_it_was_training_data(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    assert read(pcd01(0)).batches[0][1].processing is Processing.TRAINING


def test_values_without_a_time_of_their_own_have_the_message_s(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    header, *lines = pcd01(5).split("\r")
    bare = "\r".join([header, *(line.replace("20260302080005+0000", "") for line in lines)])
    assert read(bare).batches[0][0].second == 5


def test_a_value_of_an_earlier_minute_is_left_out_and_told(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    header, *lines = pcd01(5).split("\r")
    older = [line.replace("20260302080005+0000", "202603020700+0000") for line in lines]
    values = read("\r".join([header, *older]))
    assert (values.batches, "2 values without a time to the second were left out" in " ".join(values.notes)) == (
        [],
        True,
    )


def test_a_value_of_the_minute_of_its_message_has_that_one_s_time(
    read: Callable[..., Hl7Values], pcd01: Message
) -> None:
    header, *lines = pcd01(5).split("\r")
    bare = "\r".join([header, *(line.replace("20260302080005+0000", "202603020800+0000") for line in lines)])
    assert read(bare).batches[0][0].second == 5


def test_a_message_that_cannot_be_read_is_told_beside_good_ones(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    values = read(pcd01(0) + pcd01(1).replace("C1|T|2.6", "C1|X|2.6") + pcd01(2))
    assert len(values.batches) == 2
    assert values.notes == ["feed0.hl7: message 2: MSH-11: the processing id must be P, D or T"]


def test_a_bad_value_is_told_with_message_and_place(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    values = read(pcd01(0).replace("|97|", "|high|"))
    assert values.notes == ["feed0.hl7: message 1: OBX[2]-5: expected one number"]


def test_other_messages_are_passed_over_and_counted(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    values = read(pcd01(0) + pcd01(1).replace("ORU^R01^ORU_R01", "ADT^A01^ADT_A01"))
    assert values.notes == ["feed0.hl7: 1 messages other than ORU^R01 were passed over"]


def test_a_file_without_a_message_is_refused(read: Callable[..., Hl7Values]) -> None:
    with pytest.raises(UnreadableRecording, match=r"feed0\.hl7: holds no HL7 v2 message"):
        read("PID|||4711\rOBX|1|NM\r")


def test_a_binary_file_is_refused(read: Callable[..., Hl7Values]) -> None:
    with pytest.raises(UnreadableRecording, match=r"feed0\.hl7: holds no HL7 v2 message"):
        read(bytes(range(256)) * 10)


def test_a_file_none_of_whose_messages_can_be_read_is_refused_with_the_first_reason(
    read: Callable[..., Hl7Values], pcd01: Message
) -> None:
    with pytest.raises(UnreadableRecording, match=r"none of its messages can be read \(message 1: MSH-10: "):
        read(pcd01(0).replace("|C0|", "||"))


def test_vitals_of_two_infants_are_not_mixed(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    with pytest.raises(UnreadableRecording, match="vitals of 2 patients; give the files of one infant"):
        read(pcd01(0), pcd01(1).replace("4711", "4712"))


def test_vitals_of_two_beds_without_patients_are_not_mixed(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    first = pcd01(0).replace("4711", "")
    with pytest.raises(UnreadableRecording, match="vitals of 2 beds"):
        read(first, first.replace("NICU^1^1", "NICU^1^2"))


def test_an_infant_who_moves_to_another_bed_stays_one_infant(read: Callable[..., Hl7Values], pcd01: Message) -> None:
    assert len(read(pcd01(0), pcd01(1).replace("NICU^1^1", "NICU^1^2")).batches) == 2
