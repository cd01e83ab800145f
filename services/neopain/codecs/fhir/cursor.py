"""Where a page of a search ended: opaque to the client, and refused when it is not what we gave out.

It holds the place in the sort order, so that what is written meanwhile neither doubles nor hides a match. What changes
meanwhile moves where the order is by when things changed: upwards it comes again, downwards it is passed by. It grants
nothing: whoever changes it only looks at another place of what the search may find anyway.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from neopain.codecs.fhir.ids import ID
from neopain.codecs.fhir.refusal import Refused, bad_request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Place:
    """The last match of a page: its moment in the sort order, None where the order is by id alone, and its id."""

    id: str
    moment: datetime | None = None


def write_cursor(place: Place, *, sort: str) -> str:
    """The cursor of a place in a sort order."""
    micros = None if place.moment is None else (place.moment - EPOCH) // timedelta(microseconds=1)
    text = json.dumps([sort, micros, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str, *, sort: str, has_moment: bool) -> Place:
    """The place of a cursor; ``Refused`` (400) when we did not write it for this order."""
    try:
        return _read(text, sort=sort, has_moment=has_moment)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise _refusal() from error


def _read(text: str, *, sort: str, has_moment: bool) -> Place:
    if len(text) > LONGEST or not text.isascii():
        raise ValueError("too long, or not ASCII")
    padded = text + "=" * (-len(text) % 4)
    own_sort, micros, found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if own_sort != sort or not isinstance(found, str) or not ID.fullmatch(found):
        raise ValueError("of another order, or without an id")
    if not has_moment:
        return Place(found)
    if type(micros) is not int:
        raise ValueError("without a moment")
    return Place(found, EPOCH + timedelta(microseconds=micros))


def _refusal() -> Refused:
    return bad_request("_cursor is none that this server gave out for this search: begin anew without it")
