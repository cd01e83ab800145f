"""Servers of asyncio's streams that end with whatever is connected to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def close_server(server: asyncio.Server, writers: Collection[asyncio.StreamWriter]) -> None:
    """Closes a server and its connections; also one that was just accepted and has no writer yet.

    Args:
        server: One that listens.
        writers: Those of its connections, kept up to date by who serves them.
    """
    closed = asyncio.create_task(server.wait_closed())  # begun before the end: Python 3.11 waits only then
    await asyncio.sleep(0)
    server.close()
    while not closed.done():
        for writer in tuple(writers):
            writer.transport.abort()
        await asyncio.wait([closed], timeout=0.05)


@asynccontextmanager
async def serving(converse: Converse, port: int = 0) -> AsyncIterator[int]:
    """Serves the connections to a loopback port (0: a free one) and gives it; at the end all of them are over."""
    served: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served[asyncio.current_task()] = writer
        try:
            await converse(reader, writer)
        finally:
            writer.close()
            del served[asyncio.current_task()]

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await close_server(server, served.values())
        if tasks := list(filter(None, served)):
            await asyncio.wait(tasks)
