"""The storage SCP: associations, presentation contexts, who may call, and what becomes of aborted ones (PS3.4 annex B,
PS3.8). What an object is, and what it is answered, is ``intake``'s.

pynetdicom serves each association on threads of its own. A data set goes to a file as it comes in, a PDU at a time; the
file is made where Python's ``tempfile`` says, which here is the spool. There is one SCP in a process for that reason.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from neopain.codecs.dicom.uids import SOP_CLASSES, syntaxes_of
from neopain.errors import ConfigurationError
from neopain.ingest.dicom.intake import Answer, Intake
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.dicom.tls import tls_of
from neopain.ingest.settings import IngestSettings
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

LARGEST_PDU_BYTES = 131_072
NEGOTIATION_SECONDS = 10.0
TRANSFER_SECONDS = 30.0
END_SECONDS = 2.0
SETTLED_SECONDS = 5.0
"""A file that nobody claims is swept when it is older: one that was made just now is claimed a moment later."""
REJECTED_TRANSIENT, BY_PRESENTATION, LOCAL_LIMIT_EXCEEDED = 0x02, 0x03, 0x02


class StorageScp:
    """Listens from ``start`` until ``stop``."""

    def __init__(self, intake: Intake, spool: Spool, settings: IngestSettings) -> None:
        self.intake = intake
        self.spool = spool
        self.settings = settings
        self._tls = tls_of(settings)
        self._entity = _entity(settings)
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the start."""
        return int(self._server.server_address[1]) if self._server else 0

    def start(self) -> None:
        """Opens the socket; ``ConfigurationError`` when the address cannot be had, or would let anybody in."""
        host, port = self.settings.dicom_host, self.settings.dicom_port
        _configure(self.spool.incoming)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        try:
            self._server = self._entity.start_server(
                (host, port),
                block=False,
                ssl_context=self._tls.context if self._tls is not None else None,
                evt_handlers=handlers,
            )
        except OSError as error:
            raise ConfigurationError(
                f"the DICOM SCP cannot listen on {host}:{port} ({error.strerror}): "
                "set NEOPAIN_INGEST_DICOM_HOST and _PORT"
            ) from error
        LOG.info("dicom_listening", host=host, port=self.port, title=self.settings.dicom_ae_title, tls=bool(self._tls))

    def watch(self) -> None:
        """To be called once a second: removes what ended associations left, ends those that would fill the disk, and
        takes renewed certificates."""
        if self._tls is not None and self._server is not None and self._tls.refresh():
            self._server.ssl_context = self._tls.context
        associations = self._associations()
        gauge("ingest_dicom_associations").set(len(associations))
        swept = self.spool.sweep(_files_of(associations) | self.intake.in_hand, older_than_seconds=SETTLED_SECONDS)
        if swept:
            LOG.warning("incomplete_objects_removed", objects=swept)
        if not self.spool.has_room():
            for association in associations:
                if association.dimse.message is not None:
                    self._tell_rejected(association, "low disk")
                    association.abort()

    def stop(self) -> None:
        """Takes no more associations, lets open ones go on for a while, then aborts them."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        deadline = time.monotonic() + self.settings.dicom_drain_seconds
        while self._is_receiving(server.active_associations) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = server.active_associations
        for association in left:
            if association.is_established:
                association.abort()
            else:
                _stop_waiting(association)
        for association in left:
            association.join(timeout=END_SECONDS)
        self.spool.sweep(set(), older_than_seconds=0.0)
        tempfile.tempdir = None

    def _is_receiving(self, associations: list[Association]) -> bool:
        return bool(_files_of(associations) | self.intake.in_hand)

    def _associations(self) -> list[Association]:
        return self._server.active_associations if self._server else []

    def _opened(self, event: Event) -> None:
        _set_patience(event.assoc, NEGOTIATION_SECONDS)

    def _established(self, event: Event) -> None:
        _set_patience(event.assoc, self.settings.dicom_idle_seconds)

    def _requested(self, event: Event) -> None:
        """Refuses senders while the disk is low; an echo alone is let through."""
        wanted = event.assoc.requestor.requested_contexts
        if all(context.abstract_syntax == Verification for context in wanted) or self.spool.has_room():
            return
        self._tell_rejected(event.assoc, "low disk")
        event.assoc.acse.send_reject(REJECTED_TRANSIENT, BY_PRESENTATION, LOCAL_LIMIT_EXCEEDED)
        event.assoc.kill()

    def _rejected(self, event: Event) -> None:
        self._tell_rejected(event.assoc, "not admitted")

    def _tell_rejected(self, association: Association, why: str) -> None:
        counter("ingest_dicom_rejected_total").labels(why).inc()
        LOG.warning("association_rejected", address=association.requestor.address, why=why)

    def _store(self, event: Event) -> Dataset:
        request = cast("C_STORE", event.request)
        answer = self.intake.take(
            event.dataset_path,
            caller=str(event.assoc.requestor.ae_title),
            sop_class=str(request.AffectedSOPClassUID),
            uid=str(request.AffectedSOPInstanceUID),
        )
        return _status(answer)

    def _aborted(self, event: Event) -> None:
        LOG.warning("association_aborted", address=event.assoc.requestor.address)

    def _closed(self, event: Event) -> None:
        """Removes the part of an object whose association ended in the middle of it. Who has asked for none makes room:
        whatever looks whether the port is open would else hold a place until a request had been awaited."""
        if event.assoc.requestor.primitive is None:
            _stop_waiting(event.assoc)
        message = event.assoc.dimse.message
        path = _file_of(message)
        if message is not None and path is not None:
            if message._data_set_file is not None:
                message._data_set_file.close()
            path.unlink(missing_ok=True)
            LOG.warning("incomplete_object_removed", address=event.assoc.requestor.address)


def _set_patience(association: Association, seconds: float) -> None:
    """How long the sender may be silent within a PDU: for that pynetdicom itself would wait for ever."""
    held = association.dul.socket
    if held is not None and held.socket is not None:
        held.socket.settimeout(seconds)


def _stop_waiting(association: Association) -> None:
    """Ends one that waits for a request: as if that had not come in time."""
    association.dul.to_user_queue.put(None)


def _entity(settings: IngestSettings) -> ApplicationEntity:
    entity = AE(settings.dicom_ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(settings.dicom_callers)
    entity.maximum_associations = settings.dicom_most_associations
    entity.maximum_pdu_size = LARGEST_PDU_BYTES
    entity.acse_timeout, entity.dimse_timeout = NEGOTIATION_SECONDS, TRANSFER_SECONDS
    entity.network_timeout = settings.dicom_idle_seconds
    entity.add_supported_context(Verification)
    for sop_class in SOP_CLASSES:
        entity.add_supported_context(sop_class.uid, [syntax.uid for syntax in syntaxes_of(sop_class)])
    return entity


def _configure(incoming: Path) -> None:
    """Sets what pynetdicom keeps for the whole process: data sets to files, in the spool, and no values in logs."""
    tempfile.tempdir = str(incoming)
    _config.STORE_RECV_CHUNKED_DATASET = True
    _config.LOG_HANDLER_LEVEL = "none"
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


def _files_of(associations: list[Association]) -> set[Path]:
    """The files that these associations write, or have written and not yet answered."""
    found: set[Path] = set()
    for association in associations:
        queued = [message for _, message in list(association.dimse.msg_queue.queue)]
        paths = [_file_of(association.dimse.message), *(getattr(one, "_dataset_path", None) for one in queued)]
        found.update(path for path in paths if isinstance(path, Path))
    return found


def _file_of(message: object) -> Path | None:
    # pynetdicom has no public name for the file of an object that is not complete.
    path = getattr(message, "_data_set_path", None)
    return path if isinstance(path, Path) else None


def _status(answer: Answer) -> Dataset:
    status = Dataset()
    status.Status = answer.status.value
    if answer.comment:
        status.ErrorComment = answer.comment[:64]
    return status
