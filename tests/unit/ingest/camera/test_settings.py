from __future__ import annotations

import json

import pytest

from neopain.domain.media import CameraRole
from neopain.errors import ConfigurationError
from neopain.ingest.camera.service import cameras_of_group, face_locator
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.settings import IngestSettings
from neopain.runtime.settings import read_settings

URL = "rtsp://ward:s3cret@10.0.0.7/stream1"


def camera(**fields: object) -> dict[str, object]:
    return {"name": "cam-1", "bed": "NICU/1/1", "url": URL, **fields}


def settings_of(monkeypatch: pytest.MonkeyPatch, *cameras: dict[str, object]) -> IngestSettings:
    monkeypatch.setenv("NEOPAIN_INGEST_CAMERAS", json.dumps(cameras))
    return read_settings(IngestSettings)


def test_a_camera_needs_a_name_a_bed_and_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    (read,) = settings_of(monkeypatch, camera()).cameras
    assert (read.name, read.bed, read.role, read.transport, read.microphone) == (
        "cam-1",
        "NICU/1/1",
        CameraRole.BOTH,
        "tcp",
        False,
    )
    assert read.url.get_secret_value() == URL


def test_the_password_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(monkeypatch, camera())
    assert "s3cret" not in f"{settings!r} {settings} {settings.cameras[0]!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "http://ward:s3cret@10.0.0.7/"}, "expected rtsp://"),
        ({"url": "file:///etc/s3cret"}, "expected rtsp://"),
        ({"url": "rtsp://ward:s3cret@"}, "expected rtsp://"),
        ({"url": "rtsp://ward:s3cret@10.0.0.7:99999/"}, "expected rtsp://"),
        ({"bed": "recording/4711"}, "not open to it"),
        ({"role": "s3cret"}, "CAMERAS_0_ROLE"),
        ({"role": "sound"}, "role sound needs microphone true"),
        ({"transport": "multicast"}, "CAMERAS_0_TRANSPORT"),
        ({"name": "cam 1"}, "CAMERAS_0_NAME"),
        ({"face_box": [1, 2, 100, 100]}, "go together"),
        ({"face_box": [1, 2, 100, 0], "face_box_of": [320, 240]}, "a width and a height above 0"),
        ({"password": "s3cret"}, "CAMERAS_0_PASSWORD"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        settings_of(monkeypatch, camera(**fields))
    assert told in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_a_list_that_is_no_json_is_refused_without_quoting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_INGEST_CAMERAS", f'[{{"url": "{URL}"')
    with pytest.raises(ConfigurationError) as refusal:
        read_settings(IngestSettings)
    assert "s3cret" not in str(refusal.value)


def test_two_cameras_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="two cameras are named cam-1"):
        settings_of(monkeypatch, camera(), camera())


def made(*groups: str, chosen: str = "") -> IngestSettings:
    cameras = tuple(
        CameraSettings.model_validate(camera(name=f"cam-{index}", group=group)) for index, group in enumerate(groups)
    )
    return IngestSettings(cameras=cameras, camera_group=chosen)


def test_a_process_reads_the_cameras_of_its_group() -> None:
    assert [one.name for one in cameras_of_group(made("a", "b", "a", chosen="a"))] == ["cam-0", "cam-2"]
    assert len(cameras_of_group(made("", ""))) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (made(), "set NEOPAIN_INGEST_CAMERAS"),
        (made("a", ""), r"several groups \(\(none\), a\)"),
        (made("a", "b", chosen="c"), "no camera is in it: a, b"),
    ],
)
def test_a_process_that_does_not_know_its_cameras_refuses_to_start(settings: IngestSettings, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        cameras_of_group(settings)


def test_yunet_without_its_file_refuses_to_start() -> None:
    settings = IngestSettings(cameras=(CameraSettings.model_validate(camera()),), camera_finder="yunet")
    with pytest.raises(ConfigurationError, match="NEOPAIN_INGEST_CAMERA_FINDER_MODEL"):
        face_locator(settings.cameras[0], settings)
