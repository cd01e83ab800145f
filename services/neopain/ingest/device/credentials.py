"""The site's file of devices: who may send what for which beds. How each is recognised is ``ingest.credentials``'.

::

    [[device]]
    name = "gateway-7"
    token_sha256 = ["<64 hex digits>"]
    certificate = ["gateway-7.nicu.example"]
    beds = ["NICU/1/1@H", "NICU/2/*"]
    streams = ["vitals", "frames", "audio"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.ingest.credentials import FIELDS, Credentials, Known, read_tables, refuse_twice, texts

SETTING = "NEOPAIN_INGEST_DEVICE_CREDENTIALS"
STREAMS = ("frames", "audio", "vitals")


@dataclass(frozen=True, slots=True)
class DeviceEntry(Known):
    """One device of the file."""

    beds: tuple[str, ...]
    """Beds, and beginnings of beds that end with ``*``."""
    streams: tuple[str, ...] = STREAMS

    def may_name_itself(self, name: str) -> bool:
        """Whether a call may be in that name: the device's own, or that of a part of it, ``<device>/<part>``."""
        return name == self.name or name.startswith(f"{self.name}/")

    def may_send_for(self, bed: BedId) -> bool:
        """Whether the bed is one of the device's."""
        return any(bed.startswith(one[:-1]) if one.endswith("*") else bed == one for one in self.beds)


def read_credentials(path: Path) -> Credentials[DeviceEntry]:
    """The devices of a file; ``ConfigurationError`` names the entry and the rule that it breaks, never a hash."""
    tables = read_tables(path, "device", setting=SETTING, fields=(*FIELDS, "beds", "streams"))
    devices = tuple(_device(known, entry, place) for place, entry, known in tables)
    refuse_twice(devices, f"{SETTING}: {path}", "devices")
    return Credentials(devices)


def _device(known: Known, entry: Mapping[str, object], place: str) -> DeviceEntry:
    device = DeviceEntry(
        name=known.name,
        tokens_sha256=known.tokens_sha256,
        certificates=known.certificates,
        beds=texts(entry, "beds", place),
        streams=texts(entry, "streams", place) if "streams" in entry else STREAMS,
    )
    if not device.beds:
        raise ConfigurationError(f'{place}: needs beds; ["*"] opens all')
    if not device.streams or not set(device.streams) <= set(STREAMS):
        raise ConfigurationError(f"{place}: streams is to be some of {', '.join(STREAMS)}")
    return device
