"""The flowsheet as ``neopain flowsheet`` shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neopain.bootstrap.flowsheet import print_example, print_message, print_values, show_flowsheet
from neopain.charting.flowsheet_file import EXAMPLE, parse_flowsheet
from neopain.codecs.hl7v2.flowsheet_values import SOURCES
from neopain.errors import ConfigurationError

URL = "postgresql+psycopg2://neopain@localhost/neopain"


def test_a_files_rows_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_flowsheet(file=EXAMPLE, as_json=False) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "flowsheet example: NEOPAIN/EXAMPLE to FLOWSHEET/EXAMPLE"
    assert "  900006           time-above-threshold  NM, min, 1 decimals; without a number: omit" in lines
    assert "  900008           reason                ST" in lines


def test_it_is_shown_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_flowsheet(file=EXAMPLE, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert (told["zone"], told["acknowledgement"], told["rows"][0]["observation"]["code"]) == (
        "UTC",
        "application",
        "900001",
    )


def test_the_printed_example_can_be_put_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    print_example()

    assert parse_flowsheet(capsys.readouterr().out, file="printed").name == "example"


def test_every_value_is_told_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    print_values()

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SOURCES)


@pytest.mark.parametrize(("has_number", "row"), [(True, "OBX|1|NM|900001^"), (False, "OBX|1|ST|900008^")])
def test_a_message_to_try_is_marked_as_a_test(has_number: bool, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_message(file=EXAMPLE, has_number=has_number)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("|")[10] == "T"
    assert lines[1] == "PID|1||TEST-1^^^HOSP^MR||~^^^^^^U"
    assert lines[5].startswith(row)


def test_without_a_file_it_is_the_one_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", URL)
    with pytest.raises(ConfigurationError, match="NEOPAIN_CHARTING_FLOWSHEET_FILE is not set"):
        show_flowsheet(file=None, as_json=False)

    path = tmp_path / "east.toml"
    path.write_text(EXAMPLE.read_text().replace('name = "example"', 'name = "east"'))
    monkeypatch.setenv("NEOPAIN_CHARTING_FLOWSHEET_FILE", str(path))
    show_flowsheet(file=None, as_json=False)

    assert capsys.readouterr().out.startswith("flowsheet east:")
