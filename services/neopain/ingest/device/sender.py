"""Who is calling: the device's name and how its data may be used, from the call's metadata."""

from __future__ import annotations

from collections.abc import Sequence
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
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Sender:
    """One device."""

    source: SourceId
    processing: Processing


def sender_of(context: grpc.aio.ServicerContext[Any, Any]) -> Sender:
    """The caller; ``MalformedMessage`` when its metadata break a rule."""
    metadata = {key: _text(value) for key, value in context.invocation_metadata() or ()}
    name = metadata.get(DEVICE_KEY) or host_of(context.peer())
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise MalformedMessage(DEVICE_KEY, f"expected 1 to {LONGEST_NAME} printable characters")
    return Sender(SourceId("device", name), _processing(metadata.get(PROCESSING_KEY, "P")))


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
