"""The reader on connections that fail in ways that are hard to bring about: a fake camera, no network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import av
import pytest

from neopain.errors import CameraUnavailable
from neopain.ingest.camera.intake import CameraIntake
from neopain.ingest.camera.reader import CameraReader
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import Arrived
from neopain.runtime.backoff import Backoff
from neopain.runtime.metrics import counter

FRAME = av.VideoFrame(64, 48, "rgb24")


class Camera:
    """Connections one after the other, each a list of what arrives; then the reader is told to stop."""

    def __init__(self, *connections: list[Arrived | None] | Exception) -> None:
        self.connections = list(connections)
        self.stopping = threading.Event()
        self.closed = 0
        self.has_sound = False
        self.damaged = 0
        self._now: list[Arrived | None] = []

    def connect(self) -> Camera:
        if len(self.connections) == 1:
            self.stopping.set()
        following = self.connections.pop(0)
        if isinstance(following, Exception):
            raise following
        self._now = following
        return self

    def frames(self) -> Iterator[Arrived | None]:
        yield from self._now
        raise CameraUnavailable("ended")

    def close(self) -> None:
        self.closed += 1


def read(camera: Camera, name: str, *, silent_seconds: float = 5.0) -> CameraReader:
    said = {"name": name, "bed": "NICU/1/1", "url": "rtsp://ward:s3cret@10.0.0.7/", "microphone": True}
    reader = CameraReader(
        intake=CameraIntake(CameraSettings.model_validate(said), None, frozen_seconds=5.0),
        connect=camera.connect,
        give=lambda _: None,
        stopping=camera.stopping,
        silent_seconds=silent_seconds,
        backoff=Backoff(first=0.001, longest=0.016),
    )
    reader.run()
    return reader


def failures(name: str, why: str) -> float:
    return float(counter("ingest_camera_failures_total").labels(name, why)._value.get())


def picture(seconds: float, *, delay: float = 0.0) -> Arrived:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return Arrived(FRAME, moment + timedelta(seconds=delay), seconds, None)


def test_after_each_failure_the_camera_is_connected_anew_and_the_failure_counted() -> None:
    camera = Camera(CameraUnavailable("refused"), [picture(0)], CameraUnavailable("silent"))
    reader = read(camera, "again")
    assert (failures("again", "refused"), failures("again", "ended"), failures("again", "silent")) == (1, 1, 1)
    assert camera.closed == 1
    assert reader.backoff.attempts == 3


def test_a_camera_that_lags_behind_is_connected_anew_to_be_live_again() -> None:
    pictures = [picture(second / 10) for second in range(20)]
    read(Camera([*pictures, picture(2.0, delay=6.0)], []), "lagging")
    assert failures("lagging", "lagging") == 1


def test_a_clock_that_jumps_ends_the_connection() -> None:
    read(Camera([picture(5.0), picture(1.0)], []), "jumping")
    assert failures("jumping", "clock-jumped") == 1


def test_a_stream_of_which_nothing_can_be_decoded_is_connected_anew() -> None:
    read(Camera([None] * 3, []), "garbage", silent_seconds=0.0)
    assert failures("garbage", "no-picture") == 1


@pytest.mark.parametrize("why", ["unauthorised", "not-found"])
def test_a_camera_that_a_person_has_to_see_to_is_not_hurried(why: str) -> None:
    reader = read(Camera(CameraUnavailable(why), []), f"slow-{why}")
    assert reader.backoff.attempts == 1


def test_the_log_tells_camera_bed_and_reason_and_no_password(caplog: pytest.LogCaptureFixture) -> None:
    read(Camera([picture(0)], CameraUnavailable("refused")), "told")
    fields = [record.fields for record in caplog.records if record.message == "camera_unavailable"]  # type: ignore[attr-defined]
    assert [(one["camera"], one["bed"], str(one["why"])) for one in fields] == [
        ("told", "NICU/1/1", "ended"),
        ("told", "NICU/1/1", "refused"),
    ]
    assert "s3cret" not in caplog.text + str([vars(record) for record in caplog.records])


def test_an_error_that_nobody_thought_of_does_not_end_the_reader_and_its_words_are_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    read(Camera(ValueError("rtsp://ward:s3cret@10.0.0.7/"), []), "unforeseen")
    assert failures("unforeseen", "failed") == 1
    assert "ValueError in " in str([vars(record) for record in caplog.records])
    assert "s3cret" not in caplog.text + str([vars(record) for record in caplog.records])


def test_a_microphone_that_the_camera_does_not_have_is_told(caplog: pytest.LogCaptureFixture) -> None:
    read(Camera([picture(0)], []), "mute")
    assert "microphone_missing" in [record.message for record in caplog.records]
