"""Prepared windows on disk: arrays that are mapped, frames as JPEG, written block by block and resumed after a kill.

A store is a folder. Its arrays have a row for each window from the beginning; a block of windows is there when its JSON
file is, which is written last. Two processes that prepare the same store write the same.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from neopain.domain.annotation import Recorded
from neopain.domain.score import Modality, Presence
from neopain.errors import ConfigurationError, ContractBroken
from neopain.features.clip import FrameArray
from neopain.features.cry import FULL_SCALE
from neopain.features.signature import CLIP_FRAMES, CONTEXT, CRY, PRESENT, VITALS
from neopain.training.segment_window import Broken, SegmentWindow

LAYOUT: Final = 1
"""Changes when what lies in a store changes."""
JPEG_QUALITY: Final = 95
_JPEG: Final = (
    cv2.IMWRITE_JPEG_QUALITY,
    JPEG_QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)
"""Colour is kept at full resolution: cameras have thinned it out once already."""

ARRAYS: Final[dict[str, tuple[tuple[int, ...], type[np.generic]]]] = {
    "cry": (CRY.shape, np.int16),
    "vitals": (VITALS.shape, np.float32),
    "context": (CONTEXT.shape, np.float32),
    "present": (PRESENT.shape, np.bool_),
    # Where a frame lies in the file of its block, and how many bytes it has; 0 bytes for an absent face.
    "frames": ((CLIP_FRAMES, 2), np.int64),
}
"""The shape of a row and its type, by the array's name."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What else is kept of a window."""

    presences: tuple[Presence, ...]
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class WindowStore:
    """The folder of a store of ``count`` windows, so many of which are written, and begun again, together."""

    folder: Path
    count: int
    block_size: int

    @property
    def blocks(self) -> tuple[range, ...]:
        """The windows of each block."""
        begins = range(0, self.count, self.block_size)
        return tuple(range(begin, min(begin + self.block_size, self.count)) for begin in begins)

    def create(self, texts: Mapping[str, str]) -> None:
        """Makes the empty store and text files in it, whole or not at all; leaves one that is there as it is."""
        if (self.folder / "cry.npy").exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}-"))
        for name, (shape, dtype) in ARRAYS.items():
            np.lib.format.open_memmap(fresh / f"{name}.npy", "w+", dtype, (self.count, *shape)).flush()
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8")
        try:
            fresh.rename(self.folder)
        except OSError:
            # Another process was first.
            shutil.rmtree(fresh)
            if not (self.folder / "cry.npy").exists():
                raise

    def array(self, name: str, mode: Literal["r", "r+"] = "r") -> Array:
        """One array, mapped; ``ConfigurationError`` when it is not what this version writes."""
        shape, dtype = ARRAYS[name]
        path = self.folder / f"{name}.npy"
        try:
            found: Array = np.load(path, mmap_mode=mode)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read ({error}): delete the folder and prepare again") from error
        if found.shape != (self.count, *shape) or found.dtype != dtype:
            raise ConfigurationError(f"{path} holds {found.dtype} {found.shape}: delete the folder and prepare again")
        return found

    def has_block(self, block: int) -> bool:
        """Whether all of the block is there."""
        return self._facts_path(block).exists()

    def write_block(self, block: int, windows: Iterable[SegmentWindow]) -> None:
        """Writes the windows of a block, its facts last."""
        arrays = {name: self.array(name, "r+") for name in ARRAYS}
        clips = bytearray()
        facts = []
        for index, found in zip(self.blocks[block], windows, strict=True):
            tensors = found.window.tensors
            arrays["vitals"][index] = tensors.vitals
            arrays["context"][index] = tensors.context
            arrays["present"][index] = tensors.present
            has_face, has_cry, _ = tensors.present
            # Rows that stay untouched are holes in the file.
            if has_cry:
                arrays["cry"][index] = np.round(tensors.cry * FULL_SCALE)
            if has_face:
                arrays["frames"][index] = _append_frames(clips, tensors.clip)
            facts.append(_facts_to_json(found))
        _write_whole(self._frames_path(block), clips)
        _write_whole(self._facts_path(block), json.dumps(facts).encode())

    def read_facts(self) -> tuple[Facts, ...]:
        """The facts of all windows, every block of which is there."""
        paths = [self._facts_path(block) for block in range(len(self.blocks))]
        return tuple(_facts_from_json(one) for path in paths for one in json.loads(path.read_bytes()))

    def read_frames(self, index: int, places: Array) -> list[FrameArray]:
        """The decoded frames of a window; ``places`` is int64 [k, 2], rows of its ``frames`` that are not empty.

        A place that is the same as the one before is decoded once.
        """
        decoded: dict[int, FrameArray] = {}
        with self._frames_path(index // self.block_size).open("rb") as file:
            for offset, size in np.unique(places, axis=0).tolist():
                file.seek(offset)
                decoded[offset] = _decoded(file.read(size))
        return [decoded[offset] for offset in places[:, 0].tolist()]

    def _frames_path(self, block: int) -> Path:
        return self.folder / f"frames-{block:06}.bin"

    def _facts_path(self, block: int) -> Path:
        return self.folder / f"facts-{block:06}.json"


def _append_frames(clips: bytearray, clip: FrameArray) -> Array:
    """Appends the clip's frames and returns where they lie; a frame that is like the one before is not repeated."""
    places = np.zeros((CLIP_FRAMES, 2), np.int64)
    for place, frame in enumerate(clip):
        if place and np.array_equal(frame, clip[place - 1]):
            places[place] = places[place - 1]
            continue
        jpeg = _encoded(frame)
        places[place] = len(clips), len(jpeg)
        clips += jpeg
    return places


def _encoded(frame: FrameArray) -> bytes:
    is_done, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not is_done:
        raise ContractBroken(f"a frame of shape {frame.shape} could not be written as JPEG")
    return jpeg.tobytes()


def _decoded(jpeg: bytes) -> FrameArray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ContractBroken("a prepared frame cannot be decoded: delete the folder of prepared windows")
    return np.asarray(picture, np.uint8)


def _facts_to_json(found: SegmentWindow) -> dict[str, Any]:
    return {
        "presences": [[one.modality.value, one.is_present, one.coverage, one.reason] for one in found.window.presences],
        "broken": [[one.segment, one.recorded.value, one.path, one.reason] for one in found.broken],
    }


def _facts_from_json(facts: dict[str, Any]) -> Facts:
    return Facts(
        presences=tuple(
            Presence(Modality(modality), is_present, coverage, reason)
            for modality, is_present, coverage, reason in facts["presences"]
        ),
        broken=tuple(
            Broken(segment, Recorded(recorded), path, reason) for segment, recorded, path, reason in facts["broken"]
        ),
    )


def _write_whole(path: Path, content: bytes | bytearray) -> None:
    """Writes the file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)
