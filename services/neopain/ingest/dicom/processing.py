"""From the spool to scores: one object after the other, oldest first; what is done leaves the spool.

An object is scored from its beginning again when its process ended in between. It is a recording: to score it twice
charts nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from neopain.bus.bus import Bus
from neopain.bus.deadletters import put_aside
from neopain.codecs.dicom.instance import Instance
from neopain.domain.deadletter import DeadLetter
from neopain.domain.identity import SourceId
from neopain.domain.media import FaceBox
from neopain.errors import ContractBroken, PermanentError, TransientError
from neopain.ingest.dicom.opening import Origin, open_recording, read_object
from neopain.ingest.dicom.spool import Spool, Spooled
from neopain.ingest.settings import IngestSettings
from neopain.ingest.stream.replay import RecordingReport, score_recording
from neopain.ingest.stream.report import as_json_object
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge
from neopain.runtime.service import Running

LOG = Log(__name__)

MOST_ATTEMPTS = 3
"""An object whose scoring failed so often in a way nobody foresaw, or ended the process, is left to a person."""


class Interrupted(TransientError):
    """The service was asked to stop: the object is scored after the next start."""


class Processor:
    """Scores what the spool holds. ``woken`` is set when something was added."""

    def __init__(self, bus: Bus, spool: Spool, settings: IngestSettings) -> None:
        self.bus = bus
        self.spool = spool
        self.zone = ZoneInfo(settings.site_zone)
        self.boxes = {caller: FaceBox(*box) for caller, box in settings.dicom_face_boxes.items()}
        self.reports = settings.dicom_reports
        self.woken = asyncio.Event()

    async def run(self, running: Running) -> None:
        """Scores until asked to stop; ``woken`` is to be set then, too. What is in hand goes back to the spool."""
        backoff = Backoff(first=1.0, longest=30.0)
        while not running.stopping.is_set():
            self.woken.clear()
            try:
                await self.process_all(lambda: _go_on(running))
                backoff.reset()
                await self.woken.wait()
            except TransientError as error:
                LOG.warning("objects_wait", why=error)
                await running.pause(backoff.next_seconds())
            except Exception as error:
                # The attempt counts: an object that always fails is left to a person, and the others go on.
                counter("runtime_handler_failures_total").labels(type(error).__name__).inc()
                LOG.error("object_failed")
                await running.pause(backoff.next_seconds())

    async def process_all(self, go_on: Callable[[], None] = lambda: None) -> None:
        """Scores everything that waits; ``TransientError``: not now, call again. ``go_on`` is asked while it scores."""
        while waiting := self.spool.waiting():
            gauge("ingest_dicom_waiting").set(len(waiting))
            go_on()
            await self._process(waiting[0], go_on)
        gauge("ingest_dicom_waiting").set(0)

    async def _process(self, spooled: Spooled, go_on: Callable[[], None]) -> None:
        if spooled.attempts >= MOST_ATTEMPTS:
            await self._leave_to_a_person(spooled, f"its scoring failed or ended the process {spooled.attempts} times")
            return
        spooled = self.spool.begin(spooled)
        try:
            instance, report = await self._score(spooled, go_on)
            if self.reports is not None:
                write_report(self.reports, spooled, instance, report)
        except (PermanentError, ContractBroken) as error:
            await self._leave_to_a_person(spooled, str(error).replace(str(spooled.path), "object"))
        except (TransientError, asyncio.CancelledError):
            self.spool.give_back(spooled)
            raise
        else:
            self.spool.remove(spooled)
            counter("ingest_dicom_done_total").labels("scored").inc()
            LOG.info("object_scored", caller=spooled.caller, object=instance.uid, windows=len(report.scores))

    async def _score(self, spooled: Spooled, go_on: Callable[[], None]) -> tuple[Instance, RecordingReport]:
        origin = Origin(spooled.caller, spooled.received, self.zone, self.boxes.get(spooled.caller))
        instance = await asyncio.to_thread(self._read, spooled.path, origin)
        recording = await asyncio.to_thread(open_recording, instance, spooled.path, origin)
        LOG.info("object_taken", caller=spooled.caller, object=instance.uid, recording=recording.bed)
        return instance, await score_recording(self.bus, recording, go_on=go_on)

    def _read(self, path: Path, origin: Origin) -> Instance:
        with self.spool.turn.taken():
            return read_object(path, origin)

    async def _leave_to_a_person(self, spooled: Spooled, reason: str) -> None:
        letter = DeadLetter(
            origin="dicom",
            source=SourceId("dicom", spooled.caller),
            # Media never touch the bus's disk: the letter names the file in the spool.
            raw=b"",
            location=f"aside/{spooled.path.name}",
            reason=reason,
            received=spooled.received,
            control_id=spooled.key,
        )
        await put_aside(self.bus, letter, mark=spooled.key)
        self.spool.put_aside(spooled)
        counter("ingest_dicom_done_total").labels("put aside").inc()
        counter("ingest_dead_letters_total").labels("dicom").inc()
        LOG.error("object_put_aside", caller=spooled.caller, file=spooled.path.name, why=reason)


def _go_on(running: Running) -> None:
    if running.stopping.is_set():
        raise Interrupted("asked to stop; it is scored after the next start")


def write_report(folder: Path, spooled: Spooled, instance: Instance, report: RecordingReport) -> Path:
    """Writes the scores of an object as ``<SOP Instance UID>.json``, whole or not at all; returns the file.

    ``TransientError`` when the disk does not take it.
    """
    path = folder / f"{instance.uid}.json"
    draft = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            json.dump(report_object(spooled, instance, report), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise TransientError(f"NEOPAIN_INGEST_DICOM_REPORTS: {path} cannot be written ({error.strerror})") from error
    return path


def report_object(spooled: Spooled, instance: Instance, report: RecordingReport) -> dict[str, Any]:
    """What an object's scores are kept as: the object by its UID, never by its patient; then as ``neopain score``."""
    acquired = instance.acquired
    return {
        "sop_instance_uid": instance.uid,
        "sop_class": instance.sop_class.name,
        "caller": spooled.caller,
        "received": spooled.received.isoformat(),
        "acquired": None if acquired is None else acquired.moment.isoformat(),
        "scored": datetime.now(UTC).isoformat(),
        **as_json_object(report),
    }
