"""The page of settings."""

from __future__ import annotations

from neopain.bootstrap.configuration import SETTINGS, page
from neopain.bootstrap.places import root_folder


def test_the_page_in_docs_is_what_the_settings_say() -> None:
    assert (root_folder() / "docs/configuration.md").read_text() == page()


def test_every_setting_has_a_meaning() -> None:
    silent = [
        f"{kind.__name__}.{name}"
        for kind in SETTINGS
        for name, info in kind.model_fields.items()
        if not info.description
    ]
    assert silent == []
