"""A server on a loop and a thread of its own, while a test asks it from its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager


@contextmanager
def in_thread(service: AbstractAsyncContextManager[None]) -> Iterator[None]:
    """Enters the service there, and leaves it at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(service.__aenter__(), loop).result(30)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(service.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
