"""A site's file of those who may send: how each is recognised, by token, certificate or both. No socket.

A TOML file with one table for each; of a token only its SHA-256 stands there, so that who reads the file cannot send.
What each may do, and in which words one is turned away, is the door's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from neopain.errors import ConfigurationError
from neopain.runtime.address import is_loopback

FIELDS = ("name", "token_sha256", "certificate")
"""What every table may hold; a door adds its own."""
TOKEN_BYTES = 32
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME = 100
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody of the file. Who has tokens and certificate names must show one of each."""

    name: str
    tokens_sha256: tuple[str, ...]
    certificates: tuple[str, ...]


Entry = TypeVar("Entry", bound=Known)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a peer shows: its authorization header or metadata, the names in its certificate, and how it came."""

    authorization: str
    certificate_names: tuple[str, ...]
    is_encrypted: bool
    host: str


class NotRecognised(Exception):
    """Nobody of the file. ``why`` is a metric's label; the text names no credential."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class Credentials(Generic[Entry]):
    """The whole file."""

    entries: tuple[Entry, ...]

    def by_token(self, token: str) -> Entry | None:
        """Whose token it is. Every hash is compared, each in constant time: how long it takes tells nothing."""
        shown, found = token_sha256(token), None
        for entry in self.entries:
            for known in entry.tokens_sha256:
                if hmac.compare_digest(known, shown):
                    found = entry
        return found

    def by_certificate(self, names: Iterable[str]) -> Entry | None:
        """Who is known by one of the certificate's names alone."""
        shown = set(names)
        return next((one for one in self.entries if not one.tokens_sha256 and shown & set(one.certificates)), None)

    @property
    def need_certificates(self) -> bool:
        """Whether anybody is known by a certificate."""
        return any(one.certificates for one in self.entries)

    def recognise(self, shown: Shown, noun: str) -> Entry:
        """Who it is; ``noun`` is what the door calls them. Raises ``NotRecognised``."""
        if not shown.authorization:
            entry = self.by_certificate(shown.certificate_names)
            if entry is None:
                raise NotRecognised("missing", f"no bearer token, and no certificate that is a {noun}'s alone")
            return entry
        if shown.authorization[: len(BEARER)].lower() != BEARER:
            raise NotRecognised("scheme", "authorization: expected 'Bearer <token>'")
        if not shown.is_encrypted and not is_loopback(shown.host):
            raise NotRecognised("unencrypted", "tokens are taken over TLS alone; change this one, it was readable")
        entry = self.by_token(shown.authorization[len(BEARER) :].strip())
        if entry is None:
            raise NotRecognised("token", f"authorization: no {noun} has this token")
        if entry.certificates and not set(entry.certificates) & set(shown.certificate_names):
            raise NotRecognised("certificate", f"the {noun} {entry.name} also needs its certificate")
        return entry


def token_sha256(token: str) -> str:
    """What stands in the file of a token, in hexadecimal digits. A token is random, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A token of 256 random bits, as a header or metadata can carry it."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def read_tables(
    path: Path, table: str, *, setting: str, fields: Sequence[str] = FIELDS
) -> Iterator[tuple[str, Mapping[str, object], Known]]:
    """The ``[[table]]`` entries of a file: the place of each for messages, its fields, and who it is.

    Raises ``ConfigurationError``, which names the setting, the entry and the rule that it breaks, never a hash.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{setting}: {path} is no TOML ({error})") from error
    entries = content.get(table)
    if set(content) != {table} or not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{setting}: {path} holds [[{table}]] tables and nothing else, at least one")
    for number, entry in enumerate(entries, 1):
        place = f"{setting}: {path}, {table} {number}"
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{place}: expected a table")
        if unknown := sorted(set(entry) - set(fields)):
            raise ConfigurationError(f"{place}: {', '.join(unknown)} is no field; there are {', '.join(fields)}")
        name = _name(entry, place)
        place = f"{place} ({name})"
        yield place, entry, _known(name, entry, place)


def texts(entry: Mapping[str, object], field: str, place: str) -> tuple[str, ...]:
    """A field that is a list of texts, empty when it is not there."""
    values = entry.get(field, [])
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise ConfigurationError(f"{place}: {field} is to be a list of texts")
    return tuple(values)


def refuse_twice(entries: Sequence[Known], place: str, nouns: str) -> None:
    """``ConfigurationError`` when what is shown could be two of the entries."""
    names = [one.name for one in entries]
    tokens = [token for one in entries for token in one.tokens_sha256]
    alone = [name for one in entries if not one.tokens_sha256 for name in one.certificates]
    for what, values in (("a name", names), ("a token", tokens), ("a certificate name", alone)):
        if len(set(values)) < len(values):
            raise ConfigurationError(f"{place}: two {nouns} share {what}, so that it does not say which one calls")


def _name(entry: Mapping[str, object], place: str) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME or "/" in name:
        raise ConfigurationError(f"{place}: name is to be 1 to {LONGEST_NAME} printable characters without a /")
    return name


def _known(name: str, entry: Mapping[str, object], place: str) -> Known:
    known = Known(name, texts(entry, "token_sha256", place), texts(entry, "certificate", place))
    if not known.tokens_sha256 and not known.certificates:
        raise ConfigurationError(f"{place}: needs token_sha256, certificate or both")
    if not all(SHA256.fullmatch(one) for one in known.tokens_sha256):
        raise ConfigurationError(f"{place}: token_sha256 is to be 64 hexadecimal digits in small letters")
    return known
