"""``neopain bench faults``, small: every fault of the table and one death of each part, and the ledgers agree."""

from __future__ import annotations

import time
from pathlib import Path

from neopain.bootstrap.faults_bench.command import FaultsBenchOptions, prove
from neopain.bootstrap.faults_bench.storm import PARTS
from neopain.embedded.state import StateFolder

from ..ehr_packages import share_ehr_packages


def test_every_entry_is_in_the_ehr_exactly_once_whatever_fails_and_whoever_dies(
    state_dir: Path, tmp_path: Path
) -> None:
    share_ehr_packages(state_dir, StateFolder(tmp_path))
    options = FaultsBenchOptions(
        entries=24,
        infants=12,
        moments=1,
        share=0.15,
        interval_seconds=2.0,
        seed=time.time_ns() % (1 << 31),
        as_json=True,
        state_dir=None,
    )

    result = prove(options, tmp_path)

    assert result.holds, result
    assert result.killed == dict.fromkeys(PARTS, 1)
    assert (result.entries, result.verdict.in_ehr) == (24, 24)
    assert len(result.faults) > 6
