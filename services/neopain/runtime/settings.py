"""Settings: one frozen class per service, read once from ``NEOPAIN_<SERVICE>_*`` at the entry and handed down."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from neopain.bus.connection import BusAddress
from neopain.errors import ConfigurationError

SERVER_URL = re.compile(
    r"rediss?://([^/?#\[\]]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#@:\[\]]+)(:[0-9]{1,5})?(/[0-9]*)?(\?[^#]*)?|unix://.+"
)
"""What redis-py takes for a server, and nothing that it reads otherwise than it is meant: behind a sign of its own in
a password it looks for host, port or path."""


class ServiceSettings(BaseSettings):
    """What every service's settings share. Subclasses set ``env_prefix`` to ``NEOPAIN_<SERVICE>_``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    http_host: str = Field("127.0.0.1", description="Where /live, /ready and /metrics listen")
    http_port: int = Field(0, ge=0, le=65535, description="Port of /live, /ready and /metrics; 0 turns them off")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe level logged")


class BusSettings(BaseSettings):
    """``NEOPAIN_BUS_*``: where the bus and the media servers are; shared by all services."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_BUS_")

    url: str = Field(description="URL of the durable server, redis://[:password@]host:port/0")
    media_urls: tuple[str, ...] = Field(
        description="URLs of the media servers as a JSON list; beds are shared out; [] does for HL7 and charting"
    )
    namespace: str = Field("neopain", pattern="^[A-Za-z0-9_.-]+$", description="First part of every key")

    @field_validator("url", "media_urls")
    @classmethod
    def _servers_can_be_read(cls, told: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for url in (told,) if isinstance(told, str) else told:
            if not SERVER_URL.fullmatch(url):
                # What is there is not repeated: it has the password.
                raise ValueError(
                    "no URL of a server, expected redis://:password@host:port/0, with %2F, %3F, %23, %5B and %5D for "
                    "/ ? # [ ] in the password"
                )
        return told

    def address(self) -> BusAddress:
        """The same as the bus takes it."""
        return BusAddress(self.url, self.media_urls, self.namespace)

    def address_with_media(self) -> BusAddress:
        """The same for who gives or takes pictures and sound; ``ConfigurationError`` without a media server."""
        if not self.media_urls:
            raise ConfigurationError("NEOPAIN_BUS_MEDIA_URLS: this process needs at least one media server, found []")
        return self.address()


S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S]) -> S:
    """The settings of the environment; ``ConfigurationError`` names every variable that is missing or wrong."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        faults = "; ".join(f"{prefix}{_variable(one['loc'])}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(f"{kind.__name__}: {faults}") from error
    except SettingsError as error:
        raise ConfigurationError(f"{kind.__name__}: {error}; it is to be JSON") from error


def _variable(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location).upper()
