"""How long a connection waits for its peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """Calls ``over`` with the reason of a wait that took too long.

    A message costs it next to nothing: its timer is set anew when it rings, not for each wait.
    """

    def __init__(self, over: Callable[[str], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None
        self._why = ""
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, seconds: float, why: str) -> None:
        """From now on something is waited for, for so long at most; ``why`` names what did not come."""
        self._due, self._why = self._loop.time() + seconds, why
        if self._timer is None or self._timer.when() > self._due:
            self._set()

    def rest(self) -> None:
        """Nothing is waited for."""
        self._due = None

    def end(self) -> None:
        """Nothing rings any more."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        due = self._due
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._ring) if due is not None else None

    def _ring(self) -> None:
        if self._due is not None and self._due <= self._loop.time():
            self._timer = None
            self._over(self._why)
        else:
            self._set()
