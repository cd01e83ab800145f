"""``NEOPAIN_DASHBOARD_*``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from neopain.errors import ConfigurationError
from neopain.runtime.address import is_loopback, is_safe_url, url_of
from neopain.runtime.settings import ServiceSettings

LOCAL = "NEOPAIN_DASHBOARD_LOCAL_ISSUER"
OPENID = "NEOPAIN_DASHBOARD_OPENID_ISSUER"
SCOPES = (
    "openid profile user/Observation.crus user/Flag.rus user/Patient.rs user/Encounter.rs user/Device.rs "
    "user/Provenance.rs"
)


class DashboardSettings(ServiceSettings):
    """The settings of the dashboard's server."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_DASHBOARD_")

    host: str = Field("127.0.0.1", description="Where the dashboard listens; beyond this machine it needs TLS")
    port: int = Field(8090, ge=1, le=65535, description="Port of the dashboard")
    url: str = Field(
        "",
        description="Address in the browser, without a path, https://dashboard.hospital; by default of host and port",
    )
    tls_certificate: Path | None = Field(None, description="PEM file: certificate and intermediates of the dashboard")
    tls_key: Path | None = Field(None, description="PEM file: the private key, without a passphrase")
    behind_tls_proxy: bool = Field(
        False, description="A proxy on the way ends TLS: the dashboard may listen beyond this machine without"
    )
    page: Path | None = Field(
        None, description="Folder of the built page; by default where `neopain dashboard build` puts it"
    )
    fhir_url: str = Field(
        "http://127.0.0.1:8080/fhir/R4",
        description="Base URL of the FHIR server, the API of neopain or another; https://, or http:// on this machine",
    )
    fhir_token_file: Path | None = Field(
        None, description="File with a bearer token for it, read anew each time; for one machine, without OpenID"
    )
    fhir_connect_seconds: float = Field(2.0, gt=0, le=30, description="How long a connection to it may take")
    fhir_seconds: float = Field(20.0, gt=0, le=120, description="How long its answer may take; streams go on")
    local_issuer: Path | None = Field(
        None,
        description="Folder of the API's local issuer: tokens are made with its key; for one machine, on loopback only",
    )
    links: Path | None = Field(
        None, description="Folder of one-time links, where there is no OpenID; by default below `var/dashboard`"
    )
    link_seconds: float = Field(600.0, gt=0, le=3600, description="How long a one-time link is good")
    openid_issuer: str = Field("", description="The hospital's OpenID provider, as its discovery document names itself")
    openid_client_id: str = Field("", description="The dashboard's client id there")
    openid_client_secret_file: Path | None = Field(
        None, description="File with the client's secret; without it the client is a public one"
    )
    openid_scopes: str = Field(SCOPES, description="Scopes asked for, separated by spaces")
    openid_parameters: dict[str, str] = Field(
        default_factory=dict, description="JSON of further parameters of the authorization request, e.g. prompt"
    )
    openid_leeway_seconds: float = Field(
        10.0, ge=0, le=120, description="By how much clocks may differ for exp, nbf and iat of ID tokens"
    )
    idle_seconds: float = Field(
        900.0, ge=30, description="A session ends when no request came for so long: the page is closed, or asleep"
    )
    session_seconds: float = Field(
        43_200.0, ge=60, description="A session ends after so long in any case: a shift of 12 hours"
    )
    sessions: int = Field(500, ge=1, description="Sessions at the same time; one more ends that which is idle longest")

    @property
    def own_url(self) -> str:
        """The origin that browsers see, without a slash at the end."""
        return (self.url or url_of(self.host, self.port, is_tls=self.tls_certificate is not None)).rstrip("/")

    @property
    def is_tls(self) -> bool:
        """Whether browsers come by https, and cookies are sent by nothing else."""
        return self.own_url.startswith("https://")

    @property
    def fhir_base(self) -> str:
        """The FHIR server's base URL, without a slash at the end."""
        return self.fhir_url.rstrip("/")

    def require_consistent(self) -> None:
        """``ConfigurationError`` for what cannot be together: who is signed in must be beyond doubt."""
        if not is_safe_url(self.fhir_base):
            raise ConfigurationError("NEOPAIN_DASHBOARD_FHIR_URL is https://, or http:// on this machine")
        if self.own_url.count("/") != 2:
            raise ConfigurationError("NEOPAIN_DASHBOARD_URL has no path: the dashboard has an origin of its own")
        if self.openid_issuer:
            self._require_openid()
        else:
            self._require_one_machine()
        self._require_tls()

    def _require_openid(self) -> None:
        if not self.openid_client_id:
            raise ConfigurationError(f"{OPENID} is set: set NEOPAIN_DASHBOARD_OPENID_CLIENT_ID")
        if not is_safe_url(self.openid_issuer):
            raise ConfigurationError(f"{OPENID} is https://, or http:// on this machine")
        if self.local_issuer is not None or self.fhir_token_file is not None:
            raise ConfigurationError(
                f"{OPENID} is set beside {LOCAL} or NEOPAIN_DASHBOARD_FHIR_TOKEN_FILE: whoever is signed in "
                "reads with a token of her own; unset the others"
            )

    def _require_one_machine(self) -> None:
        if self.local_issuer is not None and self.fhir_token_file is not None:
            raise ConfigurationError(f"{LOCAL} is set beside NEOPAIN_DASHBOARD_FHIR_TOKEN_FILE: unset one of them")
        if not is_loopback(self.host):
            raise ConfigurationError(
                f"NEOPAIN_DASHBOARD_HOST {self.host} is not on loopback, and one-time links are for one machine: "
                f"set {OPENID}"
            )

    def _require_tls(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigurationError("NEOPAIN_DASHBOARD_TLS_CERTIFICATE and _KEY are set together")
        if self.tls_certificate is None and not self.behind_tls_proxy and not is_loopback(self.host):
            raise ConfigurationError(
                f"NEOPAIN_DASHBOARD_HOST {self.host} is beyond this machine: set "
                "NEOPAIN_DASHBOARD_TLS_CERTIFICATE and _KEY, or _BEHIND_TLS_PROXY where a proxy ends TLS"
            )
        if not is_loopback(self.host) and not self.is_tls:
            raise ConfigurationError("NEOPAIN_DASHBOARD_URL is https:// beyond this machine, for its cookies")
