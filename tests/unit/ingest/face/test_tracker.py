from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.domain.time import Timing
from neopain.ingest.face.finder import FoundFace
from neopain.ingest.face.tracker import FaceTracker

TimingAt = Callable[[float], Timing]
FACE = np.random.default_rng(7).integers(0, 255, (8, 8, 3)).astype(np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def scene(x: int, y: int = 60) -> NDArray[np.uint8]:
    """A picture with the patterned face, 80 pixels wide, at that place."""
    picture = np.full((240, 320, 3), 128, np.uint8)
    picture[y : y + 80, x : x + 80] = FACE
    return picture


class Told:
    """A finder that says what it is told to and counts how often it is asked."""

    def __init__(self, *faces: FoundFace) -> None:
        self.faces = list(faces)
        self.asked = 0

    def find(self, picture: NDArray[np.uint8]) -> list[FoundFace]:
        self.asked += 1
        return self.faces if picture.shape == (240, 320, 3) else []


def face(x: int, *, confidence: float = 0.95, roll: float = 0.0) -> FoundFace:
    return FoundFace(FaceBox(x, 60, 80, 80), confidence, roll)


def test_between_two_looks_a_moving_face_is_followed(timing_at: TimingAt) -> None:
    finder = Told(face(100))
    tracker = FaceTracker(finder)
    boxes = [tracker.locate(scene(100 + 4 * step), timing_at(step / 8).aligned) for step in range(8)]
    assert finder.asked == 1
    assert [box.x for box in boxes if isinstance(box, FaceBox)] == pytest.approx(
        [100, 104, 108, 112, 116, 120, 124, 128], abs=3
    )


def test_a_face_that_following_loses_is_absent_at_once(timing_at: TimingAt) -> None:
    tracker = FaceTracker(Told(face(100)))
    tracker.locate(scene(100), timing_at(0).aligned)
    empty = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    assert tracker.locate(empty, timing_at(0.2).aligned) is FaceAbsence.NOT_FOUND


def test_a_face_that_is_followed_but_no_longer_found_is_given_up_after_three_seconds(timing_at: TimingAt) -> None:
    finder = Told(face(100))
    tracker = FaceTracker(finder)
    tracker.locate(scene(100), timing_at(0).aligned)
    finder.faces = []
    held = [isinstance(tracker.locate(scene(100), timing_at(second).aligned), FaceBox) for second in range(1, 6)]
    assert held == [True, True, True, False, False]


def test_two_faces_are_not_chosen_between(timing_at: TimingAt) -> None:
    tracker = FaceTracker(Told(face(20), face(200)))
    assert tracker.locate(scene(20), timing_at(0).aligned) is FaceAbsence.SEVERAL


def test_somebody_who_bends_over_the_bed_does_not_take_the_infant_s_place(timing_at: TimingAt) -> None:
    finder = Told(face(20))
    tracker = FaceTracker(finder)
    tracker.locate(scene(20), timing_at(0).aligned)
    finder.faces = [face(200), face(20)]
    assert tracker.locate(scene(20), timing_at(1).aligned) == FaceBox(20, 60, 80, 80)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (face(100, confidence=0.7), FaceAbsence.UNCERTAIN),
        (face(100, roll=35.0), FaceAbsence.ROLLED),
        (face(100, roll=-35.0), FaceAbsence.ROLLED),
    ],
)
def test_a_face_that_is_not_sure_or_leans_too_far_is_absent_with_the_reason(
    timing_at: TimingAt, found: FoundFace, reason: FaceAbsence
) -> None:
    assert FaceTracker(Told(found)).locate(scene(100), timing_at(0).aligned) is reason


def test_without_a_face_each_look_tries_another_position_once_a_second(timing_at: TimingAt) -> None:
    finder = Told()
    tracker = FaceTracker(finder)
    for step in range(40):
        assert tracker.locate(scene(100), timing_at(step / 8).aligned) is FaceAbsence.NOT_FOUND
    assert finder.asked == 5


def test_a_face_that_lies_on_its_side_is_found_and_its_turns_are_kept(timing_at: TimingAt) -> None:
    class Lying(Told):
        def find(self, picture: NDArray[np.uint8]) -> list[FoundFace]:
            return [FoundFace(FaceBox(60, 140, 80, 80))] if picture.shape == (320, 240, 3) else []

    tracker = FaceTracker(Lying())
    found = [tracker.locate(scene(100), timing_at(second).aligned) for second in range(3)]
    assert found == [FaceAbsence.NOT_FOUND, FaceBox(100, 60, 80, 80, 1), FaceBox(100, 60, 80, 80, 1)]
