"""The FHIR channels as the settings choose them: address, TLS, proxy, SMART client. Asks the EHR nothing."""

from __future__ import annotations

from neopain.charting.ehr.client_tls import ClientTls, ClientTlsFiles
from neopain.charting.ehr.fhir_http import FhirHttp, Judge, refuses
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.ehr.fhir_r4_oracle import OracleChannel, refuses_at_oracle
from neopain.charting.ehr.smart_keys import read_keys
from neopain.charting.ehr.smart_token import SmartClient, is_protected
from neopain.charting.oracle_file import read_oracle
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError

PREFIX = "NEOPAIN_CHARTING_EHR"


def r4_channel(settings: ChartingSettings) -> R4Channel:
    """The generic channel; ``ConfigurationError`` where the settings do not fit it or each other."""
    return R4Channel(
        fhir_http(settings),
        authority_systems=settings.authority_systems,
        requires_encounter=settings.ehr_requires_encounter,
        tells_provenance=settings.ehr_provenance,
    )


def oracle_channel(settings: ChartingSettings) -> OracleChannel:
    """The channel to Oracle Health; ``ConfigurationError`` also where the site's file is missing or wrong."""
    if settings.oracle_file is None:
        raise ConfigurationError(
            "NEOPAIN_CHARTING_ORACLE_FILE is not set: channel fhir-r4-oracle needs the site's code and nurses "
            "(docs/conformance/fhir-r4-oracle.md)"
        )
    return OracleChannel(
        fhir_http(settings, refuses_at_oracle),
        read_oracle(settings.oracle_file),
        authority_systems=settings.authority_systems,
        requires_encounter=settings.ehr_requires_encounter,
    )


def fhir_http(settings: ChartingSettings, judge: Judge = refuses) -> FhirHttp:
    """The way to the EHR's FHIR base URL; ``ConfigurationError`` names the setting that is missing or wrong."""
    url = settings.ehr_url
    if not url:
        raise ConfigurationError(f"{PREFIX}_URL is not set: give the FHIR base URL of the EHR")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{PREFIX}_URL is {url}, channel {settings.ehr_channel} takes http:// and https://: "
            f"set the URL, or {PREFIX}_CHANNEL=hl7v2-oru"
        )
    if settings.ehr_proxy and not settings.ehr_proxy.startswith(("http://", "https://")):
        raise ConfigurationError(f"{PREFIX}_PROXY is no http:// or https:// URL")
    return FhirHttp(
        url,
        timeout_seconds=settings.ehr_timeout_seconds,
        tls=_tls(settings),
        proxy=settings.ehr_proxy,
        smart=smart_client(settings),
        refuses=judge,
        gathering_seconds=settings.ehr_batch_seconds,
    )


def tls_files(settings: ChartingSettings) -> ClientTlsFiles:
    """The files of TLS to the EHR, of which none need be given."""
    return ClientTlsFiles(f"{PREFIX}_TLS", settings.ehr_tls_ca, settings.ehr_tls_certificate, settings.ehr_tls_key)


def smart_client(settings: ChartingSettings) -> SmartClient | None:
    """This client of the EHR's authorization server, None where it has none; ``ConfigurationError`` for half of it."""
    client_id, keys, token_url = settings.ehr_smart_client_id, settings.ehr_smart_keys, settings.ehr_smart_token_url
    if not client_id and keys is None and not token_url:
        return None
    if not client_id or keys is None:
        raise ConfigurationError(f"SMART Backend Services needs both {PREFIX}_SMART_CLIENT_ID and {PREFIX}_SMART_KEYS")
    for name, url in (("URL", settings.ehr_url), ("SMART_TOKEN_URL", token_url)):
        if url and not is_protected(url):
            raise ConfigurationError(f"{PREFIX}_{name} is {url}: tokens go over a network by https:// only")
    read_keys(keys)
    return SmartClient(client_id, keys, settings.ehr_smart_scopes, token_url)


def _tls(settings: ChartingSettings) -> ClientTls:
    files = tls_files(settings)
    if files.are_given and not settings.ehr_url.startswith("https://"):
        raise ConfigurationError(f"{files.setting}_* are set and {settings.ehr_url} is plain text: https:// speaks TLS")
    return ClientTls(files if files.are_given else None)
