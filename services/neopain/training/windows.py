"""The windows of a data set, prepared once and then read quickly and again and again.

Each segment becomes the window that scoring would have scored at its end (``segment_window``); its tensors lie in a
folder of the cache (``window_store``) that is named by what it was made from, so that a changed manifest, file or
feature makes a new one. Old folders may be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import neopain.features
from neopain.codecs.manifest import read_manifest
from neopain.domain.annotation import Segment
from neopain.errors import ConfigurationError
from neopain.features.clip import FrameArray
from neopain.features.cry import FULL_SCALE, Sound
from neopain.features.pack import WindowTensors
from neopain.features.signature import CLIP
from neopain.training import segment_window
from neopain.training.processes import in_processes
from neopain.training.targets import codes_of, items_of, label_of, pattern_of, sedation_of
from neopain.training.window_store import LAYOUT, WindowStore

MANIFEST: Final = "manifest.csv"
BLOCK: Final = 64
"""Windows that are prepared together: so many are done again after a kill."""

_READERS: Final = tuple(
    Path(__file__).with_name(f"{name}.py") for name in ("footage", "media", "segment_window", "session_vitals")
)

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Told how many of how many windows are prepared."""


class Sounds:
    """CRY of all windows as float32 [n, 160000], converted when it is asked for; an index may be anything of numpy."""

    def __init__(self, pcm: npt.NDArray[np.int16]) -> None:
        self.pcm = pcm
        self.shape = pcm.shape
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.pcm)

    def __getitem__(self, index: Any) -> Sound:
        return np.asarray(self.pcm[index], np.float32) / np.float32(FULL_SCALE)


class PreparedWindows:
    """The windows of a data set by their number, those without a label or without an infant among them.

    Arrays are mapped from files, so that taking some rows reads no others. A copy in another process opens the same
    files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: tuple[Segment, ...] = read_manifest((folder / MANIFEST).read_text(encoding="utf-8"))
        self._store = WindowStore(folder, len(self.segments), BLOCK)
        facts = self._store.read_facts()
        self.presences = tuple(one.presences for one in facts)
        """What is present in each window, and why the rest is not."""
        self.patterns = tuple(pattern_of(presences) for presences in self.presences)
        """The letters of the present modalities, in the order F C P M."""
        self.broken = tuple(broken for one in facts for broken in one.broken)
        """The files that could not be used."""
        self.labels: Floats = np.array([label_of(segment) for segment in self.segments], np.float32)
        """Float32 [n], mean NIPS x10/7 on 0..10; NaN where nobody rated."""
        self.sedation: Floats = np.array([sedation_of(segment) for segment in self.segments], np.float32)
        """Float32 [n], mean N-PASS sedation, 0 to -10; NaN where nobody rated."""
        self.items: Floats = np.stack([items_of(segment) for segment in self.segments])
        """Float32 [n, 6], mean NIPS items in the order of ``NIPS_ITEMS``; NaN where nobody noted them."""
        self.codes: Floats = np.stack([codes_of(segment) for segment in self.segments])
        """Float32 [n, 4], intensities of ``targets.CODES``; NaN where nobody coded."""
        self.cry = Sounds(self._store.array("cry"))
        """CRY, float32 [n, 160000]."""
        self.vitals: Floats = self._store.array("vitals")
        """VITALS, float32 [n, 10, 120]."""
        self.context: Floats = self._store.array("context")
        """CONTEXT, float32 [n, 22]."""
        self.present: npt.NDArray[np.bool_] = self._store.array("present")
        """PRESENT, bool [n, 3]."""
        self._frames = self._store.array("frames")

    def __len__(self) -> int:
        return len(self.segments)

    def __reduce__(self) -> tuple[type[PreparedWindows], tuple[Path]]:
        return type(self), (self.folder,)

    def clip(self, index: int) -> FrameArray:
        """CLIP of a window, uint8 [16, 224, 224, 3]; zeros when the face is absent."""
        places = self._frames[index]
        if not places.any():
            return np.zeros(CLIP.shape, np.uint8)
        return np.stack(self._store.read_frames(index, places))

    def frame(self, index: int, place: int) -> FrameArray:
        """One frame of a clip, uint8 [224, 224, 3], without decoding the others."""
        places = self._frames[index, place][np.newaxis]
        if not places.any():
            return np.zeros(CLIP.shape[1:], np.uint8)
        return self._store.read_frames(index, places)[0]

    def tensors(self, index: int) -> WindowTensors:
        """All tensors of a window."""
        return WindowTensors(
            clip=self.clip(index),
            cry=self.cry[index],
            vitals=np.array(self.vitals[index]),
            context=np.array(self.context[index]),
            present=np.array(self.present[index]),
        )


def prepare(
    dataset_folder: Path, cache: Path, *, workers: int = 1, strict: bool = True, progress: Progress | None = None
) -> PreparedWindows:
    """The windows of the data set, made now or found in the cache; a preparation that was killed goes on.

    Raises ``ConfigurationError`` when the manifest is missing, wrong or empty, and in a ``strict`` preparation when a
    file cannot be read; else what the file would have given is absent with the reason ``unreadable-file``.
    """
    text = manifest_text(dataset_folder)
    segments = read_manifest(text)
    if not segments:
        raise ConfigurationError(f"{dataset_folder / MANIFEST} holds no segment: there is nothing to prepare")
    store = WindowStore(cache / _digest(dataset_folder, text, segments), len(segments), BLOCK)
    store.create({MANIFEST: text})
    _fill(store, dataset_folder, segments, workers=workers, progress=progress or _silent)
    windows = PreparedWindows(store.folder)
    if strict and windows.broken:
        raise ConfigurationError(
            f"{len(windows.broken)} files of {dataset_folder} cannot be used, the first: {windows.broken[0]}; "
            "'neopain data check' names all of them"
        )
    return windows


def manifest_text(dataset_folder: Path) -> str:
    """The text of the folder's manifest; ``ConfigurationError`` when there is none that can be read."""
    path = dataset_folder / MANIFEST
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read ({reason}): a data set is a folder with {MANIFEST}") from error


