"""What the camera at a cot shows: the scene with hands in it, in that camera's light, focus and angle."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from neopain.domain.media import FaceBox
from neopain.simulator.accessories import GLOVES_RGB, Worn, draw_hand
from neopain.simulator.behaviour import Behaviour, Signs
from neopain.simulator.circumstances import Camera
from neopain.simulator.condition import EventKind
from neopain.simulator.face import Image
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, generator, wander
from neopain.simulator.scene import HEAD_AT, Scene, SceneFrame

HAND_REACH_PX = 150.0
LEAST_BLUR_PX = 0.2
LIGHT_SECONDS = 40.0
LIGHT_CHANGE = 0.05


class View:
    """One infant before one camera."""

    def __init__(self, infant: SimulatedInfant, behaviour: Behaviour, camera: Camera) -> None:
        self.behaviour = behaviour
        self.condition = behaviour.condition
        self.camera = camera
        self.scene = Scene(infant, Worn(eye_mask=camera.eye_mask, tube=camera.tube, blanket=camera.blanket))
        rng = generator(infant.seed, "view", infant.number)
        self.glove = GLOVES_RGB[int(rng.integers(len(GLOVES_RGB)))]
        self._light = wander(infant.seed, "light", infant.number, period_seconds=LIGHT_SECONDS)
        self._hand = wander(infant.seed, "hand", infant.number, period_seconds=3.0)

    def frames(self, seconds: Floats) -> Iterator[SceneFrame]:
        """The frames at these times, and the boxes that a face finder would give."""
        for number, (at, signs) in enumerate(zip(seconds, self.behaviour.signs_at(seconds), strict=True)):
            yield self._frame(signs, number, float(at))

    def frame(self, number: int, seconds: float) -> SceneFrame:
        """The frame of that number at that time."""
        return self._frame(self.behaviour.signs(seconds), number, seconds)

    def empty_frames(self, seconds: Floats) -> Iterator[SceneFrame]:
        """The same cot without an infant."""
        for number, at in enumerate(seconds):
            yield self._seen(self.scene.empty(number), float(at))

    def outlines(self, seconds: Floats) -> Iterator[Image]:
        """The wide view as far as movement is concerned: who moves, and whose hands."""
        for at, signs in zip(seconds, self.behaviour.signs_at(seconds), strict=True):
            canvas = self.scene.outline(signs)
            self._draw_hands(canvas, float(at))
            yield canvas

    def empty_outlines(self, seconds: Floats) -> Iterator[Image]:
        """The wide view of the empty cot."""
        for _ in seconds:
            yield self.scene.background

    def _frame(self, signs: Signs, number: int, seconds: float) -> SceneFrame:
        drawn = self.scene.frame(signs, number)
        self._draw_hands(drawn.rgb, seconds)
        return self._seen(drawn, seconds)

    def _draw_hands(self, canvas: Image, seconds: float) -> None:
        before_face = float(self.condition.level(EventKind.HAND_IN_PICTURE, seconds))
        at_work = float(self.condition.level(EventKind.HANDLING, seconds))
        wobble = self._hand.at(seconds)
        if before_face > 0.05:
            reach = HAND_REACH_PX * (1.0 - before_face)
            draw_hand(canvas, (HEAD_AT[0] - 22 + reach + 7 * wobble, HEAD_AT[1] + 18 + 5 * wobble), self.glove)
        if at_work > 0.05:
            reach = HAND_REACH_PX * (1.0 - at_work)
            draw_hand(canvas, (212 + reach + 16 * wobble, 236 + 12 * wobble), self.glove)

    def _seen(self, drawn: SceneFrame, seconds: float) -> SceneFrame:
        camera = self.camera
        light = camera.gain * (1.0 + LIGHT_CHANGE * self._light.at(seconds))
        light *= 1.0 + 0.25 * float(self.condition.level(EventKind.BRIGHT_LIGHT, seconds))
        picture = drawn.rgb
        if camera.blur_px > LEAST_BLUR_PX:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), camera.blur_px), dtype=np.uint8)
        scaled = np.clip(picture * (light * np.array(camera.tint, dtype=np.float32)), 0, 255).astype(np.uint8)
        centre = (HEAD_AT[0], HEAD_AT[1] + 40)
        matrix = cv2.getRotationMatrix2D(centre, camera.roll_degrees, 1.0)
        height, width = picture.shape[:2]
        turned = cv2.warpAffine(scaled, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return SceneFrame(
            np.asarray(turned, dtype=np.uint8), self._box(drawn.face, np.asarray(matrix, dtype=np.float64))
        )

    def _box(self, face: FaceBox, matrix: Floats) -> FaceBox:
        """The true box as a finder with this camera's error gives it."""
        middle = np.array([face.x + face.width / 2, face.y + face.height / 2, 1.0])
        x, y = matrix @ middle
        side = max(face.width, face.height) * self.camera.box_scale
        x += side * self.camera.box_shift[0]
        y += side * self.camera.box_shift[1]
        return FaceBox(round(x - side / 2), round(y - side / 2), round(side), round(side))
