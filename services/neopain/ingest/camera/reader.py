"""One camera, kept connected: opens it, reads until it fails, waits, opens it again. Runs in a thread of its own.

Reading and decoding block in FFmpeg and let go of the interpreter meanwhile. A connection is given up when nothing
arrives, when what arrives gives no picture, and when it lags behind: a late picture is in no window.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from neopain.domain.media import FaceAbsence
from neopain.errors import CameraUnavailable
from neopain.features.loudness import SoundCondition
from neopain.ingest.camera.intake import CameraIntake, Fact
from neopain.ingest.camera.source import Arrived, Connection
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

STEADY = timedelta(seconds=10)
"""A connection that lasted this long was a good one: the next failure is tried again soon."""
FARTHEST_BEHIND_SECONDS = 5.0
NOT_TO_HURRY = frozenset({"unauthorised", "not-found"})
"""A person has to change something first; and a camera may lock an account after some wrong passwords."""

Connect = Callable[[], Connection]
Give = Callable[[list[Fact]], None]


@dataclass(slots=True)
class CameraReader:
    """Reads one camera until ``stopping``; ``give`` takes the facts and must not block."""

    intake: CameraIntake
    connect: Connect
    give: Give
    stopping: threading.Event
    silent_seconds: float
    backoff: Backoff
    _told: FaceAbsence | None = None
    _told_sound: SoundCondition = SoundCondition.LIVE
    _last_picture: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def name(self) -> str:
        """The camera's name."""
        return self.intake.camera.name

    def run(self) -> None:
        """Connects and reads, again and again."""
        connected = gauge("ingest_camera_connected").labels(self.name)
        connected.set(0)
        while not self.stopping.is_set():
            begun = datetime.now(UTC)
            try:
                self._read_once()
            except CameraUnavailable as error:
                connected.set(0)
                self._wait_after(error, lasted=datetime.now(UTC) - begun)
            except Exception as error:
                # One camera must not end the others of its group; and a message could quote the address.
                connected.set(0)
                self._wait_after(unforeseen(error), lasted=datetime.now(UTC) - begun)

    def _read_once(self) -> None:
        connection = self.connect()
        try:
            gauge("ingest_camera_connected").labels(self.name).set(1)
            LOG.info("camera_connected", camera=self.name, bed=self.intake.camera.bed, sound=connection.has_sound)
            if self.intake.camera.microphone and not connection.has_sound:
                LOG.warning("microphone_missing", camera=self.name, bed=self.intake.camera.bed)
            self.intake.reconnect()
            self._last_picture = datetime.now(UTC)
            self._read(connection)
        finally:
            connection.close()

    def _read(self, connection: Connection) -> None:
        damaged = counter("ingest_camera_damaged_total").labels(self.name)
        counted = 0
        for arrived in connection.frames():
            if self.stopping.is_set():
                return
            damaged.inc(connection.damaged - counted)
            counted = connection.damaged
            if arrived is not None:
                self.give(self.intake.take(arrived))
                self._watch()
            self._require_pictures(arrived)

    def _watch(self) -> None:
        gauge("ingest_camera_lag_seconds").labels(self.name).set(self.intake.lag_seconds)
        if self.intake.lag_seconds > FARTHEST_BEHIND_SECONDS:
            raise CameraUnavailable("lagging", f"{self.intake.lag_seconds:.1f} s behind")
        if self.intake.condition is not self._told:
            self._told = self.intake.condition
            tell = LOG.warning if self._told else LOG.info
            tell("picture_condition", camera=self.name, bed=self.intake.camera.bed, condition=_word(self._told))

        self._watch_sound()

    def _watch_sound(self) -> None:
        meter = self.intake.meter
        if meter.level is not None:
            gauge("ingest_sound_level_dbfs").labels(self.name).set(meter.level.rms_dbfs)
            gauge("ingest_sound_clipped_share").labels(self.name).set(meter.level.clipped_share)
        if meter.condition is not self._told_sound:
            self._told_sound = meter.condition
            tell = LOG.info if meter.condition is SoundCondition.LIVE else LOG.warning
            tell("sound_condition", camera=self.name, bed=self.intake.camera.bed, condition=meter.condition.value)

    def _require_pictures(self, arrived: Arrived | None) -> None:
        now = datetime.now(UTC)
        if arrived is not None and (arrived.is_picture or not self.intake.camera.has_pictures):
            self._last_picture = now
        elif now - self._last_picture > timedelta(seconds=self.silent_seconds):
            raise CameraUnavailable("no-picture", "what arrives cannot be decoded")

    def _wait_after(self, error: CameraUnavailable, *, lasted: timedelta) -> None:
        if lasted > STEADY:
            self.backoff.reset()
        seconds = self.backoff.longest if error.reason in NOT_TO_HURRY else self.backoff.next_seconds()
        counter("ingest_camera_failures_total").labels(self.name, error.reason).inc()
        camera = self.intake.camera
        LOG.warning("camera_unavailable", camera=camera.name, bed=camera.bed, why=error, again_in=f"{seconds:.1f}")
        self.stopping.wait(seconds)


def unforeseen(error: Exception) -> CameraUnavailable:
    """What nobody thought of, as its kind and place; its message stays out of the log, since it may hold a password."""
    places = traceback.extract_tb(error.__traceback__)
    place = f" in {places[-1].filename}:{places[-1].lineno}" if places else ""
    return CameraUnavailable("failed", f"{type(error).__name__}{place}")


def _word(condition: FaceAbsence | None) -> str:
    return condition.value if condition else "picture-live"
