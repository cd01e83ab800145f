"""The files of the built page: what is served of them, and that a new build is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from neopain.dashboard.page_files import PageFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build, behind a link as a build makes it."""
    (tmp_path / "secret.txt").write_text("not of the page")
    _build(tmp_path, "page-1", "one")
    (tmp_path / "page").symlink_to("page-1")
    return tmp_path / "page"


def test_every_address_of_the_page_is_its_index(folder: Path) -> None:
    files = PageFiles(folder)

    found = [files.find(path) for path in ("/", "/bed/NICU-1", "/bed/", "/bed/a/b", "/ward")]

    assert [one.body if one else None for one in found] == [b"one", b"one", b"one", None, None]


@pytest.mark.parametrize("path", ["/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "//secret.txt"])
def test_no_path_leads_out_of_the_folder(folder: Path, path: str) -> None:
    files = PageFiles(folder)
    files.find("/")

    assert files.find(path) is None


def test_what_has_a_digest_in_its_name_is_kept_for_good(folder: Path) -> None:
    files = PageFiles(folder)
    index, script = files.find("/"), files.find("/assets/page-1a2b.js")

    assert index is not None
    assert script is not None
    assert (index.is_hashed, script.is_hashed, script.content_type) == (False, True, "text/javascript; charset=utf-8")
    assert script.packed is not None


def test_a_new_build_is_served_at_the_next_look(folder: Path) -> None:
    files = PageFiles(folder)
    files.find("/")
    _build(folder.parent, "page-2", "two")
    (folder.parent / "beside").symlink_to("page-2")
    (folder.parent / "beside").replace(folder)

    found = files.find("/")

    assert found is not None
    assert found.body == b"two"


def test_before_the_first_build_there_is_nothing(tmp_path: Path) -> None:
    assert PageFiles(tmp_path / "page").find("/") is None


def _build(folder: Path, name: str, text: str) -> None:
    (folder / name / "assets").mkdir(parents=True)
    (folder / name / "index.html").write_text(text)
    (folder / name / "assets" / "page-1a2b.js").write_text("export const x = 1;\n" * 40)
