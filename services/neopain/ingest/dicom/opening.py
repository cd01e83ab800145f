"""From an object to a recording of its own: the same sources as files have, at the object's acquisition time.

A recording has a place of its own; whose it is, nobody asks here, and a bed it never gets.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path

import av

from neopain.codecs.dicom.instance import Instance, read_instance
from neopain.codecs.dicom.uids import Content
from neopain.codecs.dicom.video import EncapsulatedVideo
from neopain.domain.identity import BedId, SourceId, recording_bed
from neopain.domain.media import FaceBox
from neopain.domain.waveform import WaveKind
from neopain.ingest.dicom.spans import open_spans
from neopain.ingest.dicom.waves import WaveformSound, beat_vitals, breath_vitals, breath_vitals_by_source, sound_rate_hz
from neopain.ingest.media.camera import CameraTrack
from neopain.ingest.media.sound import SoundTrack
from neopain.ingest.stream.container import Frame, Inner, Track, sound_within
from neopain.ingest.stream.recording import RecordedFile, Recording
from neopain.ingest.stream.sources import SoundSource, VideoSource, VitalsSource
from neopain.ingest.stream.timeline import Source, Timeline


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of an object beside itself: who sent it, when, the site's zone, where its camera sees the face."""

    caller: str
    received: datetime
    site_zone: tzinfo
    face_box: FaceBox | None = None


def check_media(instance: Instance, path: Path) -> None:
    """Opens what the object holds, as far as its first picture; ``UnreadableRecording`` when that cannot be had."""
    if instance.video is not None:
        Track(path, av.VideoFrame, _inner(path, instance.video)).close()
    elif instance.sop_class.content is Content.AUDIO:
        for group in instance.groups:
            sound_rate_hz(group, path)


def read_object(path: Path, origin: Origin) -> Instance:
    """The object, with the samples of waveforms; ``MalformedMessage`` with the reason."""
    with path.open("rb") as file:
        return read_instance(file, site_zone=origin.site_zone)


def open_recording(instance: Instance, path: Path, origin: Origin) -> Recording:
    """The recording of an object that was read from this file, opened; ``UnreadableRecording`` with the reason."""
    bed = recording_bed(f"dicom-{uuid.uuid4().hex}")
    start = instance.acquired.moment if instance.acquired else origin.received
    with ExitStack() as undo:
        opening = _Opening(bed, Timeline(start), SourceId("dicom", origin.caller), path, undo)
        notes = [*instance.notes]
        if instance.acquired is None:
            notes.append("the object does not say when it was acquired: its first sample lies where it was received")
        if instance.video is not None:
            notes += opening.open_video(instance.video, origin.face_box)
        elif instance.sop_class.content is Content.AUDIO:
            opening.open_sound(instance)
        elif instance.sop_class.content is Content.BREATH:
            notes += opening.open_breaths(instance)
        elif instance.sop_class.content is Content.BREATHS:
            notes += opening.open_breath_channels(instance)
        else:
            notes += opening.open_beats(instance)
        files = [RecordedFile(role, Path(instance.uid), begins) for role, begins in opening.roles]
        recording = Recording(bed, opening.timeline, files, opening.sources, "; ".join(notes))
        undo.pop_all()
    return recording


class _Opening:
    def __init__(self, bed: BedId, timeline: Timeline, source: SourceId, path: Path, undo: ExitStack) -> None:
        self.bed = bed
        self.timeline = timeline
        self.source = source
        self.path = path
        self.undo = undo
        self.sources: list[Source] = []
        self.roles: list[tuple[str, float]] = []

    def open_video(self, video: EncapsulatedVideo, box: FaceBox | None) -> list[str]:
        """Its pictures, and its sound where it has any; returns what a reader should know of it."""
        inner = _inner(self.path, video)
        pictures = self._track(Track(self.path, av.VideoFrame, inner))
        camera = CameraTrack(self.bed, self.source)
        self._add("video", VideoSource(pictures, camera, self.timeline, begins=0.0, box=box), 0.0)
        sound, why = sound_within(self.path, inner)
        if sound is not None:
            begins = self._track(sound).begins - pictures.begins
            microphone = SoundTrack(self.bed, self.source)
            self._add("audio", SoundSource(sound, microphone, self.timeline, begins=begins), begins)
        is_other = pictures.codec != video.codec
        other = f"the stream is {pictures.codec}, its transfer syntax says {video.codec}" if is_other else ""
        return [note for note in (why, other) if note]

    def open_sound(self, instance: Instance) -> None:
        """A source for each group: one after the other, or beside each other, as their offsets say."""
        for group in instance.groups:
            microphone = SoundTrack(self.bed, self.source)
            sound = WaveformSound(group, sound_rate_hz(group, self.path), microphone, self.timeline)
            self._add("audio", sound, group.offset_seconds)

    def open_beats(self, instance: Instance) -> list[str]:
        """The heart beats of the clearest channel: of an ECG, or of a pulse."""
        kind = WaveKind.ECG if instance.sop_class.content is Content.ECG else WaveKind.PLETH
        return self._vitals(instance, *beat_vitals(instance.groups, kind, self.bed, self.source, self.timeline))

    def open_breaths(self, instance: Instance) -> list[str]:
        """The rate of breath by the clearest channel."""
        return self._vitals(instance, *breath_vitals(instance.groups, self.bed, self.source, self.timeline))

    def open_breath_channels(self, instance: Instance) -> list[str]:
        """The rate of breath by the channel whose source shows it best."""
        return self._vitals(instance, *breath_vitals_by_source(instance.groups, self.bed, self.source, self.timeline))

    def _vitals(self, instance: Instance, vitals: VitalsSource, notes: list[str]) -> list[str]:
        self._add(instance.sop_class.content.value, vitals, min(group.offset_seconds for group in instance.groups))
        return notes

    def _add(self, role: str, source: Source, begins: float) -> None:
        self.sources.append(source)
        self.roles.append((role, begins))

    def _track(self, track: Track[Frame]) -> Track[Frame]:
        self.undo.callback(track.close)
        return track


def _inner(path: Path, video: EncapsulatedVideo) -> Inner:
    return Inner(partial(open_spans, path, video.spans), video.rate_hz)
