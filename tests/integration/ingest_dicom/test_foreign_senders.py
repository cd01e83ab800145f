"""Senders that are not ours: pynetdicom's applications, and DCMTK's where the machine has them."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from ...dicom_objects import as_bytes, audio_object, ecg_object, video_object
from .conftest import Door, Scorer

REPORTS = ["1.2.3.20.json", "1.2.3.60.json", "1.2.3.61.json"]
needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not here: apt-get install dcmtk")


async def sent(*command: str | Path) -> tuple[int, str]:
    """Runs a sender to its end: its exit code and what it told."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode or 0, told.decode(errors="replace")


def written(folder: Path, objects: Sequence[Dataset]) -> list[Path]:
    folder = folder / "objects"
    folder.mkdir()
    paths = [folder / f"{number}.dcm" for number in range(len(objects))]
    for path, one in zip(paths, objects, strict=True):
        path.write_bytes(as_bytes(one))
    return paths


@pytest.fixture
def objects(tmp_path: Path, mp4: bytes) -> list[Path]:
    """A video, a sound and an ECG."""
    sound = audio_object(np.zeros(8_000, np.int16), uid="1.2.3.61")
    return written(tmp_path, [video_object(mp4, uid="1.2.3.60"), sound, ecg_object(np.zeros(250, np.int16))])


async def test_pynetdicoms_application_is_answered(door: Door, scorer: Scorer, objects: list[Path]) -> None:
    app, address = (sys.executable, "-m", "pynetdicom", "storescu"), ("127.0.0.1", str(door.settings.dicom_port))
    async with door.opened():
        code, told = await sent(*app, *address, objects[0].parent, "-aec", "NEOPAIN", "-cx", "-v")
        await door.emptied()
    assert (code, told.count("0x0000")) == (0, 3), told
    assert sorted(path.name for path in door.reports.iterdir()) == REPORTS


@needs_dcmtk
async def test_dcmtks_senders_are_answered(door: Door, scorer: Scorer, objects: list[Path]) -> None:
    port = str(door.settings.dicom_port)
    async with door.opened():
        echo = await sent("echoscu", "-aec", "NEOPAIN", "127.0.0.1", port)
        # -xn proposes H.264 (HP@4.1) for the video; -R only what the files hold.
        video = await sent("storescu", "-v", "-R", "-xn", "-aec", "NEOPAIN", "127.0.0.1", port, objects[0])
        waves = await sent("storescu", "-v", "-R", "-aec", "NEOPAIN", "127.0.0.1", port, *objects[1:])
        await door.emptied()
    assert (echo[0], video[0], waves[0]) == (0, 0, 0), (echo, video, waves)
    assert sorted(path.name for path in door.reports.iterdir()) == REPORTS
