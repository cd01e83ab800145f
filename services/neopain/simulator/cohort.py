"""A data set of simulated infants on disk, in the manifest format that a hospital's own recordings have.

The same seed and count give the same files' content; ``VERSION`` changes with anything that changes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import wave
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np

from neopain.codecs.manifest import read_manifest, write_manifest
from neopain.codecs.vitals_table import write_vitals
from neopain.domain.annotation import Availability, Recorded, Segment, Subject
from neopain.domain.media import FACE_SIZE_PX, FRAME_INTERVAL_SECONDS, SAMPLE_RATE_HZ
from neopain.errors import ConfigurationError, ContractBroken
from neopain.features.clip import GRID_SECONDS
from neopain.features.face import Picture, crop_face
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.circumstances import Circumstances, Illness, circumstances
from neopain.simulator.feed import monitor_rows, movement_rows, movement_times
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.postoperative import postoperative_session
from neopain.simulator.protocol import PROCEDURES, Session, procedure_session
from neopain.simulator.randomness import generator
from neopain.simulator.ratings import observed, ratings
from neopain.simulator.scene import SceneFrame
from neopain.simulator.sound import Room
from neopain.simulator.view import View
from neopain.simulator.vitals import Vitals

VERSION = "1"
MANIFEST_FILE = "manifest.csv"
DATASET_FILE = "dataset.json"
PART_FILE = "part.csv"
"""An infant's rows of the manifest, while the cohort is not finished."""
LICENCE = "Apache-2.0 (simulated)"
AUDIO_SECONDS = 10
ENCODING = {"preset": "ultrafast", "crf": "20", "threads": "1"}
"""With more threads, or with its slower presets, x264 gives other bytes each time."""

LOST = {
    Recorded.VIDEO: (0.07, ("camera-off", "face-not-found")),
    Recorded.AUDIO: (0.07, ("microphone-off",)),
    Recorded.VITALS: (0.05, ("leads-off",)),
}
"""How often each kind of recording is missing, and why."""
MEASURED_WITH = ("baseline", "clip", "face", "movement")
"""The modules of ``features`` that the simulator imports: what it writes depends on them."""

CODES = ("brow_bulge", "eye_squeeze", "nasolabial_furrow", "mouth_open")


