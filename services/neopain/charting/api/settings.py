"""``NEOPAIN_CHARTING_API_*``, beside what every process of charting has."""

from __future__ import annotations

import re
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from neopain.charting.ehr.client_tls import ClientTlsFiles
from neopain.charting.settings import ChartingSettings
from neopain.codecs.fhir.census import Naming
from neopain.domain.identity import Unit
from neopain.errors import ConfigurationError
from neopain.runtime.address import is_loopback, is_safe_url, url_of

BASE_PATH = "/fhir/R4"
ISSUER = "NEOPAIN_CHARTING_API_ISSUER"
LOCAL = "NEOPAIN_CHARTING_API_LOCAL_ISSUER"


class ApiSettings(ChartingSettings):
    """The settings of the FHIR API."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_CHARTING_")

    api_host: str = Field("127.0.0.1", description="Where the FHIR API listens; beyond this machine it needs TLS")
    api_port: int = Field(8080, ge=1, le=65535, description="Port of the FHIR API")
    api_url: str = Field(
        "",
        description="Base URL that clients use, https://neopain.hospital/fhir/R4; by default of host and port",
    )
    api_tls_certificate: Path | None = Field(
        None, description="PEM file: certificate and intermediates of the FHIR API"
    )
    api_tls_key: Path | None = Field(None, description="PEM file: the private key, without a passphrase")
    api_behind_tls_proxy: bool = Field(
        False, description="A proxy on the way ends TLS: the FHIR API may listen beyond this machine without"
    )
    api_issuer: str = Field("", description="`iss` of tokens: the hospital's OpenID provider")
    api_audience: str = Field("", description="`aud` of tokens; by default the base URL")
    api_jwks_url: str = Field("", description="https:// URL of the issuer's keys (JWKS); or api_jwks_file")
    api_jwks_file: Path | None = Field(None, description="File with the issuer's keys (JWKS); read again as the URL is")
    api_jwks_lifetime_seconds: float = Field(
        900.0, gt=0, description="How long the issuer's keys are taken as they are: a withdrawn one is good for as long"
    )
    api_jwks_refetch_seconds: float = Field(
        30.0, gt=0, description="A token with an unknown key has the keys read again, at most this often"
    )
    api_leeway_seconds: float = Field(10.0, ge=0, le=120, description="By how much clocks may differ for exp, nbf, iat")
    api_local_issuer: Path | None = Field(
        None,
        description="Folder of a local issuer's key, instead of an issuer: for one machine, listens on loopback only",
    )
    api_client_keys: Path | None = Field(
        None,
        description="File with the public keys of our own SMART client (`neopain fhir keys jwks`), told to anybody at "
        "`.well-known/jwks.json` below the base URL; none: told nowhere",
    )
    api_units: tuple[str, ...] = Field(
        (), description="JSON list of the units that are served, `NICU` or `NICU@FACILITY`; none: all"
    )
    api_resolves_beds: bool = Field(
        False,
        description="Whether a nurse may let a held bed go over the FHIR API; it then needs the bus, NEOPAIN_BUS_*",
    )
    api_units_claim: str = Field(
        "", description="Claim of tokens that lists units as api_units does; set, a token without it sees no unit"
    )
    api_zone: str = Field("", description="IANA time zone of birth dates; without it they are not told")
    api_live_seconds: float = Field(
        10.0, gt=0, le=60, description="An infant's newest score that is older than this is told without its number"
    )
    api_watch_seconds: float = Field(
        60.0,
        ge=0,
        le=600,
        description="For how long one audited read stands for the same poll of newest scores and sums",
    )
    api_streams: int = Field(32, ge=0, le=1000, description="Streams of events that may be open at the same time")
    api_connections: int = Field(
        8, ge=1, le=100, description="Database connections: requests answered at the same time"
    )
    api_waiting: int = Field(64, ge=0, description="Requests that may wait for one; more are told to come again")

    api_subscriptions: int = Field(
        10, ge=0, le=1000, description="Subscriptions that one client may have; 0: none are taken and none is told"
    )
    api_subscription_hosts: tuple[str, ...] = Field(
        (),
        description="JSON list of hosts within the hospital's network that notifications may go to, as endpoints name "
        "them; without, only public addresses by https. http:// goes to loopback alone, and has to be listed too",
    )
    api_subscription_days: int = Field(
        30, ge=1, le=366, description="How far away the end of a subscription may be, which every one must have"
    )
    api_subscription_kept_days: int = Field(
        7, ge=1, le=366, description="How long its events are there to be sent, and to be asked for by number"
    )
    api_subscription_failures: int = Field(
        60, ge=1, description="After so many notifications in a row that were not taken it stands at error"
    )
    api_subscription_look_seconds: float = Field(
        1.0, gt=0, description="How often is looked for what changed and what is due"
    )
    api_subscription_tls_ca: Path | None = Field(
        None, description="PEM file with the authorities of endpoints' certificates; none: the usual public ones"
    )
    api_subscription_tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate that endpoints are shown"
    )
    api_subscription_tls_key: Path | None = Field(None, description="PEM file with its key, without a passphrase")

    @field_validator("api_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            return value if not value or ZoneInfo(value) else ""
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("it is an IANA time zone, e.g. Europe/Berlin") from error

    @field_validator("api_units")
    @classmethod
    def _name_units(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(one.partition("@")[0] for one in value):
            raise ValueError("a unit is NAME or NAME@FACILITY")
        return value

    @field_validator("api_subscription_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:]+", one) for one in value):
            raise ValueError("a host is a name or an address, without scheme and port")
        return tuple(one.lower() for one in value)

    @property
    def subscription_tls(self) -> ClientTlsFiles:
        """The files of TLS to endpoints of subscriptions, of which none need be given."""
        files = (self.api_subscription_tls_ca, self.api_subscription_tls_certificate, self.api_subscription_tls_key)
        return ClientTlsFiles("NEOPAIN_CHARTING_API_SUBSCRIPTION_TLS", *files)

    @property
    def base_url(self) -> str:
        """The address that ids are relative to, without a slash at the end."""
        own = url_of(self.api_host, self.api_port, is_tls=self.api_tls_certificate is not None)
        return (self.api_url or f"{own}{BASE_PATH}").rstrip("/")

    @property
    def audience(self) -> str:
        """What ``aud`` of a token must name."""
        return self.api_audience or self.base_url

    @property
    def naming(self) -> Naming:
        """How the site names things."""
        zone: tzinfo | None = ZoneInfo(self.api_zone) if self.api_zone else None
        return Naming(self.authority_systems, zone)

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that are served; none: all."""
        return tuple(unit_named(one) for one in self.api_units)

    def require_consistent(self) -> None:
        """``ConfigurationError`` for what cannot be together: who may read must be beyond doubt."""
        if self.api_local_issuer is not None:
            self._require_local()
        elif not self.api_issuer:
            raise ConfigurationError(
                f"nobody is named who says who may read: set {ISSUER}, or on one machine {LOCAL} to a folder"
            )
        elif bool(self.api_jwks_url) == (self.api_jwks_file is not None):
            raise ConfigurationError(
                f"{ISSUER} is set: set NEOPAIN_CHARTING_API_JWKS_URL or NEOPAIN_CHARTING_API_JWKS_FILE, one of them"
            )
        if self.api_jwks_url and not is_safe_url(self.api_jwks_url):
            raise ConfigurationError("NEOPAIN_CHARTING_API_JWKS_URL is https://, or http:// on this machine")
        self._require_tls()

    def _require_local(self) -> None:
        if self.api_issuer or self.api_jwks_url or self.api_jwks_file is not None:
            raise ConfigurationError(f"{LOCAL} is set beside an issuer: unset one of them")
        if not is_loopback(self.api_host):
            raise ConfigurationError(
                f"{LOCAL} is for one machine: NEOPAIN_CHARTING_API_HOST {self.api_host} is not on loopback"
            )

    def _require_tls(self) -> None:
        if (self.api_tls_certificate is None) != (self.api_tls_key is None):
            raise ConfigurationError("NEOPAIN_CHARTING_API_TLS_CERTIFICATE and _KEY are set together")
        is_plain = self.api_tls_certificate is None and not self.api_behind_tls_proxy
        if is_plain and not is_loopback(self.api_host):
            raise ConfigurationError(
                f"NEOPAIN_CHARTING_API_HOST {self.api_host} is beyond this machine: set "
                "NEOPAIN_CHARTING_API_TLS_CERTIFICATE and _KEY, or _BEHIND_TLS_PROXY where a proxy ends TLS"
            )


def unit_named(text: str) -> Unit:
    """A unit by name, or by name and facility: ``NICU``, ``NICU@EAST``."""
    name, _, facility = text.partition("@")
    return Unit(name, facility)
