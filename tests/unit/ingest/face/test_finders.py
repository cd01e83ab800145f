"""The finders themselves. The portrait is one that scikit-image brings along (NASA, public domain)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.domain.time import Timing
from neopain.errors import ConfigurationError
from neopain.ingest.face.cascade import CascadeFinder
from neopain.ingest.face.finder import overlap
from neopain.ingest.face.tracker import FaceTracker
from neopain.ingest.face.yunet import YuNetFinder, faces_of, in_square

TimingAt = Callable[[float], Timing]
FACE = FaceBox(175, 62, 100, 105)
"""Where the portrait's face is, by eye."""


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    skimage = pytest.importorskip("skimage", reason="the portrait and the cascade come with scikit-image")
    picture = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"), cv2.IMREAD_COLOR_RGB)
    return np.asarray(picture, np.uint8)


@pytest.fixture(scope="module")
def cascade() -> CascadeFinder:
    pytest.importorskip("skimage", reason="the cascade comes with scikit-image")
    return CascadeFinder()


def test_the_cascade_finds_the_face_of_a_portrait(cascade: CascadeFinder, portrait: NDArray[np.uint8]) -> None:
    (face,) = cascade.find(portrait)
    assert overlap(face.box, FACE) > 0.6


@pytest.mark.parametrize("turns", [1, 3])
def test_a_lying_portrait_is_found_within_four_looks_and_turned_upright(
    cascade: CascadeFinder, portrait: NDArray[np.uint8], timing_at: TimingAt, turns: int
) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait, -turns))
    tracker = FaceTracker(cascade)
    found = next(
        one for second in range(4) if isinstance(one := tracker.locate(lying, timing_at(second).aligned), FaceBox)
    )
    assert found.turns == turns


def test_where_there_is_no_face_the_cascade_finds_none(cascade: CascadeFinder, timing_at: TimingAt) -> None:
    noise = np.random.default_rng(0).integers(90, 130, (90, 120, 3)).astype(np.uint8)
    tracker = FaceTracker(cascade)
    assert {tracker.locate(noise, timing_at(second).aligned) for second in range(4)} == {FaceAbsence.NOT_FOUND}


def test_a_missing_scikit_image_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ConfigurationError, match="pip install scikit-image"):
        CascadeFinder()


def test_a_missing_yunet_file_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_CAMERA_FINDER_MODEL"):
        YuNetFinder(tmp_path / "none.onnx")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"not a network")
    with pytest.raises(ConfigurationError, match="no YuNet that OpenCV can run"):
        YuNetFinder(tmp_path / "yunet.onnx")


def test_yunet_s_rows_become_faces_in_pixels_of_the_picture_the_surest_first() -> None:
    unsure = [10, 20, 30, 40, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0.6]
    leaning = [100, 50, 80, 90, 120, 80, 140, 100, 0, 0, 0, 0, 0, 0, 0.9]
    first, second = faces_of(np.array([unsure, leaning], np.float32), 0.5)
    assert (first.box, second.box) == (FaceBox(200, 100, 160, 180), FaceBox(20, 40, 60, 80))
    assert (first.roll_degrees, second.roll_degrees) == (45.0, 0.0)
    assert first.confidence == pytest.approx(0.9)


def test_yunet_gets_a_square_in_its_own_order_of_colours() -> None:
    square, scale = in_square(np.full((240, 320, 3), (255, 128, 0), np.uint8))
    assert (square.shape, scale) == ((640, 640, 3), 2.0)
    assert square[100, 100].tolist() == [0, 128, 255]
    assert square[600, 100].tolist() == [0, 0, 0]


@pytest.mark.skipif("NEOPAIN_TEST_YUNET" not in os.environ, reason="NEOPAIN_TEST_YUNET names no YuNet file")
def test_yunet_finds_the_face_of_a_portrait(portrait: NDArray[np.uint8]) -> None:
    (face,) = YuNetFinder(Path(os.environ["NEOPAIN_TEST_YUNET"])).find(portrait)
    assert overlap(face.box, FACE) > 0.5
    assert face.confidence > 0.8
