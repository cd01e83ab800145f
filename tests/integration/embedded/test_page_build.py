"""The page is built by the wheel's npm: whole, once for the same sources, anew for others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neopain.embedded.page import build, is_built
from neopain.errors import ConfigurationError

BUILD = """
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
const out = process.env.NEOPAIN_PAGE_OUT;
mkdirSync(out);
writeFileSync(`${out}/index.html`, readFileSync("text.txt"));
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A package without dependencies, so that no network is needed."""
    folder = tmp_path / "sources"
    folder.mkdir()
    package = {"name": "page", "version": "1.0.0", "type": "module", "scripts": {"build": "node build.mjs"}}
    lock = {"name": "page", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": package}}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "build.mjs").write_text(BUILD)
    (folder / "text.txt").write_text("one")
    return folder


def test_it_is_built_once_for_the_same_sources_and_stays_whole_when_a_build_fails(
    sources: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "built"
    did = [build(sources, folder), build(sources, folder)]
    (sources / "text.txt").write_text("two")
    was_built = is_built(sources, folder)
    did.append(build(sources, folder))
    (sources / "text.txt").unlink()

    with pytest.raises(ConfigurationError, match=r"npm run in .* failed"):
        build(sources, folder)

    assert (did, was_built) == ([True, False, True], False)
    assert (folder / "page" / "index.html").read_text() == "two"
    assert not (sources / "node_modules").exists()


def test_missing_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no sources of the page"):
        build(tmp_path / "none", tmp_path / "built")
