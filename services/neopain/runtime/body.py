"""Bodies of requests and answers (aiohttp): read whole as long as they are not too long, packed where they are long."""

from __future__ import annotations

import asyncio
import gzip
import re

from aiohttp import StreamReader

LEAST_GZIP_BYTES = 1_024
GZIP_LEVEL = 5


async def read_at_most(content: StreamReader, most: int) -> bytes | None:
    """The whole body; None when it has more than ``most`` bytes: then the rest was not read."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


async def packed(body: bytes, headers: dict[str, str], *, accepted: str) -> tuple[bytes, dict[str, str]]:
    """A body, packed where it is long and the client's ``Accept-Encoding`` takes that; and its headers."""
    if len(body) < LEAST_GZIP_BYTES or not takes_gzip(accepted):
        return body, headers
    return await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL), {**headers, "Content-Encoding": "gzip"}


def takes_gzip(accepted: str) -> bool:
    """Whether the client takes gzip (RFC 9110 section 12.5.3); ``gzip;q=0`` says that it does not."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
