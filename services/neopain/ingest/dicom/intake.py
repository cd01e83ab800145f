"""One received object in, one answer out: read, open, put on disk, answer, in that order.

What is refused is the sender's still, and gone here; what is answered 0x0000 is in the spool and can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo

from neopain.codecs.dicom.instance import Instance, read_instance
from neopain.codecs.dicom.uids import SOP_CLASS_BY_UID, Content
from neopain.errors import MalformedMessage, UnreadableRecording
from neopain.ingest.dicom.opening import check_media
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.settings import IngestSettings
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)


class Status(Enum):
    """What an object is answered (PS3.4 B.2.3, PS3.7 annex C)."""

    STORED = 0x0000
    NOT_SCORED = 0xB006
    """Elements discarded: it was understood, and no score rests on such a signal."""
    OUT_OF_RESOURCES = 0xA700
    NOT_ITS_CLASS = 0xA900
    """The data set is of another class or instance than the request said."""
    NOT_UNDERSTOOD = 0xC000
    FAILED = 0x0110


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and a comment that names the attribute and the rule; never a value of the patient's."""

    status: Status
    comment: str = ""


class Intake:
    """Takes objects of any association. One for all of them; called on their threads."""

    def __init__(self, spool: Spool, settings: IngestSettings, clock: Clock, on_stored: Callable[[], object]) -> None:
        self.spool = spool
        self.clock = clock
        self.on_stored = on_stored
        self.zone = ZoneInfo(settings.site_zone)
        self.largest_waveform_bytes = settings.dicom_largest_waveform_bytes
        self.in_hand: set[Path] = set()
        """The files that are being looked at."""

    def take(self, path: Path, *, caller: str, sop_class: str, uid: str) -> Answer:
        """The answer to a complete object in the spool's ``incoming``; the class and instance are the request's."""
        self.in_hand.add(path)
        try:
            answer = self._judged(path, caller, sop_class, uid)
        finally:
            self.in_hand.discard(path)
        code = f"0x{answer.status.value:04X}"
        counter("ingest_dicom_objects_total").labels(code).inc()
        tell = LOG.info if answer.status is Status.STORED else LOG.warning
        tell("object_answered", caller=caller, object=uid, status=code, why=answer.comment or "-")
        return answer

    def _judged(self, path: Path, caller: str, sop_class: str, uid: str) -> Answer:
        try:
            return self._kept(path, caller, sop_class, uid)
        except (MalformedMessage, UnreadableRecording) as error:
            return Answer(Status.NOT_UNDERSTOOD, str(error).replace(str(path), "object"))
        except OSError as error:
            LOG.error("object_not_kept", object=uid, why=error.strerror)
            return Answer(Status.OUT_OF_RESOURCES, "the spool's disk did not take it")
        except Exception:
            # A fault of ours: the sender keeps the object, a person reads the log.
            LOG.error("object_failed", object=uid)
            return Answer(Status.FAILED, "this object could not be processed")

    def _kept(self, path: Path, caller: str, sop_class: str, uid: str) -> Answer:
        received = self.clock.now()
        if not self.spool.has_room():
            return Answer(Status.OUT_OF_RESOURCES, "the spool's disk is low")
        if self._is_too_large(path, sop_class):
            return Answer(Status.OUT_OF_RESOURCES, f"waveforms above {self.largest_waveform_bytes} bytes are not taken")
        instance = self._read(path)
        if (instance.sop_class.uid, instance.uid) != (sop_class, uid):
            return Answer(Status.NOT_ITS_CLASS, "SOP class and instance differ from the request's")
        if instance.sop_class.content is Content.WAVEFORM:
            return Answer(Status.NOT_SCORED, "read; no score rests on this signal yet; not kept")
        check_media(instance, path)
        self.spool.keep(path, caller=caller, received=received)
        self.on_stored()
        return Answer(Status.STORED)

    def _read(self, path: Path) -> Instance:
        with path.open("rb") as file:
            return read_instance(file, site_zone=self.zone)

    def _is_too_large(self, path: Path, sop_class: str) -> bool:
        known = SOP_CLASS_BY_UID.get(sop_class)
        is_waveform = known is not None and known.content is not Content.VIDEO
        return is_waveform and path.stat().st_size > self.largest_waveform_bytes
