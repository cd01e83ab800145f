"""The windows of all data sets that a training was given, as one: read by number, with what the raters said of each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from neopain.domain.annotation import Segment

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Pixels = npt.NDArray[np.uint8]


class Sounds(Protocol):
    """CRY of each window, float32 [160000] by its number."""

    def __getitem__(self, index: int, /) -> Floats: ...


class Windows(Protocol):
    """Prepared windows of one data set (``training.windows``): what training and prediction read of them.

    ``labels`` float32 [n] on 0..10, ``sedation`` [n] 0..-10, ``items`` [n, 6], ``codes`` [n, 4], NaN where nobody
    rated; ``patterns`` n texts; ``cry``, ``vitals`` [n, 10, 120], ``context`` [n, 22], ``present`` bool [n, 3], all as
    ``features.signature`` says.
    """

    @property
    def segments(self) -> Sequence[Segment]: ...
    @property
    def labels(self) -> Floats: ...
    @property
    def sedation(self) -> Floats: ...
    @property
    def items(self) -> Floats: ...
    @property
    def codes(self) -> Floats: ...
    @property
    def patterns(self) -> Sequence[str]: ...
    @property
    def cry(self) -> Sounds: ...
    @property
    def vitals(self) -> Floats: ...
    @property
    def context(self) -> Floats: ...
    @property
    def present(self) -> Flags: ...

    def __len__(self) -> int: ...

    def clip(self, index: int) -> Pixels:
        """uint8 [16, 224, 224, 3]."""

    def frame(self, index: int, place: int) -> Pixels:
        """uint8 [224, 224, 3], one frame of a clip."""


class Pool:
    """Windows of several data sets under one numbering: those of the first, then those of the second, and so on."""

    def __init__(self, parts: Sequence[Windows]) -> None:
        self._parts = tuple(parts)
        self._begins = np.cumsum([0, *(len(part) for part in parts)]).tolist()
        self.segments = tuple(segment for part in parts for segment in part.segments)
        self.patterns = tuple(pattern for part in parts for pattern in part.patterns)
        self.labels = np.concatenate([part.labels for part in parts])
        self.sedation = np.concatenate([part.sedation for part in parts])
        self.items = np.concatenate([part.items for part in parts])
        self.codes = np.concatenate([part.codes for part in parts])
        self.vitals = np.concatenate([part.vitals for part in parts])
        self.context = np.concatenate([part.context for part in parts])
        self.present = np.concatenate([part.present for part in parts])

    def __len__(self) -> int:
        return int(self._begins[-1])

    def clip(self, index: int) -> Pixels:
        """uint8 [16, 224, 224, 3]."""
        part, row = self._place(index)
        return part.clip(row)

    def frame(self, index: int, place: int) -> Pixels:
        """uint8 [224, 224, 3], one frame of a clip."""
        part, row = self._place(index)
        return part.frame(row, place)

    def sound(self, index: int) -> Floats:
        """Float32 [160000], -1..1."""
        part, row = self._place(index)
        return np.asarray(part.cry[row], np.float32)

    def _place(self, index: int) -> tuple[Windows, int]:
        part = bisect_right(self._begins, index) - 1
        return self._parts[part], index - self._begins[part]
