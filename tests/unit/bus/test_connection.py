"""Which server a bed lies on, and what errors become."""

from __future__ import annotations

import pytest
from redis import exceptions as redis_errors
from redis.asyncio import Connection, Redis, SSLConnection
from redis.typing import EncodableT

from neopain.bus.connection import connect, shard_of, translated
from neopain.bus.shard import Shard
from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable


def test_a_bed_lies_on_the_shard_of_its_crc32() -> None:
    shards = [Redis(port=port) for port in (1, 2, 3, 4)]
    # CRC-32 of "NICU/1/1@A" is 0x81d6c13e and of "NICU/1/2@A" 0x83907f67.
    assert shards.index(shard_of(BedId("NICU/1/1@A"), shards)) == 2
    assert shards.index(shard_of(BedId("NICU/1/2@A"), shards)) == 3


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://media-1:6380/0", "media-1:6380"),
        ("rediss://user:secret@media-1", "media-1:6379"),
        ("unix://user:secret@/run/valkey/1.sock?db=0", "/run/valkey/1.sock"),
    ],
)
def test_a_media_server_has_a_name_of_its_own_without_its_password(url: str, name: str) -> None:
    assert Shard(Redis.from_url(url)).name == name


@pytest.mark.parametrize(
    "error",
    [
        redis_errors.ConnectionError("refused"),
        redis_errors.TimeoutError("too slow"),
        redis_errors.BusyLoadingError("loading the dataset"),
        redis_errors.AuthenticationError("no password"),
        redis_errors.OutOfMemoryError("command not allowed"),
        redis_errors.ReadOnlyError("a replica"),
        redis_errors.ResponseError("OOM command not allowed, script: 1"),
        redis_errors.ResponseError("MISCONF cannot write to disk"),
        redis_errors.ResponseError("BUSY a script runs"),
        OSError("no route"),
    ],
)
def test_a_server_that_cannot_serve_now_is_unavailable(error: Exception) -> None:
    with pytest.raises(BusUnavailable, match=r"^XADD vitals: "), translated("XADD vitals"):
        raise error


def test_a_mistake_of_ours_stays_what_it_is() -> None:
    with pytest.raises(redis_errors.ResponseError, match="WRONGTYPE"), translated("XADD vitals"):
        raise redis_errors.ResponseError("WRONGTYPE not a stream")


COMMANDS: list[tuple[EncodableT, ...]] = [
    ("PING",),
    ("CONFIG GET", "appendonly", b"\x00\r\n"),
    ("XADD", "vitals:NICU/1/3", "*", b"p", b"\xff" * 7000),
    ("ZADD", "beds", 1764201600000, "Säuglinge/1/3"),
    ("SET", "n", 2.5),
    ("SET", "m", memoryview(b"frame")),
    ("SET", "a", bytearray(b"frame")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_a_command_is_written_as_the_library_writes_it(command: tuple[EncodableT, ...]) -> None:
    ours = connect("redis://127.0.0.1:1").connection_pool.make_connection()
    assert b"".join(ours.pack_command(*command)) == b"".join(Connection().pack_command(*command))


def test_a_server_behind_tls_is_spoken_to_by_tls() -> None:
    assert isinstance(connect("rediss://127.0.0.1:1").connection_pool.make_connection(), SSLConnection)
