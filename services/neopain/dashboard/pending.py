"""A sign-in under way: what must come back from the provider lies in the browser meanwhile, in a sealed cookie."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import jwt

from neopain.errors import SignInRefused

LIFETIME = timedelta(minutes=10)
ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Pending:
    """``state`` ties the answer to this browser, ``nonce`` the ID token to it, ``verifier`` the code (RFC 7636).

    ``to`` is the address of the page that was asked for.
    """

    state: str
    nonce: str
    verifier: str
    to: str

    @classmethod
    def made(cls, to: str) -> Pending:
        """A new one."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), to)

    @property
    def challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636 section 4.2)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Seal:
    """Seals what is pending with a key of this process: a restart ends what was under way."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def seal(self, pending: Pending, *, now: datetime) -> str:
        """The cookie's value."""
        return jwt.encode({**asdict(pending), "exp": now + LIFETIME}, self._key, algorithm=ALGORITHM)

    def open(self, value: str, *, state: str, now: datetime) -> Pending:
        """What was sealed, if it is what ``state`` belongs to. ``SignInRefused`` otherwise, and when it is over."""
        try:
            told = jwt.decode(
                value, self._key, algorithms=[ALGORITHM], options={"require": ["exp"], "verify_exp": False}
            )
            pending = Pending(told["state"], told["nonce"], told["verifier"], told["to"])
        except (jwt.PyJWTError, KeyError) as error:
            raise SignInRefused("no sign-in is under way in this browser") from error
        if now.timestamp() > told["exp"]:
            raise SignInRefused("this sign-in took too long")
        if not secrets.compare_digest(pending.state.encode(), state.encode(errors="surrogateescape")):
            raise SignInRefused("the answer belongs to another sign-in")
        return pending
