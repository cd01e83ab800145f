"""WFDB records: annotated beats become RR intervals, and artefacts are marked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neopain.codecs.manifest import read_manifest
from neopain.codecs.vitals_table import VitalRow, read_vitals
from neopain.domain.vitals import Validity
from neopain.errors import ConfigurationError
from neopain.training.windows import prepare

# wfdb 4.3.1 with pandas 3.1.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")

RATE_HZ = 500
WriteRecord = Callable[..., Path]


@pytest.fixture(scope="module")
def wfdb() -> Any:
    """The library, imported where its warnings are known."""
    import wfdb

    return wfdb


@pytest.fixture(scope="module")
def adapter(wfdb: Any) -> Any:
    from neopain.training.adapters import wfdb as adapter

    return adapter


@pytest.fixture
def write_record(tmp_path: Path, wfdb: Any) -> WriteRecord:
    """Writes a record with annotations at these seconds; every one a normal beat unless said otherwise."""

    def write(seconds: list[float], *, symbols: dict[int, str] | None = None, suffix: str = "qrsc") -> Path:
        signal = np.zeros((RATE_HZ, 1))
        wfdb.wrsamp("infant1", RATE_HZ, ["mV"], ["ECG"], p_signal=signal, fmt=["16"], write_dir=str(tmp_path))
        codes = ["N"] * len(seconds)
        for place, symbol in (symbols or {}).items():
            codes[place] = symbol
        samples = np.round(np.array(seconds) * RATE_HZ).astype(int)
        wfdb.wrann("infant1", suffix, samples, symbol=codes, write_dir=str(tmp_path))
        return tmp_path / "infant1"

    return write


def regular(count: int, *, begin: float = 0.4, interval: float = 0.4) -> list[float]:
    return [begin + interval * beat for beat in range(count)]


def rows_of(out: Path) -> tuple[VitalRow, ...]:
    return read_vitals((out / "vitals.csv").read_text())


def test_an_interval_lies_at_its_later_beat(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    adapter.import_wfdb(write_record([1.0, 1.4, 1.84]), tmp_path / "out")
    assert [(row.seconds, row.value, row.validity) for row in rows_of(tmp_path / "out")] == [
        (1.4, 400.0, Validity.GOOD),
        (1.84, 440.0, Validity.GOOD),
    ]


def test_an_artefact_is_questionable(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    beats = regular(20)
    beats[10] -= 0.12
    adapter.import_wfdb(write_record(beats), tmp_path / "out")
    doubtful = [row for row in rows_of(tmp_path / "out") if row.validity is not Validity.GOOD]
    assert [(row.value, row.validity) for row in doubtful] == [
        (280.0, Validity.QUESTIONABLE),
        (520.0, Validity.QUESTIONABLE),
    ]


def test_an_interval_that_no_newborn_has_is_invalid(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    adapter.import_wfdb(write_record([*regular(10), *regular(10, begin=6.0)]), tmp_path / "out")
    assert [(row.value, row.validity) for row in rows_of(tmp_path / "out")][9] == (2000.0, Validity.INVALID)


def test_no_interval_bridges_an_interruption(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    beats = sorted([*regular(10), 2.1])
    adapter.import_wfdb(write_record(beats, symbols={beats.index(2.1): "~"}), tmp_path / "out")
    invalid = [row.seconds for row in rows_of(tmp_path / "out") if row.validity is Validity.INVALID]
    assert invalid == [2.4]


def test_annotations_that_are_no_beats_give_no_interval(
    tmp_path: Path, adapter: Any, write_record: WriteRecord
) -> None:
    beats = sorted([*regular(10), 2.1])
    adapter.import_wfdb(write_record(beats, symbols={beats.index(2.1): "+"}), tmp_path / "out")
    assert {row.value for row in rows_of(tmp_path / "out")} == {400.0}


def test_each_half_minute_with_good_beats_is_a_segment(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    record = write_record([*regular(70), *regular(70, begin=61.0)])
    result = adapter.import_wfdb(record, tmp_path / "out", origin=adapter.Origin("p1", "picsdb", "ODC-By-1.0"))
    segments = read_manifest(result.manifest.read_text())
    assert [(one.start_seconds, one.end_seconds) for one in segments] == [(0, 30), (60, 90)]
    assert {(one.subject.id, one.subject.site, one.session, one.licence) for one in segments} == {
        ("p1", "picsdb", "infant1", "ODC-By-1.0")
    }


def test_the_import_can_be_prepared_as_physiology(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    adapter.import_wfdb(write_record(regular(74)), tmp_path / "out")
    prepared = prepare(tmp_path / "out", tmp_path / "cache")
    assert (prepared.patterns, prepared.vitals[0, 0, -10:].tolist()) == (("P",), [400.0] * 10)


def test_a_header_names_its_record(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    assert adapter.import_wfdb(write_record(regular(5)).with_suffix(".hea"), tmp_path / "out").segments == 1


def test_two_annotators_must_be_told_apart(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    write_record(regular(5), suffix="atr")
    record = write_record(regular(5))
    with pytest.raises(ConfigurationError, match="qrsc, atr are there"):
        adapter.import_wfdb(record, tmp_path / "out")
    assert adapter.import_wfdb(record, tmp_path / "out", annotator="atr").segments == 1


def test_a_record_without_beats_is_refused(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    record = write_record(regular(5), symbols=dict.fromkeys(range(5), "+"))
    with pytest.raises(ConfigurationError, match="holds no two good beats"):
        adapter.import_wfdb(record, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_record_that_is_not_there_is_named(tmp_path: Path, adapter: Any) -> None:
    with pytest.raises(ConfigurationError, match="none of qrsc, atr"):
        adapter.import_wfdb(tmp_path / "gone", tmp_path / "out")
    with pytest.raises(ConfigurationError, match=r"is no WFDB record with beats in \.atr"):
        adapter.import_wfdb(tmp_path / "gone", tmp_path / "out", annotator="atr")


def test_other_bytes_are_refused(tmp_path: Path, adapter: Any, write_record: WriteRecord) -> None:
    record = write_record(regular(5))
    record.with_suffix(".hea").write_text("no header at all\n")
    with pytest.raises(ConfigurationError, match="is no WFDB record"):
        adapter.import_wfdb(record, tmp_path / "out")
