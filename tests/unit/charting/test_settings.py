"""The settings of charting: what is refused at the start."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError
from neopain.runtime.settings import read_settings

URL = "postgresql+psycopg2://neopain@localhost/neopain"


def test_a_database_url_without_its_driver_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"postgresql\+psycopg2://"):
        ChartingSettings(database_url="postgresql://neopain@localhost/neopain")


@pytest.mark.parametrize("host", ["localhost:abc", "localhost:99999", "localhost:0", "[::1", "localhost:5432:x"])
def test_a_database_url_with_a_port_that_is_none_is_refused_by_name_and_without_its_password(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", f"postgresql+psycopg2://neopain:secret@{host}/neopain")

    with pytest.raises(ConfigurationError, match=r"NEOPAIN_CHARTING_DATABASE_URL: .*no URL of a database") as refused:
        read_settings(ChartingSettings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "rest", ["neopain:a%40b%3A@[::1]:5432/neopain?sslmode=require", "/neopain?host=/run/postgresql"]
)
def test_a_database_url_is_taken(rest: str) -> None:
    url = f"postgresql+psycopg2://{rest}"
    assert ChartingSettings(database_url=url).database_url == url


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="default, demo"):
        ChartingSettings(database_url=URL, policy="hourly")


def test_the_interval_can_be_set_without_changing_the_rest_of_the_policy() -> None:
    policy = ChartingSettings(database_url=URL, policy="demo", interval_seconds=30).charting_policies().site

    assert policy.interval == timedelta(seconds=30)
    assert policy.hold == timedelta(seconds=5)


def test_the_default_policy_charts_every_quarter_of_an_hour() -> None:
    assert ChartingSettings(database_url=URL).charting_policies().site.interval == timedelta(minutes=15)


def test_a_set_interval_leaves_no_more_distance_than_half_of_it() -> None:
    policy = ChartingSettings(database_url=URL, interval_seconds=60).charting_policies().site

    assert policy.distance == timedelta(seconds=30)


def test_an_interval_beside_a_policy_file_is_refused(tmp_path: Path) -> None:
    settings = ChartingSettings(database_url=URL, policy_file=tmp_path / "policy.toml", interval_seconds=60)

    with pytest.raises(ConfigurationError, match="INTERVAL_SECONDS and NEOPAIN_CHARTING_POLICY_FILE are both set"):
        settings.charting_policies()


def test_authorities_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", URL)
    monkeypatch.setenv("NEOPAIN_CHARTING_AUTHORITY_SYSTEMS", '{"HOSP": "urn:oid:1.2.3"}')

    assert ChartingSettings().authority_systems == {"HOSP": "urn:oid:1.2.3"}
