"""Links of a server's bundles, as the page can follow them."""

from __future__ import annotations

import json

import pytest

from neopain.dashboard.bundles import own_path, relinked

BASES = ("http://127.0.0.1:8080/fhir/R4", "https://neopain.example/fhir/R4")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://127.0.0.1:8080/fhir/R4/Observation?_cursor=1", "/fhir/Observation?_cursor=1"),
        ("https://neopain.example/fhir/R4/Observation?a=%7C", "/fhir/Observation?a=%7C"),
        ("https://neopain.example/fhir/R4?_getpages=7", "/fhir/?_getpages=7"),
        ("Observation?_cursor=1", "/fhir/Observation?_cursor=1"),
        ("https://neopain.example/fhir/R4-other/Observation", "https://neopain.example/fhir/R4-other/Observation"),
        ("https://elsewhere.example/fhir/R4/Observation", "https://elsewhere.example/fhir/R4/Observation"),
    ],
)
def test_a_link_of_the_server_becomes_a_path_of_the_dashboard(url: str, path: str) -> None:
    assert own_path(url, BASES) == path


def test_only_the_links_of_a_bundle_change() -> None:
    bundle = {
        "resourceType": "Bundle",
        "link": [{"relation": "next", "url": f"{BASES[1]}/Flag?p=2"}],
        "entry": [{"fullUrl": f"{BASES[1]}/Flag/1", "resource": {"resourceType": "Flag", "text": "Größe"}}],
    }

    told = json.loads(relinked(json.dumps(bundle).encode(), BASES))

    assert told == {**bundle, "link": [{"relation": "next", "url": "/fhir/Flag?p=2"}]}


@pytest.mark.parametrize("body", [b"", b'{"link"', b'["link"]', b'{"resourceType": "Patient", "link": []}'])
def test_what_is_no_bundle_stays_as_it_is(body: bytes) -> None:
    assert relinked(body, BASES) == body
