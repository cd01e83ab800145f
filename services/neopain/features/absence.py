"""Why a modality is not in a window: the closed list of words, and which of them fits what was heard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Absence(Enum):
    """The reasons that assembling a window gives; the value is the word in ``Presence.reason``.

    A camera that sees no face gives its own word (``domain.media.FaceAbsence``) instead.
    """

    NO_CAMERA = "no-camera"
    NO_MICROPHONE = "no-microphone"
    NO_MONITOR = "no-monitor"
    MEDIA_AWAY = "media-away"
    """The server that keeps the bed's pictures and sound does not answer: nobody knows what they hold."""
    CLOCK_UNUSABLE = "clock-unusable"
    """The source's clock is off by more than 30 s."""
    INVALID_VALUES = "invalid-values"
    """The source itself calls its values invalid, or they cannot be a newborn's."""
    TOO_LITTLE_DATA = "too-little-data"
    STALE = "stale"
    """There was enough, but it ended too long before the end of the window."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How many items of a modality lay in the window, how many in the look-back before it, and what became of them."""

    items: int = 0
    older: int = 0
    clock_unusable: int = 0
    invalid: int = 0

    def __add__(self, other: Heard) -> Heard:
        return Heard(
            self.items + other.items,
            self.older + other.older,
            self.clock_unusable + other.clock_unusable,
            self.invalid + other.invalid,
        )


def why_absent(heard: Heard, silent: Absence) -> Absence:
    """The reason for a modality without enough data; ``silent`` is the one for a source that sent nothing."""
    if heard.items == 0:
        return Absence.STALE if heard.older else silent
    if heard.clock_unusable == heard.items:
        return Absence.CLOCK_UNUSABLE
    if heard.clock_unusable + heard.invalid == heard.items:
        return Absence.INVALID_VALUES
    return Absence.TOO_LITTLE_DATA
