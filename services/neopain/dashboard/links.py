"""One-time links: a random word that is good once, for some minutes. Its digest is a file that taking it removes.

Whoever may write into the folder may sign in: it is for one machine, and its user's alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from neopain.errors import ConfigurationError, SignInRefused

PATH = "/sign-in/once/"


@dataclass(frozen=True, slots=True)
class Links:
    """The links in one folder; processes share them."""

    folder: Path
    lifetime: timedelta

    def make(self, own_url: str, *, now: datetime) -> str:
        """A new link; those that are over are removed. ``ConfigurationError`` when it cannot be written."""
        word = secrets.token_urlsafe(32)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self._forget_old(now)
            (self.folder / _digest(word)).write_text((now + self.lifetime).isoformat())
        except OSError as error:
            raise ConfigurationError(f"no link can be kept in {self.folder} ({error.strerror})") from error
        return f"{own_url}{PATH}{word}"

    def take(self, word: str, *, now: datetime) -> None:
        """Uses a link up. ``SignInRefused`` when it never was, is used, or is over."""
        path = self.folder / _digest(word)
        try:
            until = datetime.fromisoformat(path.read_text())
            # Of two who come at once, one removes it.
            path.unlink()
        except (OSError, ValueError) as error:
            raise SignInRefused("this link was used already, or is none") from error
        if now > until:
            raise SignInRefused("this link is over")

    def _forget_old(self, now: datetime) -> None:
        for path in self.folder.iterdir():
            if path.stat().st_mtime < (now - 2 * self.lifetime).timestamp():
                path.unlink(missing_ok=True)


def _digest(word: str) -> str:
    return sha256(word.encode(errors="surrogateescape")).hexdigest()
