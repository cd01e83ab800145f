"""CLIP: sixteen face crops on a grid of 4/30 s that ends at T.

Each place takes the newest crop at or before its time that is not older than two steps; a place without one takes the
nearest that was found. The face is present when at least twelve places found their own and the newest crop is fresh.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from neopain.domain.identity import SourceId
from neopain.domain.media import FRAME_INTERVAL_SECONDS, FaceFrame
from neopain.domain.score import Modality, Presence
from neopain.domain.time import TimeQuality
from neopain.domain.window import CLIP_SPAN
from neopain.errors import ContractBroken
from neopain.features.absence import Absence, Heard, why_absent
from neopain.features.signature import CLIP, CLIP_FRAMES

TOLERANCE_SECONDS = 2 * FRAME_INTERVAL_SECONDS
"""How much older than its place a crop may be: cameras from about four frames a second on fill every place."""
LEAST_FILLED = 12
FRESH_SECONDS = 0.5
"""How old the newest crop may be at T."""
CLIP_LOOKBACK = CLIP_SPAN + timedelta(seconds=TOLERANCE_SECONDS)

GRID_SECONDS = tuple((place - CLIP_FRAMES + 1) * FRAME_INTERVAL_SECONDS for place in range(CLIP_FRAMES))
"""The places' times in seconds relative to T, -2.0 to 0."""
# A frame taken exactly at a place's time must not miss it by rounding.
_EPSILON_SECONDS = 1e-6

FrameArray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clip:
    """``frames`` is uint8 [16, 224, 224, 3], RGB, zeros when the face is absent."""

    frames: FrameArray
    presence: Presence


@dataclass(frozen=True, slots=True)
class _Seen:
    seconds: float
    frame: FaceFrame


def face_clip(frames: Iterable[FaceFrame], end: datetime) -> Clip:
    """The clip that ends at ``end``, from whatever order the frames come in.

    ``ContractBroken`` when a crop is not 224x224x3 bytes: ingest and the signature table disagree.
    """
    seen, heard = _inside(frames, end)
    crops = _of_best_camera([one for one in seen if one.frame.crop])
    places = _places([one.seconds for one in crops])
    filled = sum(place is not None for place in places)
    coverage = filled / CLIP_FRAMES
    if filled < LEAST_FILLED or crops[-1].seconds < -FRESH_SECONDS:
        reason = _reason(seen, crops, heard)
        return Clip(np.zeros(CLIP.shape, np.uint8), Presence(Modality.FACE, False, coverage, reason))
    return Clip(_stacked(crops, _nearest_filled(places)), Presence(Modality.FACE, True, coverage))


def _inside(frames: Iterable[FaceFrame], end: datetime) -> tuple[list[_Seen], Heard]:
    """The frames of the window with a usable clock, oldest first, and what was heard."""
    seen: list[_Seen] = []
    items = unusable = 0
    oldest = -CLIP_LOOKBACK.total_seconds() - _EPSILON_SECONDS
    for frame in frames:
        seconds = (frame.timing.aligned - end).total_seconds()
        if not oldest < seconds <= 0:
            continue
        items += 1
        if frame.timing.quality is TimeQuality.UNUSABLE:
            unusable += 1
        else:
            seen.append(_Seen(seconds, frame))
    # The crop comes last in the key: it is compared only when two frames claim the same time.
    seen.sort(key=lambda one: (one.seconds, one.frame.timing.received, one.frame.crop))
    return seen, Heard(items=items, clock_unusable=unusable)


def _of_best_camera(crops: list[_Seen]) -> list[_Seen]:
    """The crops of the camera that gave most: two cameras are never mixed."""
    by_camera: dict[SourceId, list[_Seen]] = defaultdict(list)
    for one in crops:
        by_camera[one.frame.source].append(one)
    cameras = sorted(by_camera, key=str)
    return max((by_camera[camera] for camera in cameras), key=len, default=[])


def _places(seconds: Sequence[float]) -> list[int | None]:
    """For each place the index of its crop, or None where the newest one before it is too old."""
    found: list[int | None] = []
    for place in GRID_SECONDS:
        index = bisect_right(seconds, place + _EPSILON_SECONDS) - 1
        is_near = index >= 0 and place - seconds[index] <= TOLERANCE_SECONDS + _EPSILON_SECONDS
        found.append(index if is_near else None)
    return found


def _nearest_filled(places: Sequence[int | None]) -> list[int]:
    filled = [place for place, index in enumerate(places) if index is not None]
    nearest = (min(filled, key=lambda other: (abs(other - place), other)) for place in range(len(places)))
    return [index for place in nearest if (index := places[place]) is not None]


def _stacked(crops: Sequence[_Seen], indices: Sequence[int]) -> FrameArray:
    clip = np.empty(CLIP.shape, np.uint8)
    size = clip[0].size
    for place, index in enumerate(indices):
        crop = crops[index].frame.crop
        if len(crop) != size:
            raise ContractBroken(
                f"a face crop has {len(crop)} bytes, CLIP needs {size} (224x224x3): ingest must send these"
            )
        clip[place] = np.frombuffer(crop, np.uint8).reshape(CLIP.shape[1:])
    return clip


def _reason(seen: Sequence[_Seen], crops: Sequence[_Seen], heard: Heard) -> str:
    absences = Counter(one.frame.absence.value for one in seen if one.frame.absence)
    if absences and seen[-1].frame.absence:
        return seen[-1].frame.absence.value
    if absences:
        return max(sorted(absences), key=absences.__getitem__)
    if crops and crops[-1].seconds < -FRESH_SECONDS:
        return Absence.STALE.value
    return why_absent(heard, Absence.NO_CAMERA).value
