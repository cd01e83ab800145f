"""The two servers, reached by URL, and the checks that they are what the promises need."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from hiredis import pack_command
from redis import exceptions as redis_errors
from redis.asyncio import Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.typing import EncodableT

from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable, ConfigurationError

T = TypeVar("T")

# redis-py gives most error codes a class of their own and cuts the code off the message; it does neither for MISCONF
# and BUSY, nor for an OOM within a script.
REFUSALS = (
    redis_errors.OutOfMemoryError,
    redis_errors.ReadOnlyError,
    redis_errors.BusyLoadingError,
    redis_errors.AuthenticationError,
)


class _Packing(AbstractConnection):
    """Lets hiredis write the commands: with many arguments redis-py's own writing costs more than all else."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """The command as one text; a name of two words is two arguments."""
        name, *rest = args
        words = name.split() if isinstance(name, (str, bytes)) else [name]
        try:
            return [pack_command((*words, *rest))]
        except TypeError:  # a kind of argument that only redis-py knows
            return super().pack_command(*args)


class _PlainConnection(_Packing, Connection):
    pass


class _TlsConnection(_Packing, SSLConnection):
    pass


_PACKING: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _PlainConnection,
    SSLConnection: _TlsConnection,
}


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where the servers are. ``media_urls`` share the beds between them; ``namespace`` starts every key."""

    bus_url: str
    media_urls: tuple[str, ...]
    namespace: str = "neopain"


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turns what redis-py raises into ``BusUnavailable``; a full server refuses writes and counts as that too."""
    try:
        yield
    except (redis_errors.RedisError, OSError) as error:
        translation = translation_of(action, error)
        if translation is None:
            raise
        raise translation from error


def translation_of(action: str, error: Exception) -> BusUnavailable | None:
    """What an error of redis-py means; None where it is a fault of ours."""
    is_refusal = isinstance(error, REFUSALS) or (
        isinstance(error, redis_errors.ResponseError) and str(error).startswith(("OOM", "MISCONF", "BUSY "))
    )
    if is_refusal:
        return BusUnavailable(f"{action}: the bus refused ({error})")
    if isinstance(error, (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError)):
        return BusUnavailable(f"{action}: the bus did not answer ({error})")
    return None


def connect(url: str, *, timeout_seconds: float = 5.0) -> Redis:
    """A client of one server; nothing is sent yet."""
    client = Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        health_check_interval=15,
        decode_responses=False,
    )
    pool = client.connection_pool
    pool.connection_class = _PACKING.get(pool.connection_class, pool.connection_class)
    return client


def shard_of(bed: BedId, shards: Sequence[T]) -> T:
    """The media server of a bed: CRC-32 of its id modulo the number of servers, the same in every process."""
    return shards[zlib.crc32(bed.encode()) % len(shards)]


async def require_durable(bus: Redis) -> None:
    """Refuses a bus that could acknowledge what a power cut then takes (``ConfigurationError``)."""
    config = await _config(bus, "appendonly", "appendfsync", "maxmemory-policy")
    if config["appendonly"] != "yes" or config["appendfsync"] != "always":
        raise ConfigurationError(
            f"the bus runs with appendonly {config['appendonly']} and appendfsync {config['appendfsync']}; "
            "acknowledged messages could be lost: set appendonly yes and appendfsync always"
        )
    if config["maxmemory-policy"] != "noeviction":
        raise ConfigurationError(
            f"the bus runs with maxmemory-policy {config['maxmemory-policy']} and would drop facts when full: "
            "set noeviction"
        )


async def require_volatile(media: Redis) -> None:
    """Refuses a media server that would write frames or sound to a disk (``ConfigurationError``)."""
    config = await _config(media, "appendonly", "save", "maxmemory")
    if config["appendonly"] != "no" or config["save"] != "":
        raise ConfigurationError(
            f"the media server runs with appendonly {config['appendonly']} and save '{config['save']}'; "
            "live media would reach a disk: set appendonly no and save ''"
        )
    if config["maxmemory"] == "0":
        raise ConfigurationError("the media server has no maxmemory; live media could fill the machine: set one")


async def _config(server: Redis, *names: str) -> dict[str, str]:
    with translated("CONFIG GET"):
        try:
            found = await server.config_get(*names)
        except redis_errors.ResponseError as error:
            raise ConfigurationError(
                f"the server does not tell its settings ({error}); allow CONFIG GET for {', '.join(names)}"
            ) from error
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
