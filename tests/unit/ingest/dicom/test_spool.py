from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from neopain.errors import ConfigurationError
from neopain.ingest.dicom.spool import Spool

RECEIVED = datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", reserve_bytes=0) as spool:
        yield spool


def kept(spool: Spool, *, caller: str = "CAMERA1", received: datetime = RECEIVED) -> Path:
    path = spool.incoming / "tmp.dcm"
    path.write_bytes(b"object")
    return spool.keep(path, caller=caller, received=received).path


def test_an_object_tells_after_a_restart_who_sent_it_and_when(spool: Spool) -> None:
    kept(spool, caller="CAM 1./%x")
    spool.close()
    with Spool(spool.root, reserve_bytes=0) as after:
        (found,) = after.waiting()
    assert (found.caller, found.received, found.attempts) == ("CAM 1./%x", RECEIVED, 0)
    assert found.path.read_bytes() == b"object"


def test_objects_wait_in_the_order_in_which_they_came(spool: Spool) -> None:
    later = kept(spool, received=RECEIVED + timedelta(microseconds=1))
    earlier = kept(spool)
    assert [one.path for one in spool.waiting()] == [earlier, later]


def test_attempts_are_counted_until_they_are_given_back(spool: Spool) -> None:
    kept(spool)
    spool.begin(spool.begin(spool.waiting()[0]))
    assert spool.waiting()[0].attempts == 2
    spool.give_back(spool.waiting()[0])
    assert spool.waiting()[0].attempts == 0


def test_what_was_never_answered_is_gone_at_the_next_start(spool: Spool) -> None:
    (spool.incoming / "tmp_half.dcm").write_bytes(b"half")
    spool.close()
    with Spool(spool.root, reserve_bytes=0) as after:
        assert list(after.incoming.iterdir()) == []


def test_a_sweep_spares_what_is_in_use_or_young(spool: Spool) -> None:
    used, unused = spool.incoming / "used.dcm", spool.incoming / "unused.dcm"
    used.touch()
    unused.touch()
    assert spool.sweep({used}, older_than_seconds=60) == 0
    assert spool.sweep({used}, older_than_seconds=0) == 1
    assert list(spool.incoming.iterdir()) == [used]


def test_nobody_else_may_look_into_the_spool(spool: Spool) -> None:
    assert [stat.S_IMODE(path.stat().st_mode) for path in (spool.root, spool.incoming)] == [0o700, 0o700]


def test_a_reserve_above_what_is_free_leaves_no_room(tmp_path: Path) -> None:
    with Spool(tmp_path, reserve_bytes=1 << 60) as spool:
        assert not spool.has_room()


def test_a_spool_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="set NEOPAIN_INGEST_DICOM_SPOOL"):
        Spool(tmp_path / "file", reserve_bytes=0)


def test_files_of_others_are_left_alone(spool: Spool) -> None:
    (spool.root / "waiting" / "notes.txt").touch()
    assert spool.waiting() == []
