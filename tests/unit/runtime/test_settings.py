"""Settings come from the environment, once, and every fault is named by its variable."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import ValidationError

from neopain.errors import ConfigurationError
from neopain.runtime.settings import BusSettings, read_settings


@pytest.fixture(autouse=True)
def no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set."""
    for name in ("URL", "MEDIA_URLS", "NAMESPACE"):
        monkeypatch.delenv(f"NEOPAIN_BUS_{name}", raising=False)


def test_the_bus_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_BUS_URL", "redis://a:1/0")
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", '["redis://b:2/0","redis://c:3/0"]')
    address = read_settings(BusSettings).address()
    assert (address.bus_url, address.media_urls) == ("redis://a:1/0", ("redis://b:2/0", "redis://c:3/0"))
    assert address.namespace == "neopain"


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"NEOPAIN_BUS_URL: .*NEOPAIN_BUS_MEDIA_URLS: "):
        read_settings(BusSettings)


def test_a_namespace_that_would_break_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_BUS_URL", "redis://a:1/0")
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", "[]")
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", "a:b")
    with pytest.raises(ConfigurationError, match="NEOPAIN_BUS_NAMESPACE"):
        read_settings(BusSettings)


def test_settings_do_not_change() -> None:
    settings = BusSettings(url="redis://a:1/0", media_urls=())
    with pytest.raises(ValidationError, match="frozen"):
        settings.url = "redis://b:1/0"


def test_who_needs_a_media_server_refuses_none_by_name() -> None:
    settings = BusSettings(url="redis://a:1/0", media_urls=())

    assert settings.address().media_urls == ()
    with pytest.raises(ConfigurationError, match=r"NEOPAIN_BUS_MEDIA_URLS: .*at least one media server"):
        settings.address_with_media()


def test_a_list_that_is_no_json_is_refused_by_name_and_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_BUS_URL", "redis://a:1/0")
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", "redis://:secret@a:2/0")
    with pytest.raises(ConfigurationError, match="media_urls") as refused:
        read_settings(BusSettings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://:secret@a:1/0",
        "redis://:sec/ret@a:1/0",
        "redis://:12/secret@a:1/0",
        "redis://:sec#ret@a:1/0",
        "redis://:secret@a:x/0",
        "redis://:secret@/0",
        "redis://:secret@a:1/secret",
        "",
    ],
)
@pytest.mark.parametrize("variable", ["URL", "MEDIA_URLS"])
def test_a_url_of_no_server_is_refused_by_name_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str
) -> None:
    urls = {"URL": "redis://a:1/0", "MEDIA_URLS": '["redis://a:1/0"]'}
    urls |= {variable: url if variable == "URL" else json.dumps([url])}
    for name, value in urls.items():
        monkeypatch.setenv(f"NEOPAIN_BUS_{name}", value)
    with pytest.raises(ConfigurationError, match=f"NEOPAIN_BUS_{variable}: .*expected redis://") as refused:
        read_settings(BusSettings)
    assert not re.search("sec|12", str(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "redis://a",
        "redis://a:1",
        "redis://:pa%2Fss@a.b-c.example:6379/0",
        "rediss://user:password@10.0.0.1:6380/0?ssl_ca_certs=/etc/neopain/trust/ca.crt",
        "redis://[::1]:6379/0",
        "redis://:p@ss:w@a:1/0",
        "unix:///run/valkey.sock",
    ],
)
def test_a_url_of_a_server_is_taken(url: str) -> None:
    assert BusSettings(url=url, media_urls=(url,)).address().media_urls == (url,)
