from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
import redis

from neopain.embedded.servers import EmbeddedServers, EmbeddedSettings
from neopain.errors import ConfigurationError


def test_all_start_side_by_side_and_stop_together(tmp_path: Path, doubler: Path, all_gone) -> None:
    ehr_url = "https://ehr.hospital.example/fhir/R4"
    servers = EmbeddedServers(EmbeddedSettings(tmp_path / "state", model_repository=doubler, ehr_url=ehr_url))
    with servers as urls:
        pids = {server.child.pid for server in servers.servers}
        with redis.Redis.from_url(urls.bus_url) as bus, redis.Redis.from_url(urls.media_urls[0]) as media:
            assert bus.ping()
            assert media.ping()
        psycopg2.connect(str(urls.database_url).replace("+psycopg2", "")).close()
        assert urls.ehr_url == ehr_url
        assert urls.start_seconds.keys() == {"bus", "media-0", "postgres", "triton"}

    assert all_gone(pids)


def test_when_one_does_not_start_the_others_are_stopped(tmp_path: Path, all_gone) -> None:
    servers = EmbeddedServers(EmbeddedSettings(tmp_path, model_repository=tmp_path / "nothing", with_ehr=False))

    with pytest.raises(ConfigurationError, match="triton ended"):
        servers.start()

    assert all_gone({server.child.pid for server in (servers.bus, servers.database)})
