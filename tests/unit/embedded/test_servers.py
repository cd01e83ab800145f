from __future__ import annotations

from pathlib import Path

import pytest

from neopain.embedded.servers import EmbeddedServers, EmbeddedSettings, in_parallel

GIVEN = {
    "bus_url": "redis://bus:6379/0",
    "media_urls": ("redis://media-a:6379/0", "redis://media-b:6379/0"),
    "database_url": "postgresql+psycopg2://neopain@db/neopain",
    "triton_url": "triton:8001",
    "ehr_url": "https://ehr.example/fhir",
}


def test_given_urls_are_used_and_nothing_is_started(tmp_path: Path) -> None:
    servers = EmbeddedServers(EmbeddedSettings(tmp_path, model_repository=tmp_path, **GIVEN))

    assert servers.servers == ()
    with servers as urls:
        assert {name: getattr(urls, name) for name in GIVEN} == GIVEN


def test_without_a_model_repository_there_is_no_triton(tmp_path: Path) -> None:
    servers = EmbeddedServers(EmbeddedSettings(tmp_path))

    assert [server.name for server in servers.servers] == ["bus", "media-0", "postgres", "ehr"]
    assert servers.urls.triton_url is None


def test_beds_may_be_shared_among_several_media_servers(tmp_path: Path) -> None:
    servers = EmbeddedServers(EmbeddedSettings(tmp_path, media_servers=3))

    assert [server.name for server in servers.media] == ["media-0", "media-1", "media-2"]
    assert len(set(servers.urls.media_urls)) == 3


def test_every_server_is_stopped_though_the_first_one_fails() -> None:
    stopped = []

    def stop(name: str) -> None:
        if name == "bus":
            raise RuntimeError(name)
        stopped.append(name)

    with pytest.raises(RuntimeError, match="bus"):
        in_parallel(("bus", "media", "ehr"), stop)
    assert sorted(stopped) == ["ehr", "media"]
