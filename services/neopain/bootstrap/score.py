"""``neopain score``: a recording through the same bus, scoring and Triton as the demo; never charted."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.places import state_folder
from neopain.bus.bus import Bus
from neopain.domain.media import FaceBox
from neopain.errors import ConfigurationError
from neopain.ingest.stream.recording import Recording, open_recording
from neopain.ingest.stream.replay import RecordingReport, score_recording
from neopain.ingest.stream.report import as_json_object, as_table
from neopain.models.repository import committed_repository


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What the command line asked for; offsets say by how many seconds a file begins later than the others."""

    video: Path | None
    audio: Path | None
    hl7: tuple[Path, ...]
    face_box: tuple[int, int, int, int] | None
    video_offset_seconds: float
    audio_offset_seconds: float
    hl7_offset_seconds: float
    as_json: bool
    state_dir: Path | None


def run_score(options: ScoreOptions) -> int:
    """Scores the files and prints the course; ``UnreadableRecording`` names a file that cannot be read."""
    if options.video is None and options.audio is None and not options.hl7:
        raise ConfigurationError("nothing to score: give --video, --audio or --hl7 with a file")
    recording = _opened(options)
    repository = committed_repository()
    settings = LineSettings(state_folder(options.state_dir, "score"), repository, with_charting=False)
    with Line(settings) as line:
        line.start_servers()
        line.start_service("scoring", "worker")
        line.wait_ready("scoring-worker")
        report = asyncio.run(_scored(line, recording))
    print(json.dumps(as_json_object(report)) if options.as_json else as_table(report))
    return 0


def _opened(options: ScoreOptions) -> Recording:
    return open_recording(
        video=options.video,
        audio=options.audio,
        hl7=options.hl7,
        face_box=FaceBox(*options.face_box) if options.face_box else None,
        video_offset_seconds=options.video_offset_seconds,
        audio_offset_seconds=options.audio_offset_seconds,
        hl7_offset_seconds=options.hl7_offset_seconds,
    )


async def _scored(line: Line, recording: Recording) -> RecordingReport:
    bus = Bus(line.bus_settings.address())
    try:
        return await score_recording(bus, recording, on_score=lambda _: print(".", end="", file=sys.stderr, flush=True))
    finally:
        await bus.aclose()
        print(file=sys.stderr)