def _digest(folder: Path, text: str, segments: Iterable[Segment]) -> str:
    """What windows are made from, as 16 hexadecimal digits: manifest, files by size and time, and how it is done."""
    digest = hashlib.sha256(f"layout {LAYOUT} block {BLOCK}\n{text}".encode())
    for source in (*sorted(Path(neopain.features.__file__).parent.glob("*.py")), *_READERS):
        digest.update(source.read_bytes())
    for path in sorted({file.path for segment in segments for file in segment.recorded.values() if file.is_there}):
        try:
            stat = (folder / path).stat()
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{path}\0missing\n".encode())
    return digest.hexdigest()[:16]


def _fill(store: WindowStore, folder: Path, segments: tuple[Segment, ...], *, workers: int, progress: Progress) -> None:
    """Writes the blocks that are missing."""
    missing = [block for block in range(len(store.blocks)) if not store.has_block(block)]
    done = store.count - sum(len(store.blocks[block]) for block in missing)
    work = [_Work(store, block, folder, tuple(segments[index] for index in store.blocks[block])) for block in missing]
    for written in map(_write, work) if workers <= 1 or len(work) <= 1 else in_processes(_write, work, workers=workers):
        done += written
        progress(done, store.count)


@dataclass(frozen=True, slots=True)
class _Work:
    store: WindowStore
    block: int
    folder: Path
    segments: tuple[Segment, ...]


def _write(work: _Work) -> int:
    work.store.write_block(
        work.block, (segment_window.segment_window(segment, work.folder) for segment in work.segments)
    )
    return len(work.segments)


def _silent(_done: int, _count: int) -> None:
    """Tells nobody."""
