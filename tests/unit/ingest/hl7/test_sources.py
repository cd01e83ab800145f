"""The file of sources: whom an entry means, what it says, and how a wrong file is refused."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from neopain.bootstrap.places import root_folder
from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.ingest.hl7.sender import Sender
from neopain.ingest.hl7.sources import SourceFacts, Sources, parse_sources, read_sources
from neopain.ingest.settings import IngestSettings

USUAL = SourceFacts(ZoneInfo("UTC"), "GH")
FILE = """
[[source]]
name = "east"
networks = ["10.20.0.0/16", "2001:db8::/32"]
application = "CENTRAL"
zone = "Europe/Berlin"

[[source]]
name = "gateway"
certificates = ["GW.ward.example"]
acknowledgement = "commit"
default_facility = "WEST"

[[source]]
name = "one-bed"
application = "VS8"
facility = "NICU"
bed = "NICU/1/3@GH"
may_ask = true
"""


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources(parse_sources(FILE, file="sources.toml"), USUAL)


@pytest.mark.parametrize(
    ("sender", "header", "facts"),
    [
        (Sender("10.20.1.1"), ("CENTRAL", "X"), SourceFacts(ZoneInfo("Europe/Berlin"), "GH")),
        (Sender("10.21.1.1"), ("CENTRAL", "X"), USUAL),
        (Sender("10.20.1.1"), ("OTHER", "X"), USUAL),
        (Sender("10.9.9.9", ("gw", "gw.ward.example")), ("", ""), SourceFacts(USUAL.zone, "WEST", None, ("AL", "NE"))),
        (Sender("10.9.9.9"), ("VS8", "NICU"), SourceFacts(USUAL.zone, "GH", BedId("NICU/1/3@GH"), may_ask=True)),
        (Sender("10.9.9.9"), ("VS8", ""), USUAL),
    ],
)
def test_an_entry_means_those_for_whom_all_its_conditions_hold(
    sources: Sources, sender: Sender, header: tuple[str, str], facts: SourceFacts
) -> None:
    assert sources.of(sender, *header) == facts


def test_the_first_entry_that_means_a_sender_counts(sources: Sources) -> None:
    sender = Sender("10.20.1.1", ("gw.ward.example",))
    assert sources.of(sender, "CENTRAL", "").zone == ZoneInfo("Europe/Berlin")
    assert sources.of(sender, "CENTRAL", "").wants is None


@pytest.mark.parametrize(
    ("said", "wants"),
    [
        ("as-asked", None),
        ("original", ("", "")),
        ("commit", ("AL", "NE")),
        ("application", ("NE", "AL")),
        ("never", ("NE", "NE")),
    ],
)
def test_an_acknowledgement_is_that_of_an_msh_15_and_16(said: str, wants: tuple[str, str] | None) -> None:
    text = f'[[source]]\nname = "a"\nacknowledgement = "{said}"\n'
    assert Sources(parse_sources(text, file="f"), USUAL).of(Sender("10.0.0.1"), "", "").wants == wants


HEAD = '[[source]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[source]\n", r"f\.toml: .*at line 1"),
        ('[[source]]\nzone = "UTC"\n', r"f\.toml: source 1: line 1, key name: Field required"),
        (HEAD + 'zone = "Mars/Olympus"\n', r"source 1: line 3, key zone: .*Mars/Olympus is no IANA time zone"),
        (HEAD + 'acknowledgement = "sometimes"\n', r"line 3, key acknowledgement: Input should be 'as-asked'"),
        (HEAD + 'networks = ["10.20.1.0/16"]\n', r"line 3, key networks: value is not a valid IPv4 or IPv6 network"),
        (HEAD + "networks = []\n", r"line 3, key networks: Tuple should have at least 1 item"),
        (HEAD + 'application = ""\n', r"line 3, key application: String should have at least 1 character"),
        (HEAD + 'bed = "recording/7"\n', r"line 3, key bed: .*expected unit/room/bed@facility"),
        (HEAD + 'colour = "blue"\n', r"line 3, key colour: Extra inputs are not permitted"),
        (
            HEAD + 'facility = "N"\n' + HEAD.replace('"a"', "7"),
            r"source 2: line 5, key name: Input should be a valid string",
        ),
        (HEAD + 'facility = "N"\n' + HEAD, "two sources are named 'a'"),
        (HEAD + HEAD.replace('"a"', '"b"'), "source 'a' has no condition: it must be the last"),
        ('[source]\nname = "a"\n', r"key source: only \[\[source\]\] tables are known"),
        (HEAD + '[other]\nname = "a"\n', "key other: only"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_sources(text, file="f.toml")


def test_no_file_means_the_settings_of_all() -> None:
    sources = read_sources(IngestSettings(site_zone="Europe/Berlin", hl7_default_facility="GH"))
    assert sources.of(Sender("10.0.0.1"), "A", "B") == SourceFacts(ZoneInfo("Europe/Berlin"), "GH")


def test_a_file_that_is_not_there_is_refused_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"NEOPAIN_INGEST_HL7_SOURCES: .*none\.toml cannot be read"):
        read_sources(IngestSettings(hl7_sources=tmp_path / "none.toml"))


def test_names_of_certificates_need_an_authority(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(FILE)
    with pytest.raises(ConfigurationError, match="source 'gateway', key certificates: needs NEOPAIN_INGEST_HL7_TLS"):
        read_sources(IngestSettings(hl7_sources=tmp_path / "sources.toml"))


def test_the_example_in_the_docs_is_a_file_of_sources() -> None:
    page = (root_folder() / "docs/hl7-listener.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    entries = parse_sources(example, file="the example")
    assert [one.name for one in entries] == ["central-east", "gateway", "vs8-bed-3"]
