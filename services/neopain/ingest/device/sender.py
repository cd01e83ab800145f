"""Who is calling: the device's name and how its data may be used, from the call's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import grpc

from neopain.domain.identity import SourceId
from neopain.domain.vitals import Processing
from neopain.errors import MalformedMessage

DEVICE_KEY = "neopain-device"
"""Metadata: the device's own name, the same after a reconnection; without it, its address."""
PROCESSING_KEY = "neopain-processing"
"""Metadata: P, D or T as in MSH-11; without it, P. A simulator must send T."""
SERIES_KEY = "neopain-series"
"""Metadata: what the device calls the run of numbers that its messages carry; new whenever it begins at 1."""
AUTHORIZATION_KEY = "authorization"
LONGEST_NAME = 100
SERIES = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Sender:
    """One device."""

    source: SourceId
    processing: Processing


def metadata_of(context: grpc.aio.ServicerContext[Any, Any]) -> dict[str, str]:
    """The call's metadata as text."""
    return {key: _text(value) for key, value in context.invocation_metadata() or ()}


def sender_of(metadata: Mapping[str, str], *, otherwise: str) -> Sender:
    """The caller, called ``otherwise`` where it gives no name; ``MalformedMessage`` when its metadata break a rule."""
    name = metadata.get(DEVICE_KEY) or otherwise
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise MalformedMessage(DEVICE_KEY, f"expected 1 to {LONGEST_NAME} printable characters")
    return Sender(SourceId("device", name), _processing(metadata.get(PROCESSING_KEY, "P")))


def series_of(metadata: Mapping[str, str]) -> str:
    """The series that the call goes on with, empty for none; ``MalformedMessage`` when it breaks a rule."""
    series = metadata.get(SERIES_KEY, "")
    if series and not SERIES.fullmatch(series):
        raise MalformedMessage(SERIES_KEY, "expected 1 to 64 letters, digits, dots, dashes and underscores")
    return series


def host_of(peer: str) -> str:
    """The address of a gRPC peer (``ipv4:10.0.0.7:50114``, ``ipv6:%5B::1%5D:50114``) without its port, which changes
    with each connection."""
    transport, _, address = peer.partition(":")
    if transport not in {"ipv4", "ipv6"}:
        return peer
    return unquote(address).rpartition(":")[0]


def _processing(code: str) -> Processing:
    try:
        return Processing(code)
    except ValueError as error:
        codes: Sequence[str] = [one.value for one in Processing]
        raise MalformedMessage(PROCESSING_KEY, f"{code!r}, expected one of {', '.join(codes)}") from error


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
