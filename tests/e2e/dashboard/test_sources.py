"""The page's sources: types, format, and what is bounded in them."""

from __future__ import annotations

from pathlib import Path

from neopain.embedded.npm import run_npm


def test_types_and_format_are_right(page_tools: Path) -> None:
    run_npm(page_tools, "run", "check", why="see above; npm run format writes the format")


def test_what_is_read_out_of_streams_and_kept_is_right(page_tools: Path) -> None:
    run_npm(page_tools, "test", why="see above")
