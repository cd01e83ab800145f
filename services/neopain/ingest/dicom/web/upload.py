"""The parts of one request on their way to the spool: each a file of its own, none of which stays unless it is kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from neopain.codecs.media_type import read_media_type
from neopain.codecs.multipart import Decoder, PartBegun, PartData, PartEnded
from neopain.errors import MalformedMessage
from neopain.ingest.dicom.spool import Spool

MOST_PARTS = 1_000
RETRY_LATER = {"Retry-After": "60"}
"""Headers of an answer 503, in seconds."""
ENCODINGS = ("", "binary", "8bit", "7bit")


class Refused(Exception):
    """A request that is not taken as a whole, with the status of HTTP and the reason."""

    def __init__(self, status: HTTPStatus, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


@dataclass(slots=True)
class Part:
    """A part of the request: a file, or the reason why there is none."""

    path: Path
    fault: str = ""
    file: BinaryIO | None = field(default=None, repr=False)


class Upload:
    """The files of one request, as long as the context lasts. ``in_hand`` is where they are known to whoever sweeps."""

    def __init__(self, spool: Spool, in_hand: set[Path], *, boundary: str, largest_bytes: int) -> None:
        self.spool = spool
        self.in_hand = in_hand
        self.largest_bytes = largest_bytes
        self.parts: list[Part] = []
        self._decoder = Decoder(boundary)
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self.parts:
            if part.file is not None:
                part.file.close()
            part.path.unlink(missing_ok=True)
            self.in_hand.discard(part.path)

    def take(self, body: Iterable[bytes]) -> None:
        """Writes the body's parts as they come. Raises ``Refused``, also for a body without parts or end."""
        try:
            for piece in body:
                self._require_room(len(piece))
                for event in self._decoder.feed(piece):
                    match event:
                        case PartBegun():
                            self._begin(event)
                        case PartData():
                            self._write(event.data)
                        case PartEnded():
                            self._end()
        except MalformedMessage as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        except OSError as error:
            raise low_disk() from error
        if not self._decoder.is_complete:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body ends without its last boundary")
        if not self.parts:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body has no part")

    def _require_room(self, more: int) -> None:
        self._taken += more
        if self._taken > self.largest_bytes:
            raise too_large(self.largest_bytes)
        if not self.spool.has_room():
            raise low_disk()

    def _begin(self, part: PartBegun) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_PARTS} parts are not taken at once")
        path = self.spool.incoming / f"web-{uuid.uuid4().hex}.dcm"
        self.in_hand.add(path)
        begun = Part(path, _fault_of(part))
        self.parts.append(begun)
        if not begun.fault:
            begun.file = path.open("xb")

    def _write(self, data: bytes) -> None:
        file = self.parts[-1].file
        if file is not None:
            file.write(data)

    def _end(self) -> None:
        part = self.parts[-1]
        if part.file is not None:
            part.file.close()
            part.file = None


def low_disk() -> Refused:
    """The disk has no room now; it may have later."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the spool's disk is low", **RETRY_LATER)


def too_large(largest_bytes: int) -> Refused:
    """The request is larger than any that is taken."""
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"requests above {largest_bytes} bytes are not taken")


def _fault_of(part: PartBegun) -> str:
    # Without a type of its own a part is what the request's type says.
    media_type = read_media_type(part.headers.get("content-type", "application/dicom")).name
    if media_type != "application/dicom":
        return "the part is not application/dicom"
    if part.headers.get("content-transfer-encoding", "").lower() not in ENCODINGS:
        return "the part is encoded for mail, expected binary"
    return ""
