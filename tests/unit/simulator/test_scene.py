"""The drawn infant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neopain.domain.media import FaceBox
from neopain.simulator.behaviour import Behaviour, Signs
from neopain.simulator.infant import SimulatedInfant, SkinTone
from neopain.simulator.scene import Scene

CALM = Signs(
    brow_bulge=0.0,
    eye_squeeze=0.0,
    nasolabial_furrow=0.0,
    mouth_open=0.0,
    eye_open=0.0,
    flush=0.0,
    head_turn=0.0,
    head_roll=0.0,
    limb_motion=0.0,
    arms=(0.0, 0.0),
    legs=(0.0, 0.0),
    cry=0.0,
)


@pytest.fixture
def scene(infant: SimulatedInfant) -> Scene:
    return Scene(infant)


def mouth_pixels(scene: Scene, signs: Signs) -> int:
    """Pixels of the mouth's red inside the face's lower half."""
    frame = scene.frame(signs, 0)
    box = frame.face
    lower = frame.rgb[box.y + box.height // 2 : box.y + box.height, box.x : box.x + box.width].astype(int)
    red, green, blue = lower[..., 0], lower[..., 1], lower[..., 2]
    return int(((red > 2 * green) & (red > 2 * blue)).sum())


def changed(scene: Scene, signs: Signs, rows: slice, columns: slice) -> float:
    """The mean change from the calm face in a part of the face's box, in grey levels."""
    box = scene.frame(CALM, 0).face
    part = (slice(box.y + rows.start, box.y + rows.stop), slice(box.x + columns.start, box.x + columns.stop))
    return float(
        np.abs(scene.frame(signs, 0).rgb[part].astype(int) - scene.frame(CALM, 0).rgb[part].astype(int)).mean()
    )


def test_a_frame_is_rgb_of_300_rows_and_400_columns(scene: Scene) -> None:
    frame = scene.frame(CALM, 0)

    assert frame.rgb.shape == (300, 400, 3)
    assert frame.rgb.dtype == np.uint8


def test_the_mouth_grows_with_its_opening(scene: Scene) -> None:
    areas = [mouth_pixels(scene, replace(CALM, mouth_open=opening)) for opening in (0.0, 0.4, 0.7, 1.0)]

    assert areas == sorted(areas)
    assert areas[0] < 80
    assert areas[3] > 400


def test_a_bulging_brow_changes_the_brow_and_not_the_chin(scene: Scene) -> None:
    signs = replace(CALM, brow_bulge=1.0)

    assert changed(scene, signs, slice(36, 62), slice(45, 90)) > 8
    assert changed(scene, signs, slice(120, 145), slice(45, 90)) == 0


def test_squeezed_eyes_change_the_eyes(scene: Scene) -> None:
    assert changed(scene, replace(CALM, eye_squeeze=1.0), slice(62, 82), slice(20, 115)) > 2


def test_furrows_change_the_cheeks(scene: Scene) -> None:
    assert changed(scene, replace(CALM, nasolabial_furrow=1.0), slice(84, 110), slice(30, 105)) > 2


def test_the_box_follows_the_head(scene: Scene) -> None:
    left, right = scene.frame(replace(CALM, head_turn=-1.0), 0).face, scene.frame(replace(CALM, head_turn=1.0), 0).face

    assert right.x - left.x == 28


def test_the_box_lies_within_the_frame(scene: Scene, behaviour: Behaviour) -> None:
    for number, t in enumerate(np.arange(0.0, 50.0, 0.5)):
        box = scene.frame(behaviour.signs(float(t)), number).face
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= 400
        assert box.y + box.height <= 300


def test_moving_arms_move_pixels_outside_the_face(scene: Scene) -> None:
    box = scene.frame(CALM, 0).face
    before, after = (
        scene.frame(CALM, 0).rgb.astype(int),
        scene.frame(replace(CALM, arms=(0.5, -0.5)), 0).rgb.astype(int),
    )
    difference = np.abs(after - before)

    assert difference[box.y + box.height :].max() > 50
    assert difference[: box.y + box.height - 40, box.x : box.x + box.width].max() == 0


def test_two_frames_of_a_still_infant_differ_by_the_sensors_noise_alone(scene: Scene) -> None:
    difference = scene.frame(CALM, 0).rgb.astype(int) - scene.frame(CALM, 1).rgb.astype(int)

    assert 0.5 < difference.std() < 4.0


def test_the_same_moment_gives_the_same_picture(infant: SimulatedInfant, behaviour: Behaviour) -> None:
    signs = behaviour.signs(17.0)

    assert np.array_equal(Scene(infant).frame(signs, 3).rgb, Scene(infant).frame(signs, 3).rgb)


@pytest.mark.parametrize("skin", list(SkinTone))
def test_the_open_mouth_is_seen_on_every_skin(infant: SimulatedInfant, skin: SkinTone) -> None:
    assert mouth_pixels(Scene(replace(infant, skin=skin)), replace(CALM, mouth_open=1.0)) > 400


def test_the_calm_face_is_where_its_box_says(scene: Scene) -> None:
    assert scene.frame(CALM, 0).face == FaceBox(x=133, y=19, width=134, height=146)
