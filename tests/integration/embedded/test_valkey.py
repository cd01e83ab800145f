from __future__ import annotations

import pytest
import redis

from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey

BUS_SETTINGS = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"}
MEDIA_SETTINGS = {"appendonly": "no", "save": "", "maxmemory": str(64 << 20), "maxmemory-policy": "noeviction"}


def test_the_bus_is_durable(bus_url: str) -> None:
    with redis.Redis.from_url(bus_url, decode_responses=True) as bus:
        assert {name: bus.config_get(name)[name] for name in BUS_SETTINGS} == BUS_SETTINGS


def test_the_media_server_never_writes_to_disk(state: StateFolder) -> None:
    with (
        Valkey.media(state, maxmemory_mb=64) as server,
        redis.Redis.from_url(server.url, decode_responses=True) as media,
    ):
        assert {name: media.config_get(name)[name] for name in MEDIA_SETTINGS} == MEDIA_SETTINGS


def test_nobody_enters_without_the_password(bus_url: str) -> None:
    address = bus_url.rpartition("@")[2]
    with redis.Redis.from_url(f"redis://{address}") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


@pytest.mark.parametrize("end", [Valkey.stop, Valkey.kill])
def test_what_the_bus_has_answered_survives(state: StateFolder, end) -> None:
    with Valkey.bus(state) as server:
        with redis.Redis.from_url(server.url) as bus:
            entry = bus.xadd("vitals", {"bed": "NICU-2"})
        end(server)
        server.restart()
        with redis.Redis.from_url(server.url) as bus:
            assert bus.xrange("vitals") == [(entry, {b"bed": b"NICU-2"})]
