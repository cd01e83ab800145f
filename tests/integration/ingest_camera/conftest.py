from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .peers import LivePeer, Peer


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def peer(films: Path) -> Iterator[Peer]:
    """The server; a test that stops it uses one of its own."""
    with Peer(films) as one:
        yield one


@pytest.fixture
def live_peer() -> Iterator[LivePeer]:
    one = LivePeer()
    one.start()
    yield one
    one.stop()
