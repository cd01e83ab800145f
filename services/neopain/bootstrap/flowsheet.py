"""The flowsheet interface, shown and checked (``neopain flowsheet``), with a message to try it with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic_core import to_jsonable_python

from neopain.charting.flowsheet_file import EXAMPLE, read_flowsheet
from neopain.charting.settings import ChartingSettings
from neopain.codecs.hl7v2.flowsheet import Flowsheet, Row, ValueType
from neopain.codecs.hl7v2.flowsheet_values import SOURCES
from neopain.codecs.hl7v2.oru import write_oru
from neopain.domain.charting import ChartedEntry, DraftEntry
from neopain.domain.identity import PatientId, bed_id
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.score import Modality, Weights
from neopain.domain.span import EntryKind
from neopain.domain.vitals import Processing
from neopain.errors import ConfigurationError
from neopain.runtime.settings import read_settings

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def show_flowsheet(*, file: Path | None, as_json: bool) -> int:
    """Prints the flowsheet of the settings, or of a file; ``ConfigurationError`` when it cannot be in force."""
    flowsheet = _chosen(file)
    if as_json:
        print(json.dumps(to_jsonable_python(asdict(flowsheet), fallback=str)))
    else:
        print("\n".join(_lines(flowsheet)))
    return 0


def print_example() -> int:
    """Prints a file to begin from."""
    print(EXAMPLE.read_text(encoding="utf-8"), end="")
    return 0


def print_values() -> int:
    """Prints what a row may tell, with the unit of numbers."""
    for name, source in SOURCES.items():
        print(f"{name:<22}{source.unit if source.number is not None else 'text':<9}{source.meaning}")
    return 0


def print_message(*, file: Path | None, has_number: bool) -> int:
    """Prints the message of an invented entry, marked as test (MSH-11 T), a segment a line."""
    flowsheet = _chosen(file)
    message = write_oru(_invented(flowsheet, has_number=has_number), flowsheet)
    print(message.raw.decode(flowsheet.codec).replace("\r", "\n"), end="")
    return 0


def _chosen(file: Path | None) -> Flowsheet:
    path = file or read_settings(ChartingSettings).flowsheet_file
    if path is None:
        raise ConfigurationError(
            "NEOPAIN_CHARTING_FLOWSHEET_FILE is not set and no --file is given; --example prints one to begin from"
        )
    return read_flowsheet(path)


def _lines(flowsheet: Flowsheet) -> Iterator[str]:
    receiver, sender = ("/".join(filter(None, pair)) for pair in (flowsheet.receiver, flowsheet.sender))
    yield f"flowsheet {flowsheet.name}: {sender} to {receiver}"
    yield f"  acknowledgement  {flowsheet.acknowledgement.value}"
    yield f"  character set    {flowsheet.charset}, times of {flowsheet.zone}, retractions with {flowsheet.retraction}"
    for census, authority in flowsheet.authorities.items():
        yield f"  authority        {census} as {authority.sent}, {authority.type_code or 'types as they came'}"
    for row in flowsheet.rows:
        yield f"  {row.observation.code:<16} {row.value:<21} {_written(row)}"


def _written(row: Row) -> str:
    if row.kind is not ValueType.NUMBER:
        return str(row.kind.value)
    unit = row.sent_unit.code or "no unit"
    return f"{row.kind.value}, {unit}, {row.decimals} decimals; without a number: {row.missing.value}"


def _invented(flowsheet: Flowsheet, *, has_number: bool) -> ChartedEntry:
    value = 5.0 if has_number else None
    draft = DraftEntry(
        bed=bed_id(unit="TEST", room="1", bed="1"),
        kind=EntryKind.INTERVAL_SUMMARY,
        begin=NOON,
        end=NOON + timedelta(minutes=15),
        observed_from=NOON + timedelta(seconds=1),
        observed_to=NOON + timedelta(minutes=15),
        value=value,
        low=4.0 if has_number else None,
        high=6.0 if has_number else None,
        peak=7.0 if has_number else None,
        windows=900,
        windows_scored=900 if has_number else 0,
        windows_missed=0,
        present={Modality.FACE: 450} if has_number else {},
        absences={one: "invented" for one in Modality if one is not Modality.FACE or not has_number},
        absent_reason="" if has_number else "no-modality-present",
        model="invented",
        weights=Weights.UNTRAINED,
        scale_map=NIPS_X10_7.version,
        processing=Processing.TRAINING,
        policy="invented",
        sedation=0.0 if has_number else None,
        windows_unlike=0,
        threshold=5.0,
        above=timedelta(minutes=6) if has_number else None,
        late_after=timedelta(minutes=5),
    )
    patient = PatientId("TEST-1", next(iter(flowsheet.authorities)))
    return ChartedEntry(draft, patient, "TEST-VISIT", NOON + timedelta(minutes=15, seconds=20))
