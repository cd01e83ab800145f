"""A segment becomes the window that scoring would have made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.annotation import Availability, Recorded, Segment
from neopain.domain.census import BedState, Infant
from neopain.domain.media import AudioChunk, FaceFrame
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, VitalKind, VitalSample, VitalsBatch
from neopain.features.signature import CONTEXT_FIELDS
from neopain.features.window import WindowItems, assemble
from neopain.training.segment_window import Broken, SegmentWindow, segment_window
from neopain.training.session_vitals import BED, moment

Write = Callable[..., Path]
WriteDataset = Callable[..., tuple[Segment, ...]]
ABSENT = Availability(reason="lost-sensor")


def timing(seconds: float) -> Timing:
    return Timing(moment(seconds), moment(seconds), TimeQuality.SOURCE, moment(seconds))


def reasons(found: SegmentWindow) -> list[str]:
    """Why face, cry, physiology and movement are absent."""
    return [presence.reason for presence in found.window.presences]


def test_the_tensors_are_those_that_scoring_assembles(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    source = "camera, microphone and monitor"
    frames = [
        FaceFrame(BED, source, timing(90 - (15 - place) / 7.5), bytes([place]) * (224 * 224 * 3)) for place in range(16)
    ]
    heart = tuple(VitalSample(VitalKind.HEART_RATE, 140.0, timing(second)) for second in range(91))
    by_hand = assemble(
        WindowItems(
            end=moment(90),
            batches=(VitalsBatch(BED, source, heart, Processing.PRODUCTION),),
            frames=tuple(frames),
            chunks=(AudioChunk(BED, source, timing(80), b"\1\0" * 160_000),),
            bed_state=BedState(BED, moment(0), Infant((), gestational_age_days=210, born=moment(-14 * 86_400))),
        )
    ).tensors.by_name()
    found = segment_window(segment, tmp_path).window.tensors.by_name()
    assert {name: np.array_equal(found[name], by_hand[name]) for name in found} == dict.fromkeys(found, True)


def test_gestational_and_postmenstrual_age_are_in_the_context(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    context = segment_window(segment, tmp_path).window.tensors.context
    ages = [context[CONTEXT_FIELDS.index(f"{name}_age_weeks")] for name in ("gestational", "postmenstrual")]
    assert ages == pytest.approx([30.0, 32.0], abs=1e-3)


def test_what_was_not_recorded_is_absent_for_the_reason_of_the_manifest(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    (segment,) = write_dataset(tmp_path)
    found = segment_window(replace(segment, recorded=dict.fromkeys(Recorded, ABSENT)), tmp_path)
    assert (reasons(found), found.broken) == (["lost-sensor"] * 4, ())


def test_a_monitor_that_says_nothing_of_the_window_has_the_reason_of_scoring(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    (segment,) = write_dataset(tmp_path)
    assert reasons(segment_window(replace(segment, end_seconds=400), tmp_path))[2] == "no-monitor"


def test_broken_files_are_named_and_the_rest_is_used(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    (tmp_path / "0.mkv").write_text("no video")
    (tmp_path / "0.csv").unlink()
    found = segment_window(segment, tmp_path)
    assert reasons(found) == ["unreadable-file", "", "unreadable-file", "unreadable-file"]
    assert found.broken[0] == Broken("seg-0", Recorded.VITALS, "0.csv", "cannot be opened (No such file or directory)")
    assert str(found.broken[1]).startswith("segment 'seg-0', video '0.mkv': is no video or sound file")


def test_movement_of_the_table_is_a_modality(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    rows = [VitalRow(60 + step / 4, VitalKind.MOVEMENT, 0.25) for step in range(121)]
    (tmp_path / "0.csv").write_text(write_vitals(rows))
    window = segment_window(replace(segment, face_box=(0, 0, 64, 64)), tmp_path).window
    assert window.tensors.vitals[4].tolist() == [0.25] * 120
    assert [presence.is_present for presence in window.presences] == [True, True, False, True]


def test_movement_of_a_wide_view_is_measured_where_the_table_has_none(
    tmp_path: Path, write_dataset: WriteDataset, write_video: Write
) -> None:
    (segment,) = write_dataset(tmp_path)
    view = np.full((48, 64, 3), 100, np.uint8)
    moved = view.copy()
    moved[:20] = 200
    write_video(tmp_path / "0.mkv", [view if number % 4 < 2 else moved for number in range(60)], rate=8)
    window = segment_window(replace(segment, face_box=(0, 0, 40, 40)), tmp_path).window
    assert window.presences[3].is_present
    assert window.tensors.vitals[4].max() > 0.5


def test_a_face_crop_alone_says_nothing_of_movement(tmp_path: Path, write_dataset: WriteDataset) -> None:
    (segment,) = write_dataset(tmp_path)
    assert reasons(segment_window(segment, tmp_path)) == ["", "", "", "no-camera"]
