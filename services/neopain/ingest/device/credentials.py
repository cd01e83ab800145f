"""The site's file of devices: who may send what for which beds, and how each is recognised. No socket.

A TOML file; of a token only its SHA-256 stands there, so that who reads the file cannot send::

    [[device]]
    name = "gateway-7"
    token_sha256 = ["<64 hex digits>"]
    certificate = ["gateway-7.nicu.example"]
    beds = ["NICU/1/1@H", "NICU/2/*"]
    streams = ["vitals", "frames", "audio"]
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError

SETTING = "NEOPAIN_INGEST_DEVICE_CREDENTIALS"
STREAMS = ("frames", "audio", "vitals")
FIELDS = ("name", "token_sha256", "certificate", "beds", "streams")
TOKEN_BYTES = 32
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device of the file. Where it has tokens and certificate names, it must show one of each."""

    name: str
    tokens_sha256: tuple[str, ...]
    certificates: tuple[str, ...]
    beds: tuple[str, ...]
    """Beds, and beginnings of beds that end with ``*``."""
    streams: tuple[str, ...] = STREAMS

    def may_name_itself(self, name: str) -> bool:
        """Whether a call may be in that name: the device's own, or that of a part of it, ``<device>/<part>``."""
        return name == self.name or name.startswith(f"{self.name}/")

    def may_send_for(self, bed: BedId) -> bool:
        """Whether the bed is one of the device's."""
        return any(bed.startswith(one[:-1]) if one.endswith("*") else bed == one for one in self.beds)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The whole file."""

    devices: tuple[DeviceEntry, ...]

    def by_token(self, token: str) -> DeviceEntry | None:
        """Whose token it is. Every hash is compared, each in constant time: how long it takes tells nothing."""
        shown, found = token_sha256(token), None
        for device in self.devices:
            for known in device.tokens_sha256:
                if hmac.compare_digest(known, shown):
                    found = device
        return found

    def by_certificate(self, names: Iterable[str]) -> DeviceEntry | None:
        """The device that is known by one of the certificate's names alone."""
        shown = set(names)
        return next((one for one in self.devices if not one.tokens_sha256 and shown & set(one.certificates)), None)

    @property
    def need_certificates(self) -> bool:
        """Whether any device is known by its certificate."""
        return any(one.certificates for one in self.devices)


def token_sha256(token: str) -> str:
    """What stands in the file of a token, in hexadecimal digits. A token is random, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A token of 256 random bits, as metadata can carry it."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def read_credentials(path: Path) -> Credentials:
    """The devices of a file; ``ConfigurationError`` names the entry and the rule that it breaks, never a hash."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{SETTING}: {path} cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{SETTING}: {path} is no TOML ({error})") from error
    entries = table.get("device")
    if set(table) != {"device"} or not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{SETTING}: {path} holds [[device]] tables and nothing else, at least one")
    devices = tuple(_entry(entry, f"{SETTING}: {path}, device {number}") for number, entry in enumerate(entries, 1))
    _refuse_twice(devices, f"{SETTING}: {path}")
    return Credentials(devices)


def _entry(entry: object, place: str) -> DeviceEntry:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place}: expected a table")
    if unknown := sorted(set(entry) - set(FIELDS)):
        raise ConfigurationError(f"{place}: {', '.join(unknown)} is no field; there are {', '.join(FIELDS)}")
    name = entry.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME or "/" in name:
        raise ConfigurationError(f"{place}: name is to be 1 to {LONGEST_NAME} printable characters without a /")
    place = f"{place} ({name})"
    device = DeviceEntry(
        name=name,
        tokens_sha256=_texts(entry, "token_sha256", place),
        certificates=_texts(entry, "certificate", place),
        beds=_texts(entry, "beds", place),
        streams=_texts(entry, "streams", place) if "streams" in entry else STREAMS,
    )
    _check(device, place)
    return device


def _check(device: DeviceEntry, place: str) -> None:
    if not device.tokens_sha256 and not device.certificates:
        raise ConfigurationError(f"{place}: needs token_sha256, certificate or both")
    if not all(SHA256.fullmatch(one) for one in device.tokens_sha256):
        raise ConfigurationError(f"{place}: token_sha256 is to be 64 hexadecimal digits in small letters")
    if not device.beds:
        raise ConfigurationError(f'{place}: needs beds; ["*"] opens all')
    if not device.streams or not set(device.streams) <= set(STREAMS):
        raise ConfigurationError(f"{place}: streams is to be some of {', '.join(STREAMS)}")


def _texts(entry: Mapping[str, object], field: str, place: str) -> tuple[str, ...]:
    values = entry.get(field, [])
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise ConfigurationError(f"{place}: {field} is to be a list of texts")
    return tuple(values)


def _refuse_twice(devices: tuple[DeviceEntry, ...], place: str) -> None:
    names = [one.name for one in devices]
    tokens = [token for one in devices for token in one.tokens_sha256]
    alone = [name for one in devices if not one.tokens_sha256 for name in one.certificates]
    for what, values in (("a name", names), ("a token", tokens), ("a certificate name", alone)):
        if len(set(values)) < len(values):
            raise ConfigurationError(f"{place}: two devices share {what}, so that it does not say which one calls")
