from __future__ import annotations

from pathlib import Path

import pytest

from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import new_token, token_sha256
from neopain.ingest.device.credentials import DeviceEntry, read_credentials

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"""SHA-256 of "test"."""


def file_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    return path


def entry(**fields: str) -> str:
    told = {"name": '"gateway"', "token_sha256": f'["{HASH}"]', "beds": '["NICU/1/1"]', **fields}
    return "[[device]]\n" + "\n".join(f"{key} = {value}" for key, value in told.items() if value) + "\n"


def test_a_device_is_found_by_its_token_and_by_no_other(tmp_path: Path) -> None:
    credentials = read_credentials(file_of(tmp_path, entry()))
    found = credentials.by_token("test")
    assert found is not None
    assert found.name == "gateway"
    assert credentials.by_token("tesT") is None
    assert credentials.by_token(HASH) is None


def test_two_tokens_are_known_while_one_takes_the_other_s_place(tmp_path: Path) -> None:
    new = new_token()
    credentials = read_credentials(file_of(tmp_path, entry(token_sha256=f'["{HASH}", "{token_sha256(new)}"]')))
    assert credentials.by_token("test") is credentials.by_token(new) is not None


def test_a_certificate_alone_does_not_stand_for_a_device_that_also_needs_its_token(tmp_path: Path) -> None:
    text = entry(certificate='["a"]') + entry(name='"camera"', token_sha256="", certificate='["b"]')
    credentials = read_credentials(file_of(tmp_path, text))
    camera = credentials.by_certificate(["x", "b"])
    assert camera is not None
    assert camera.name == "camera"
    assert credentials.by_certificate(["a"]) is None


@pytest.mark.parametrize(
    ("beds", "bed", "may"),
    [
        (("NICU/1/1@H",), "NICU/1/1@H", True),
        (("NICU/1/1@H",), "NICU/1/10@H", False),
        (("NICU/1/*",), "NICU/1/10@H", True),
        (("NICU/1/*",), "NICU/10/1@H", False),
        (("*",), "PICU/1/1", True),
    ],
)
def test_a_bed_is_named_whole_or_by_its_beginning(beds: tuple[str, ...], bed: str, may: bool) -> None:
    assert DeviceEntry("d", (HASH,), (), beds).may_send_for(BedId(bed)) is may


def test_a_device_may_call_a_part_of_itself_by_name_and_nobody_else() -> None:
    device = DeviceEntry("gateway", (HASH,), (), ("*",))
    assert [device.may_name_itself(one) for one in ("gateway", "gateway/ecg", "gateway2", "")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "holds .*device.* tables"),
        ("[[device]", "is no TOML"),
        (entry(name="7"), "device 1: name is to be"),
        (entry(name='"a/b"'), "device 1: name is to be"),
        (entry(token_sha256='["test"]'), r"device 1 \(gateway\): token_sha256 is to be 64"),
        (entry(token_sha256=""), "needs token_sha256, certificate or both"),
        (entry(beds=""), "needs beds"),
        (entry(streams='["video"]'), "streams is to be some of frames, audio, vitals"),
        (entry(bed='["x"]'), "bed is no field"),
        (entry() + entry(name='"other"'), "two devices share a token"),
        (entry() + entry(token_sha256=f'["{"0" * 64}"]'), "two devices share a name"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_the_setting_and_the_place(
    tmp_path: Path, text: str, rule: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"NEOPAIN_INGEST_DEVICE_CREDENTIALS: .*{rule}") as refusal:
        read_credentials(file_of(tmp_path, text))
    assert HASH not in str(refusal.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_credentials(tmp_path / "none.toml")