def write_cohort(
    folder: Path, *, seed: int, infants: int, workers: int = 1, told: Callable[[int], None] | None = None
) -> None:
    """Writes the cohort of that seed: ``manifest.csv``, ``dataset.json`` and a folder of media per infant.

    ``told`` is called with the number of infants that are done. The manifest comes last: without it there is no data
    set, and a second call with the same seed goes on where the first was interrupted.

    ``ConfigurationError`` when the folder holds a part of another cohort.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {"simulator": VERSION, "sources": sources_digest(), "seed": seed, "infants": infants}
    _claim(folder, about)
    segments: list[Segment] = []
    for done, found in enumerate(_written(folder, seed, infants, workers), start=1):
        segments += found
        if told is not None:
            told(done)
    _write_whole(folder / MANIFEST_FILE, write_manifest(segments))
    for part in folder.glob(f"*/{PART_FILE}"):
        part.unlink()


def _claim(folder: Path, about: dict[str, object]) -> None:
    """Says what the folder is to hold; an interrupted cohort goes on only as the one it was begun as."""
    path = folder / DATASET_FILE
    if path.exists() and json.loads(path.read_text()) != about:
        raise ConfigurationError(f"{folder} holds a part of another cohort ({path.name} differs): name an empty folder")
    _write_whole(path, json.dumps(about, indent=2) + "\n")


def _write_whole(path: Path, text: str) -> None:
    building = path.with_name(f".{path.name}")
    building.write_text(text)
    building.replace(path)


def _written(folder: Path, seed: int, infants: int, workers: int) -> Iterable[list[Segment]]:
    numbers = range(1, infants + 1)
    if workers <= 1:
        yield from (write_infant(folder, seed, number) for number in numbers)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker) as pool:
        yield from pool.map(write_infant, *zip(*((folder, seed, number) for number in numbers), strict=True))


def write_infant(folder: Path, seed: int, number: int) -> list[Segment]:
    """Writes the media of one infant and returns its segments, one of them without an infant in the cot; what an
    interrupted call has finished is taken as it is."""
    infant = simulated_infant(seed, number)
    around = circumstances(infant)
    (folder / infant.mrn).mkdir(exist_ok=True)
    part = folder / infant.mrn / PART_FILE
    if part.exists():
        return list(read_manifest(part.read_text()))
    segments: list[Segment] = []
    for session in sessions(infant, around):
        bed = RecordedBed(infant, around, session)
        for end in session.looks:
            segments.append(bed.record(folder, end, len(segments) + 1))
        if session.name == PROCEDURES:
            segments.append(bed.record_empty(folder, len(segments) + 1))
    _write_whole(part, write_manifest(segments))
    return segments


def sessions(infant: SimulatedInfant, around: Circumstances) -> list[Session]:
    """What is recorded of an infant: procedures of all, and the hours after surgery of those who had it."""
    procedures = procedure_session(infant, around.sedation)
    if around.illness is not Illness.SURGERY:
        return [procedures]
    return [procedures, postoperative_session(infant, around.sedation)]


class RecordedBed:
    """One infant of a cohort in its circumstances and one session, and what is recorded of it."""

    def __init__(self, infant: SimulatedInfant, around: Circumstances, session: Session) -> None:
        self.infant = infant
        self.around = around
        self.session = session
        self.behaviour = Behaviour(infant, session.condition)
        self.vitals = Vitals(infant, session.condition, ventilated_bpm=around.ventilated_bpm)
        self.view = View(infant, self.behaviour, around.camera)
        self.room = Room(infant, self.behaviour, around)

    def record(self, folder: Path, end: float, occasion: int) -> Segment:
        """Writes the media of the window that ends at that time and says what raters saw in it."""
        lost = _lost(self.infant, occasion)
        stem = f"{self.infant.mrn}/{occasion:03d}"
        found = {kind: Availability(reason=reason) for kind, reason in lost.items()}
        if Recorded.VIDEO not in lost:
            frames = self.view.frames(end + np.array(GRID_SECONDS))
            found[Recorded.VIDEO] = _video(folder, stem, [_crop(frame) for frame in frames])
        if Recorded.AUDIO not in lost:
            found[Recorded.AUDIO] = self._audio(folder, stem, end, has_infant=True)
        if Recorded.VITALS not in lost:
            rows = monitor_rows(self.infant, self.vitals, self.around.monitor, end, occasion=occasion)
            times = movement_times(end)
            rows += movement_rows(times, self.view.outlines(times))
            (folder / f"{stem}.csv").write_text(write_vitals(rows))
            found[Recorded.VITALS] = Availability(path=f"{stem}.csv")
        signs = self.behaviour.signs_at(end + np.array(GRID_SECONDS))
        codes = {code: round(float(np.mean([getattr(one, code) for one in signs])), 3) for code in CODES}
        seen = observed(self.behaviour, self.vitals, end)
        return self._segment(end, occasion, found, ratings=ratings(self.infant, seen, occasion=occasion), codes=codes)

    def record_empty(self, folder: Path, occasion: int) -> Segment:
        """Writes what the same cot gives when the infant is elsewhere: leads off, camera and microphone on."""
        end = self.session.length_seconds
        stem = f"{self.infant.mrn}/{occasion:03d}"
        times = movement_times(end)
        rows = movement_rows(times, self.view.empty_outlines(times))
        (folder / f"{stem}.csv").write_text(write_vitals(rows))
        crops = [_crop(frame) for frame in self.view.empty_frames(end + np.array(GRID_SECONDS))]
        found = {
            Recorded.VIDEO: _video(folder, stem, crops),
            Recorded.AUDIO: self._audio(folder, stem, end, has_infant=False),
            Recorded.VITALS: Availability(path=f"{stem}.csv"),
        }
        return self._segment(end, occasion, found, has_infant=False)

    def _segment(self, end: float, occasion: int, found: dict[Recorded, Availability], **more: object) -> Segment:
        return Segment(
            subject=self._subject(),
            session=self.session.name,
            id=f"{self.infant.mrn}-{occasion:03d}",
            start_seconds=round(end - 30.0, 3),
            end_seconds=round(end, 3),
            recorded=found,
            procedure=self.session.condition.course.procedure(end).value,
            sedation=self.session.condition.sedation.value,
            respiratory_support=self.around.support.value,
            licence=LICENCE,
            **({"ratings": ()} | more),  # type: ignore[arg-type]
        )

    def _subject(self) -> Subject:
        return Subject(
            id=self.infant.mrn,
            site=self.around.site,
            gestational_age_days=self.infant.gestational_age_days,
            age_days=self.infant.age_days,
            sex=self.infant.sex.value,
            skin_tone=self.infant.skin.value,
            weight_g=self.infant.weight_g,
            illness=self.around.illness.value,
        )

    def _audio(self, folder: Path, stem: str, end: float, *, has_infant: bool) -> Availability:
        count = AUDIO_SECONDS * SAMPLE_RATE_HZ
        pcm = self.room.pcm(round(end * SAMPLE_RATE_HZ) - count, count, has_infant=has_infant)
        with wave.open(str(folder / f"{stem}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(SAMPLE_RATE_HZ)
            sound.writeframes(pcm.astype("<i2").tobytes())
        return Availability(path=f"{stem}.wav")


def _lost(infant: SimulatedInfant, occasion: int) -> dict[Recorded, str]:
    """What is missing of a segment, and why; never all of it."""
    rng = generator(infant.seed, "lost", infant.number, occasion)
    lost = {kind: str(rng.choice(reasons)) for kind, (share, reasons) in LOST.items() if rng.random() < share}
    return lost if len(lost) < len(LOST) else {}


def _crop(frame: SceneFrame) -> Picture:
    data, absence = crop_face(frame.rgb, frame.face)
    if absence is not None:
        raise ContractBroken(f"the face's box {frame.face} lies outside the simulated picture")
    return np.frombuffer(data, np.uint8).reshape(FACE_SIZE_PX, FACE_SIZE_PX, 3)


def _video(folder: Path, stem: str, crops: list[Picture]) -> Availability:
    interval = Fraction(FRAME_INTERVAL_SECONDS).limit_denominator(1000)
    with av.open(str(folder / f"{stem}.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=1 / interval, options=ENCODING)
        stream.width = stream.height = FACE_SIZE_PX
        stream.pix_fmt, stream.time_base = "yuv420p", interval
        for number, crop in enumerate(crops):
            frame = av.VideoFrame.from_ndarray(crop, format="rgb24")
            frame.pts, frame.time_base = number, interval
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Availability(path=f"{stem}.mp4")


def sources_digest() -> str:
    """SHA-256 of the simulator's sources and of what it measures with: two cohorts with one digest are alike."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    features = here.parent / "features"
    for path in sorted([*here.glob("*.py"), *(features / f"{name}.py" for name in MEASURED_WITH)]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _begin_worker() -> None:
    """A worker draws with one thread, since pictures are small, and ends when its parent is gone, however it went."""
    cv2.setNumThreads(1)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
