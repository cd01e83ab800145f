"""The Store transaction (PS3.18, 10.5): a request in, a reply out. What an object is answered is ``intake``'s.

Nothing of a request is kept before all of it is there: an upload that is cut off leaves nothing, and its sender, who
got no reply, has all of it still.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from neopain.codecs.dicom.store_response import MEDIA_TYPE, Outcome, write_store_response
from neopain.codecs.media_type import MediaType, accepts, read_media_type
from neopain.errors import MalformedMessage
from neopain.ingest.dicom.intake import Intake, Status
from neopain.ingest.dicom.spool import Spool
from neopain.ingest.dicom.web.connection import Reply, Request
from neopain.ingest.dicom.web.upload import RETRY_LATER, Part, Refused, Upload, low_disk, too_large
from neopain.ingest.settings import IngestSettings

STUDIES = re.compile(r"/studies(?:/([0-9.]{1,64}))?/?")
ACCEPTED = (MEDIA_TYPE, "application/json")
NOT_STORED = {
    frozenset({Status.OUT_OF_RESOURCES}): HTTPStatus.SERVICE_UNAVAILABLE,
    frozenset({Status.TOO_LARGE}): HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    frozenset({Status.FAILED}): HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What a request is answered none of whose objects was taken, where all of them have one reason; else 409."""


@dataclass(frozen=True, slots=True)
class StoreTransaction:
    """Takes requests of any connection, on their threads."""

    intake: Intake
    spool: Spool
    settings: IngestSettings

    def reply_to(self, request: Request, body: Iterable[bytes], *, caller: str) -> Reply:
        """The reply to a request of somebody who may send; what it says is stored is on disk."""
        try:
            study, boundary = _resource(request), self._boundary(request)
            largest = self.settings.dicom_web_largest_request_bytes
            with Upload(self.spool, self.intake.in_hand, boundary=boundary, largest_bytes=largest) as upload:
                upload.take(body)
                outcomes = [self._outcome(part, caller, study) for part in upload.parts]
        except MalformedMessage as error:
            return refusal(Refused(HTTPStatus.BAD_REQUEST, str(error)))
        except Refused as error:
            return refusal(error)
        status = status_of(outcomes)
        later = RETRY_LATER if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return Reply(status, write_store_response(outcomes), MEDIA_TYPE, later)

    def _boundary(self, request: Request) -> str:
        """The body's boundary, once nothing speaks against reading the body."""
        if not accepts(request.headers.get("accept", ""), ACCEPTED):
            raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"the answer is {MEDIA_TYPE}")
        media_type = _required_type(request)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoded content is not taken")
        if int(request.headers.get("content-length", "0")) > self.settings.dicom_web_largest_request_bytes:
            raise too_large(self.settings.dicom_web_largest_request_bytes)
        if not self.spool.has_room():
            raise low_disk()
        return media_type.parameters.get("boundary", "")

    def _outcome(self, part: Part, caller: str, study: str) -> Outcome:
        if part.fault:
            return Outcome(None, Status.NOT_UNDERSTOOD.value, is_failure=True, comment=part.fault)
        reference, answer = self.intake.take_file(part.path, caller=caller, study=study)
        is_failure = answer.status not in {Status.STORED, Status.NOT_SCORED}
        return Outcome(reference, answer.status.value, is_failure=is_failure, comment=answer.comment)


def status_of(outcomes: Sequence[Outcome]) -> HTTPStatus:
    """The status of a reply to a request with these objects (PS3.18, table 10.5.3-1)."""
    if not any(one.reason for one in outcomes):
        return HTTPStatus.OK
    if not all(one.is_failure for one in outcomes):
        return HTTPStatus.ACCEPTED
    return NOT_STORED.get(frozenset(Status(one.reason) for one in outcomes), HTTPStatus.CONFLICT)


def refusal(refused: Refused) -> Reply:
    """The reply to a request that is not taken as a whole."""
    return Reply(refused.status, f"{refused}\n".encode(), headers=refused.headers)


def _resource(request: Request) -> str:
    """The study in the request's path, empty without one."""
    path = STUDIES.fullmatch(request.target.partition("?")[0])
    if path is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there are /studies and /studies/{study}")
    if request.method != "POST":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "objects are stored by POST, nothing else is done", Allow="POST")
    return path[1] or ""


def _required_type(request: Request) -> MediaType:
    media_type = read_media_type(request.headers.get("content-type", ""))
    root = media_type.parameters.get("type", "application/dicom").lower()
    if (media_type.name, root) != ("multipart/related", "application/dicom"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 'expected Content-Type: multipart/related; type="application/dicom"'
        )
    return media_type
