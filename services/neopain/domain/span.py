"""Stretches of a bed's time that are to be charted, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class EntryKind(Enum):
    """Why an entry is written."""

    INTERVAL_SUMMARY = "interval-summary"
    EPISODE_ONSET = "episode-onset"
    EPISODE_END = "episode-end"
    ON_REQUEST = "on-request"
    """A person asked for it."""
    PROCEDURE = "procedure"
    """A procedure was documented: from its begin until some minutes after its end."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one bed's time that is to be charted: the windows that end after ``begin`` and not after ``end``."""

    kind: EntryKind
    begin: datetime
    end: datetime
