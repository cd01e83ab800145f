from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.dicom.video import Span
from neopain.ingest.dicom.spans import open_spans

DATA = bytes(range(200))
SPANS = (Span(10, 5), Span(20, 1), Span(100, 50))
STREAM = DATA[10:15] + DATA[20:21] + DATA[100:150]


def test_the_fragments_are_read_as_one_stream(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(DATA)
    with open_spans(tmp_path / "object", SPANS) as stream:
        assert stream.read() == STREAM
        assert stream.seek(4) == 4
        assert stream.read(3) == STREAM[4:7]
        assert stream.seek(-2, io.SEEK_END) == 54
        assert (stream.read(), stream.read()) == (STREAM[-2:], b"")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_any_place_reads_as_from_a_copy(reads: list[tuple[int, int]]) -> None:
    path = Path(__file__)
    data = path.read_bytes()
    copy = io.BytesIO(b"".join(data[one.offset : one.offset + one.length] for one in SPANS))
    with open_spans(path, SPANS) as stream:
        for place, length in reads:
            assert stream.seek(place) == copy.seek(place)
            assert stream.read(length) == copy.read(length)
