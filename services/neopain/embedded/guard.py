"""A small process in front of each server, so that nothing stays behind when its parent dies, even by kill -9.

It runs as ``python -I -S guard.py`` and imports little of the standard library and nothing else, since it must start
quickly and live in about 10 MB: ``pathlib`` and ``typing`` would take as long as half of all that it imports. Its
standard input is its life line: the parent writes one JSON line (the order) and keeps the pipe open. End of file there,
a changed parent or SIGTERM means: stop the child and all that descends from it. The guard is the subreaper of that
tree, so orphaned grandchildren (Triton's stubs, Celery's pool) come back to it and are stopped too. Should the guard
itself be killed, the kernel sends the child the parent-death signal.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from fnmatch import filter as matching

TYPE_CHECKING = False  # checkers take it for that of typing
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn, TypedDict

    class Order(TypedDict):
        """What the parent asks for; one JSON line on standard input."""

        argv: list[str]
        env: dict[str, str]
        cwd: str
        stop_signal: int
        grace_seconds: float
        lock: str
        lock_wait_seconds: float
        remove: list[str]


PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PARENT_CHECK_SECONDS = 1.0
ORPHAN_GRACE_SECONDS = 1.0
"""How long grandchildren get after the child has ended by itself."""
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOCK_EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: another server still holds this state."""
NOT_STARTED_EXIT_CODE = 127


class ParentGone(Exception):
    """The parent died or asked for an end."""


class Parent:
    """The life line: end of file on standard input, SIGTERM, or another parent id."""

    def __init__(self) -> None:
        self._pid = os.getppid()
        self._asked = False
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ending in ENDINGS:
            signal.signal(ending, self._ask)
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN | select.POLLHUP)
        self._poll.register(self._wake_read, select.POLLIN)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def pause(self, seconds: float) -> None:
        """Wait for a signal or for this long; ``ParentGone`` when the parent is no longer there."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if not os.read(descriptor, 4096):
                raise ParentGone
        if self._asked or os.getppid() != self._pid:
            raise ParentGone

    def doze(self, seconds: float) -> None:
        """Wait for a signal or for this long, whatever the parent does."""
        ready, _, _ = select.select([self._wake_read], [], [], seconds)
        if ready:
            os.read(self._wake_read, 4096)


def main() -> NoReturn:
    """Read the order, run the child, and leave with its exit code (128 + n when signal n ended it)."""
    order = read_order()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    parent = Parent()
    try:
        hold_lock(order, parent)
    except ParentGone:
        sys.exit(LOCK_EXIT_CODE)
    child = spawn(order)
    os.write(1, f"{child}\n".encode())
    code = watch(child, order, parent)
    for pattern in order["remove"]:
        remove(pattern)
    sys.exit(code)


def read_order() -> Order:
    """Read the first line of standard input byte by byte, so that nothing behind it is swallowed."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit("guard: standard input ended before the order")
        line += byte
    order: Order = json.loads(line)
    return order


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process (Linux, prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) was refused")


def hold_lock(order: Order, parent: Parent) -> None:
    """Keep two servers off one state; a predecessor that is still stopping is waited for."""
    handle = os.open(order["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + order["lock_wait_seconds"]
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                print(f"guard: {order['lock']} is held by another running server", file=sys.stderr, flush=True)
                sys.exit(LOCK_EXIT_CODE)
            parent.pause(0.1)
        else:
            return


def spawn(order: Order) -> int:
    """Start the child in a session of its own, bound to this process by the parent-death signal."""
    guard = os.getpid()
    # Held back until the child has left our handlers: a stop that comes at once must not get lost in between.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD, *ENDINGS))
    child = os.fork()
    if child == 0:
        become(order, guard, held)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return child


def become(order: Order, guard: int, mask: Iterable[int]) -> NoReturn:
    """Turn the forked process into the child; the log is on descriptor 2 already."""
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(NOT_STARTED_EXIT_CODE)
        for changed in (signal.SIGCHLD, signal.SIGPIPE, *ENDINGS):
            signal.signal(changed, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], {**os.environ, **order["env"]})  # noqa: S606 -- our own
    except OSError as error:
        os.write(2, f"guard: cannot start {order['argv'][0]}: {error}\n".encode())
    os._exit(NOT_STARTED_EXIT_CODE)


def watch(child: int, order: Order, parent: Parent) -> int:
    """Wait until the child ends or has to end, then end what is left of its tree; return its exit code."""
    status: int | None = None
    try:
        while status is None:
            parent.pause(PARENT_CHECK_SECONDS)
            status = reap(child)
    except ParentGone:
        send(child, order["stop_signal"])
        status = linger(child, status, parent, order["grace_seconds"])
    if status is None:
        send(child, signal.SIGKILL)
    for descendant in descendants(os.getpid()):
        send(descendant, signal.SIGTERM)
    linger(0, 0, parent, ORPHAN_GRACE_SECONDS)
    while left := descendants(os.getpid()):
        for descendant in left:
            send(descendant, signal.SIGKILL)
        parent.doze(0.02)
        status = merge(status, reap(child))
    status = merge(status, reap(child))
    code = os.waitstatus_to_exitcode(status or 0)
    return code if code >= 0 else 128 - code


def linger(child: int, status: int | None, parent: Parent, seconds: float) -> int | None:
    """Reap until the child has ended and none of its tree is left, or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = merge(status, reap(child))
        if status is not None and (child or not descendants(os.getpid())):
            break
        parent.doze(0.02)
    return status


def merge(known: int | None, new: int | None) -> int | None:
    """Keep the first status that was seen."""
    return new if known is None else known


def reap(child: int) -> int | None:
    """Collect every ended process below this one; return the child's status if it was among them."""
    status: int | None = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            status = ended


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def remove(pattern: str) -> None:
    """Remove the files of a folder whose names match; those that are gone already, or their folder, are not missed."""
    folder, name = os.path.split(pattern)
    with suppress(FileNotFoundError):
        for found in matching(os.listdir(folder), name):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, found))


def descendants(root: int) -> list[int]:
    """Return the ids of all living processes below ``root``, from /proc."""
    below: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := parent_of(entry)) is not None:
            below.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    open_ends = [root]
    while open_ends:
        children = below.get(open_ends.pop(), [])
        found += children
        open_ends += children
    return found


def parent_of(process: str) -> int | None:
    """Return the parent's id of a living process of /proc; None for one that is gone or only waits to be reaped."""
    try:
        with open(f"/proc/{process}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[1])


if __name__ == "__main__":
    main()
