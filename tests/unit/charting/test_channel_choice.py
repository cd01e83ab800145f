"""Which channel the settings choose, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from neopain.charting.delivery import make_channel
from neopain.charting.ehr.fhir_r4 import R4Channel
from neopain.charting.ehr.mllp import MllpAddress
from neopain.charting.ehr.oru_r01 import OruChannel
from neopain.charting.flowsheet_file import EXAMPLE
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError

URL = "postgresql+psycopg2://neopain@localhost/neopain"


def settings(**more: object) -> ChartingSettings:
    return ChartingSettings(database_url=URL, **more)  # type: ignore[arg-type]


def test_fhir_is_what_is_chosen_unless_something_else_is() -> None:
    channel = make_channel(settings(ehr_url="https://ehr.example/fhir"))

    assert isinstance(channel, R4Channel)
    assert channel.reads_back
    channel.http.close()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mllp://interface.example:6661", MllpAddress("interface.example", 6661, is_tls=False)),
        ("mllps://[2001:db8::1]:2576/", MllpAddress("2001:db8::1", 2576, is_tls=True)),
    ],
)
def test_a_flowsheet_interface_is_chosen_by_channel_url_and_file(url: str, address: MllpAddress) -> None:
    channel = make_channel(settings(ehr_channel="hl7v2-oru", ehr_url=url, flowsheet_file=EXAMPLE))

    assert isinstance(channel, OruChannel)
    assert not channel.reads_back
    assert (channel.connection.address, channel.flowsheet.name) == (address, "example")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "NEOPAIN_CHARTING_EHR_URL is not set: give the FHIR base URL"),
        ({"ehr_url": "mllp://a:1"}, "channel fhir-r4 takes http:// and https://"),
        ({"ehr_url": "https://a", "ehr_proxy": "a:1"}, "NEOPAIN_CHARTING_EHR_PROXY is no http:// or https:// URL"),
        ({"ehr_url": "http://a", "ehr_tls_ca": EXAMPLE}, "NEOPAIN_CHARTING_EHR_TLS_* are set and http://a is plain"),
        ({"ehr_url": "https://a", "ehr_smart_client_id": "a"}, "needs both NEOPAIN_CHARTING_EHR_SMART_CLIENT_ID and"),
        (
            {"ehr_url": "http://a", "ehr_smart_client_id": "a", "ehr_smart_keys": EXAMPLE.parent},
            "NEOPAIN_CHARTING_EHR_URL is http://a: tokens go over a network by https:// only",
        ),
        (
            {"ehr_url": "https://a", "ehr_smart_client_id": "a", "ehr_smart_keys": EXAMPLE.parent},
            "there is no key (*.pem) in",
        ),
        ({"ehr_channel": "hl7v2-oru"}, "NEOPAIN_CHARTING_EHR_URL is not set: give mllp://host:port"),
        ({"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a:1"}, "NEOPAIN_CHARTING_FLOWSHEET_FILE is not set"),
        ({"ehr_channel": "hl7v2-oru", "ehr_url": "https://a/fhir"}, "NEOPAIN_CHARTING_EHR_URL is https://a/fhir, and"),
        ({"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a"}, "the address of an HL7 interface is mllp://host:port"),
        ({"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a:1/x"}, "the address of an HL7 interface is"),
        ({"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a:99999"}, "NEOPAIN_CHARTING_EHR_URL: Port out of range"),
        (
            {"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a:1", "flowsheet_file": EXAMPLE, "ehr_tls_ca": EXAMPLE},
            "NEOPAIN_CHARTING_EHR_TLS_* are set and mllp://a:1 is plain text",
        ),
        (
            {"ehr_channel": "hl7v2-oru", "ehr_url": "mllps://a:1", "flowsheet_file": EXAMPLE, "ehr_tls_key": EXAMPLE},
            "needs both NEOPAIN_CHARTING_EHR_TLS_CERTIFICATE and NEOPAIN_CHARTING_EHR_TLS_KEY",
        ),
        (
            {"ehr_channel": "hl7v2-oru", "ehr_url": "mllps://a:1", "flowsheet_file": EXAMPLE, "ehr_tls_ca": EXAMPLE},
            "NEOPAIN_CHARTING_EHR_TLS_CA: ",
        ),
        (
            {"ehr_channel": "hl7v2-oru", "ehr_url": "mllp://a:1", "flowsheet_file": Path("/none.toml")},
            "flowsheet /none.toml cannot be read",
        ),
    ],
)
def test_settings_that_do_not_fit_their_channel_are_refused_in_one_line(more: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_channel(settings(**more))

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(ValidationError, match="'fhir-r4', 'fhir-r4-oracle', 'hl7v2-oru' or 'recorder'"):
        settings(ehr_channel="oracle")


def test_no_other_than_the_embedded_fhir_server_may_be_said_to_take_test_input() -> None:
    with pytest.raises(ValidationError, match="EHR_IS_EMBEDDED"):
        settings(ehr_channel="hl7v2-oru", ehr_is_embedded=True)
