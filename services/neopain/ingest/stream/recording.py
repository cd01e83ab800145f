"""A recording: up to one video, one sound and several HL7 files on one time axis, opened and found readable."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import av

from neopain.domain.identity import BedId, SourceId, recording_bed
from neopain.domain.media import FaceBox
from neopain.errors import UnreadableRecording
from neopain.ingest.media.camera import CameraTrack
from neopain.ingest.media.sound import SoundTrack
from neopain.ingest.stream.container import Track, sound_within
from neopain.ingest.stream.hl7_file import read_hl7_files
from neopain.ingest.stream.sources import SoundSource, VideoSource, VitalsSource
from neopain.ingest.stream.timeline import Item, Source, Timeline

END_TOLERANCE_SECONDS = 0.05
"""A file that ends this much before a whole second still fills it: encoders cut and pad."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of a recording and where its first sample lies, in seconds after the recording's start."""

    role: str
    path: Path
    begins: float


class Recording:
    """An opened recording, read once from its start. It stands at a place of its own, which is never charted."""

    def __init__(
        self, bed: BedId, timeline: Timeline, files: Sequence[RecordedFile], sources: Sequence[Source], note: str = ""
    ) -> None:
        self.bed = bed
        self.timeline = timeline
        self.files = tuple(files)
        self._sources = tuple(sources)
        self._note = note

    @property
    def next_seconds(self) -> float | None:
        """Where the next thing lies that is not read yet; None when all is read."""
        waiting = [at for source in self._sources if (at := source.next_seconds) is not None]
        return min(waiting, default=None)

    @property
    def whole_seconds(self) -> int:
        """The last whole second that what was read up to now fills; at least the first."""
        end = max((source.end_seconds for source in self._sources), default=0.0)
        return max(int(end + END_TOLERANCE_SECONDS), 1)

    @property
    def notes(self) -> list[str]:
        """What could not be used, and what was chosen, in words for a reader."""
        return ([self._note] if self._note else []) + [note for source in self._sources for note in source.notes]

    def until(self, seconds: float) -> list[Item]:
        """What lies up to there and was not read yet, in the order in which it would have arrived."""
        items = [item for source in self._sources for item in source.until(seconds)]
        return sorted(items, key=lambda item: item.seconds)

    def close(self) -> None:
        """Closes the files."""
        for source in self._sources:
            source.close()


def open_recording(
    *,
    video: Path | None = None,
    audio: Path | None = None,
    hl7: Sequence[Path] = (),
    face_box: FaceBox | None = None,
    video_offset_seconds: float = 0.0,
    audio_offset_seconds: float = 0.0,
    hl7_offset_seconds: float = 0.0,
    site_zone: tzinfo = UTC,
) -> Recording:
    """Opens the files and reads the first of each, so that what cannot be read is known before anything starts.

    The files' first samples lie at the same time unless an offset says by how many seconds a file begins later. Without
    a sound file the sound of the video is used, if it has any, where the video has it. The start lies on the calendar
    where the HL7 values say, else when the video or sound was made, else now.

    Raises ``UnreadableRecording`` with the file's name and the reason.
    """
    offsets = {"video": video_offset_seconds, "audio": audio_offset_seconds, "hl7": hl7_offset_seconds}
    given = {"video": video, "audio": audio, "hl7": hl7[0] if hl7 else None}
    earliest = min((offsets[role] for role, path in given.items() if path is not None), default=0.0)
    begins = {role: offset - earliest for role, offset in offsets.items()}
    with ExitStack() as undo:
        opening = _Opening(recording_bed(uuid.uuid4().hex), begins, undo)
        recording = opening.open(video, audio, hl7, face_box, site_zone)
        undo.pop_all()
    return recording


class _Opening:
    def __init__(self, bed: BedId, begins: dict[str, float], undo: ExitStack) -> None:
        self.bed = bed
        self.begins = begins
        self.undo = undo
        self.files: list[RecordedFile] = []
        self.note = ""

    def open(
        self, video: Path | None, audio: Path | None, hl7: Sequence[Path], box: FaceBox | None, site_zone: tzinfo
    ) -> Recording:
        pictures = self._pictures(video)
        sound = self._sound(audio, video, pictures)
        vitals = read_hl7_files(hl7, self.bed, site_zone=site_zone)
        self.files += [RecordedFile("hl7", path, self.begins["hl7"]) for path in hl7]
        made = next((track.created for track in (pictures, sound) if track is not None and track.created), None)
        start = made or datetime.now(UTC)
        if vitals.begins is not None:
            start = vitals.begins - timedelta(seconds=self.begins["hl7"])
        elif pictures is None and sound is None:
            raise UnreadableRecording("; ".join(vitals.notes) or "a recording needs a file")
        timeline = Timeline(start)
        sources: list[Source] = []
        if pictures is not None:
            camera = CameraTrack(self.bed, SourceId("recording", "video"))
            sources.append(VideoSource(pictures, camera, timeline, begins=self.begins["video"], box=box))
        if sound is not None:
            microphone = SoundTrack(self.bed, SourceId("recording", "audio"))
            sources.append(SoundSource(sound, microphone, timeline, begins=self.begins["audio"]))
        if hl7:
            placed = [((moment - start).total_seconds(), batch) for moment, batch in vitals.batches]
            sources.append(VitalsSource(placed, vitals.notes, begins=self.begins["hl7"]))
        return Recording(self.bed, timeline, self.files, sources, self.note)

    def _pictures(self, path: Path | None) -> Track[av.VideoFrame] | None:
        if path is None:
            return None
        track: Track[av.VideoFrame] = Track(path, av.VideoFrame)
        self.undo.callback(track.close)
        self.files.append(RecordedFile("video", path, self.begins["video"]))
        return track

    def _sound(
        self, path: Path | None, video: Path | None, pictures: Track[av.VideoFrame] | None
    ) -> Track[av.AudioFrame] | None:
        if path is None:
            return self._sound_within(video, pictures) if video is not None and pictures is not None else None
        track: Track[av.AudioFrame] = Track(path, av.AudioFrame)
        self.undo.callback(track.close)
        self.files.append(RecordedFile("audio", path, self.begins["audio"]))
        return track

    def _sound_within(self, video: Path, pictures: Track[av.VideoFrame]) -> Track[av.AudioFrame] | None:
        track, why = sound_within(video)
        if track is None:
            self.note = f"{video.name}: {why}" if why else ""
            return None
        self.undo.callback(track.close)
        self.begins["audio"] = self.begins["video"] + track.begins - pictures.begins
        self.note = f"{video.name}: the sound of the video is used, since no sound file was given"
        self.files.append(RecordedFile("audio", video, self.begins["audio"]))
        return track
