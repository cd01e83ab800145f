"""One received object in, one answer out: read, open, put on disk, answer, in that order. By whatever way it came.

What is refused is the sender's still, and gone here; what is answered 0x0000 is in the spool and can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo

from neopain.codecs.dicom.header import HeaderTooLarge
from neopain.codecs.dicom.instance import Instance, read_instance
from neopain.codecs.dicom.reference import Reference, read_reference, read_study
from neopain.codecs.dicom.uids import SOP_CLASS_BY_UID, Content, syntaxes_of
from neopain.errors import MalformedMessage, UnreadableRecording
from neopain.ingest.dicom.opening import check_media
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.dicom.turn import TurnNotCome
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
    TOO_LARGE = 0xA701
    NOT_ITS_CLASS = 0xA900
    """The data set is of another class or instance than the request said."""
    NOT_ITS_STUDY = 0xA901
    NOT_UNDERSTOOD = 0xC000
    SYNTAX_NOT_TAKEN = 0xC122
    CLASS_NOT_TAKEN = 0x0122
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
        """The files that are being looked at, or written by way of the web."""

    def take(self, path: Path, *, caller: str, sop_class: str, uid: str) -> Answer:
        """The answer to a complete object in the spool's ``incoming``; the class and instance are the request's."""
        answer = self._judged(path, uid, lambda: self._kept(path, caller, sop_class, uid))
        return _told(answer, caller, uid)

    def take_file(self, path: Path, *, caller: str, study: str = "") -> tuple[Reference | None, Answer]:
        """The same for an object whose class and instance its file alone tells, and which of them it is; None where it
        cannot be told. ``study`` is what the request says of its study, if it does."""
        try:
            with path.open("rb") as file:
                reference = read_reference(file)
        except (MalformedMessage, OSError) as error:
            return None, _told(_refusal(error, path, "-"), caller, "-")
        answer = self._judged(path, reference.uid, lambda: self._file_kept(path, caller, reference, study))
        return reference, _told(answer, caller, reference.uid)

    def _judged(self, path: Path, uid: str, judge: Callable[[], Answer]) -> Answer:
        self.in_hand.add(path)
        try:
            return judge()
        except (MalformedMessage, UnreadableRecording, TurnNotCome, OSError) as error:
            return _refusal(error, path, uid)
        except Exception:
            # A fault of ours: the sender keeps the object, a person reads the log.
            LOG.error("object_failed", object=uid)
            return Answer(Status.FAILED, "this object could not be processed")
        finally:
            self.in_hand.discard(path)

    def _file_kept(self, path: Path, caller: str, reference: Reference, study: str) -> Answer:
        """What the association would have settled, then as ever."""
        sop_class = SOP_CLASS_BY_UID.get(reference.sop_class)
        if sop_class is None:
            return Answer(Status.CLASS_NOT_TAKEN, "the SOP class is not among those that are taken")
        if reference.syntax not in {one.uid for one in syntaxes_of(sop_class)}:
            return Answer(Status.SYNTAX_NOT_TAKEN, "the transfer syntax is not taken for this SOP class")
        if study:
            with path.open("rb") as file:
                if read_study(file) != study:
                    return Answer(Status.NOT_ITS_STUDY, "StudyInstanceUID differs from the request's")
        return self._kept(path, caller, reference.sop_class, reference.uid)

    def _kept(self, path: Path, caller: str, sop_class: str, uid: str) -> Answer:
        received = self.clock.now()
        if not self.spool.has_room():
            return Answer(Status.OUT_OF_RESOURCES, "the spool's disk is low")
        if self._is_too_large(path, sop_class):
            return Answer(Status.TOO_LARGE, f"waveforms above {self.largest_waveform_bytes} bytes are not taken")
        answer = self._looked_into(path, sop_class, uid)
        if answer.status is Status.STORED:
            self.spool.keep(path, caller=caller, received=received)
            self.on_stored()
        return answer

    def _looked_into(self, path: Path, sop_class: str, uid: str) -> Answer:
        """What speaks against keeping the object, else ``STORED``. What was read of it is gone when this returns."""
        if not _is_waveform(sop_class):
            return self._judged_by_content(path, sop_class, uid)
        with self.spool.turn.taken():
            return self._judged_by_content(path, sop_class, uid)

    def _judged_by_content(self, path: Path, sop_class: str, uid: str) -> Answer:
        instance = self._read(path)
        if (instance.sop_class.uid, instance.uid) != (sop_class, uid):
            return Answer(Status.NOT_ITS_CLASS, "SOP class and instance differ from the request's")
        if instance.sop_class.content is Content.WAVEFORM:
            return Answer(Status.NOT_SCORED, "read; no score rests on this signal yet; not kept")
        check_media(instance, path)
        return Answer(Status.STORED)

    def _read(self, path: Path) -> Instance:
        with path.open("rb") as file:
            return read_instance(file, site_zone=self.zone)

    def _is_too_large(self, path: Path, sop_class: str) -> bool:
        return _is_waveform(sop_class) and path.stat().st_size > self.largest_waveform_bytes


def _is_waveform(sop_class: str) -> bool:
    known = SOP_CLASS_BY_UID.get(sop_class)
    return known is not None and known.content is not Content.VIDEO


def _refusal(error: Exception, path: Path, uid: str) -> Answer:
    if isinstance(error, OSError):
        LOG.error("object_not_kept", object=uid, why=error.strerror)
        return Answer(Status.OUT_OF_RESOURCES, "the spool's disk did not take it")
    if isinstance(error, TurnNotCome):
        return Answer(Status.OUT_OF_RESOURCES, str(error))
    status = Status.TOO_LARGE if isinstance(error, HeaderTooLarge) else Status.NOT_UNDERSTOOD
    return Answer(status, str(error).replace(str(path), "object"))


def _told(answer: Answer, caller: str, uid: str) -> Answer:
    code = f"0x{answer.status.value:04X}"
    counter("ingest_dicom_objects_total").labels(code).inc()
    tell = LOG.info if answer.status is Status.STORED else LOG.warning
    tell("object_answered", caller=caller, object=uid, status=code, why=answer.comment or "-")
    return answer
