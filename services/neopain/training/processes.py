"""Work in several processes that end with the one that started them, also when that one is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

from neopain.errors import ConfigurationError

Work = TypeVar("Work")
Result = TypeVar("Result")


def in_processes(function: Callable[[Work], Result], work: Sequence[Work], *, workers: int) -> Iterator[Result]:
    """The results as they come, in any order. Processes are spawned: threads of this one cannot harm them.

    An error of the function is raised here, and what has not begun by then is dropped. ``ConfigurationError`` when a
    process was killed.
    """
    pool = ProcessPoolExecutor(min(workers, len(work)), mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        for future in as_completed([pool.submit(function, one) for one in work]):
            yield future.result()
    except BrokenProcessPool as error:
        raise ConfigurationError(
            "a working process was killed, perhaps for lack of memory: give fewer workers; what is done is kept"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    # Ctrl-C reaches the whole group; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    """Ends this process when its parent is gone: a pool's workers wait on a queue that they hold open themselves."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
