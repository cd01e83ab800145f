"""CRY: the last 10 s of sound at 16 kHz, placed by the time of its samples.

Gaps stay zero and are counted. Digital silence is data like any other: a quiet room is present, a microphone that
sends nothing is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from neopain.domain.identity import SourceId
from neopain.domain.media import SAMPLE_RATE_HZ, AudioChunk
from neopain.domain.score import Modality, Presence
from neopain.domain.time import TimeQuality
from neopain.domain.window import CRY_SPAN, SHORTEST_DATA
from neopain.features.absence import Absence, Heard, why_absent
from neopain.features.signature import CRY_SAMPLES

LEAST_SAMPLES = int(SHORTEST_DATA.total_seconds() * SAMPLE_RATE_HZ)
SEAM_SAMPLES = SAMPLE_RATE_HZ // 100
"""A seam of up to 10 ms between two chunks is bridged by a straight line: the estimate of a clock moves by that much,
and a hole in a cry would be heard as a click."""

FULL_SCALE = 32768.0
BYTES_PER_SAMPLE = 2

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cry:
    """``samples`` is float32 [160000], -1..1, zeros where nothing is known and when the cry is absent."""

    samples: Sound
    presence: Presence


@dataclass(frozen=True, slots=True)
class _Placed:
    begin: int
    """Index of the first sample in the window; negative for a chunk that began before it."""
    pcm: bytes


def cry_window(chunks: Iterable[AudioChunk], end: datetime) -> Cry:
    """The sound that ends at ``end``, from whatever order the chunks come in."""
    by_microphone, heard = _placed(chunks, end)
    laid = [_laid(by_microphone[source]) for source in sorted(by_microphone, key=str)]
    samples, covered = max(laid, key=lambda one: one[1], default=(np.zeros(CRY_SAMPLES, np.float32), 0))
    coverage = covered / CRY_SAMPLES
    if covered < LEAST_SAMPLES:
        reason = why_absent(heard, Absence.NO_MICROPHONE).value
        return Cry(np.zeros(CRY_SAMPLES, np.float32), Presence(Modality.CRY, False, coverage, reason))
    return Cry(samples, Presence(Modality.CRY, True, coverage))


def _placed(chunks: Iterable[AudioChunk], end: datetime) -> tuple[dict[SourceId, list[_Placed]], Heard]:
    begin_of_window = end - CRY_SPAN
    by_microphone: dict[SourceId, list[_Placed]] = defaultdict(list)
    items = unusable = 0
    for chunk in chunks:
        begin = round((chunk.timing.aligned - begin_of_window).total_seconds() * SAMPLE_RATE_HZ)
        if begin >= CRY_SAMPLES or begin + len(chunk.pcm) // BYTES_PER_SAMPLE <= 0:
            continue
        items += 1
        if chunk.timing.quality is TimeQuality.UNUSABLE:
            unusable += 1
        else:
            by_microphone[chunk.source].append(_Placed(begin, chunk.pcm))
    return by_microphone, Heard(items=items, clock_unusable=unusable)


def _laid(placed: list[_Placed]) -> tuple[Sound, int]:
    """The window of one microphone and how many of its samples are known."""
    samples = np.zeros(CRY_SAMPLES, np.float32)
    known = np.zeros(CRY_SAMPLES, np.bool_)
    for one in sorted(placed, key=lambda one: (one.begin, one.pcm)):
        first, last = max(one.begin, 0), min(one.begin + len(one.pcm) // BYTES_PER_SAMPLE, CRY_SAMPLES)
        sound = np.frombuffer(one.pcm, "<i2", count=last - one.begin)[first - one.begin :]
        samples[first:last] = sound
        known[first:last] = True
    samples /= np.float32(FULL_SCALE)
    _bridge_seams(samples, known)
    return samples, int(known.sum())


def _bridge_seams(samples: Sound, known: npt.NDArray[np.bool_]) -> None:
    edges = np.flatnonzero(np.diff(known.view(np.int8)))
    begins = [edge for edge in edges if known[edge]]
    ends = [edge + 1 for edge in edges if not known[edge]]
    for before in begins:
        after = next((end for end in ends if end > before), None)
        if after is not None and after - before - 1 <= SEAM_SAMPLES:
            samples[before : after + 1] = np.linspace(samples[before], samples[after], after - before + 1)
            known[before:after] = True
