"""The channel of a site in evaluation: entries go into files, one for each unit and day (UTC), and to no EHR.

A record is what the generic FHIR channel would send, and each later status is one more record; none is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from neopain.charting.ehr.channel import Located, NotLocated, Others
from neopain.charting.ehr.record_file import Record, RecordFile
from neopain.codecs.fhir.assessment import built_assessment
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.observation import built_observation
from neopain.codecs.fhir.provenance import with_provenance
from neopain.codecs.fhir.restated import restated
from neopain.codecs.fhir.terminology import Json
from neopain.domain.entry_status import StatusChange
from neopain.domain.identity import unit_of
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.errors import ConfigurationError, EhrUnavailable, MalformedMessage, RejectedByEhr
from neopain.runtime.clock import Clock, SystemClock

CREATION = 0


@dataclass(frozen=True, slots=True)
class RecorderChannel:
    """Records into one folder. ``authority_systems``: assigning authority to the system of the number in records."""

    folder: Path
    authority_systems: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    reads_back: ClassVar[bool] = True
    takes_only_verified: ClassVar[bool] = False

    def check(self) -> None:
        """``ConfigurationError`` when the folder cannot be written to."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the recorder's folder {self.folder} cannot be made ({error.strerror})"
            ) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ConfigurationError(f"the recorder's folder {self.folder} cannot be written to")

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The infant by its number; nothing is asked of anybody."""
        if not entry.patient.value:
            return NotLocated("the infant has no number")
        return Located(entry.patient.value, entry.visit or None)

    def find(
        self,
        entry: ChartEntry,
        located: Located,  # noqa: ARG002 - the port's
        *,
        others: Others = frozenset,  # noqa: ARG002 - the port's
    ) -> str | None:
        """Where the entry is recorded, if it is."""
        return self._reference(entry) if self._record(entry, CREATION) is not None else None

    def create(self, entry: ChartEntry, located: Located) -> None:  # noqa: ARG002 - the port's
        """Records the entry unless it is there."""
        self._add(entry, CREATION, self._observation(entry))

    def change(self, entry: ChartEntry, change: StatusChange, reference: str) -> str:
        """Records the entry once more with its new status, unless that is there."""
        before = [one for number in range(change.number) if (one := self._record(entry, number)) is not None]
        if not before:
            raise RejectedByEhr(f"{reference} does not hold entry {entry.id} any more")
        self._add(entry, change.number, restated(before[-1]["observation"], entry, change))
        return reference

    def _observation(self, entry: ChartEntry) -> Json:
        resource = (
            built_assessment(entry, subject="Patient/unknown")
            if isinstance(entry, NurseAssessment)
            else built_observation(entry, subject="Patient/unknown")
        )
        system = system_of(entry.patient.assigning_authority, self.authority_systems)
        resource["subject"] = {"type": "Patient", "identifier": {"system": system, "value": entry.patient.value}}
        if entry.visit:
            resource["encounter"] = {"type": "Encounter", "identifier": {"value": entry.visit}}
        return with_provenance(resource, entry)

    def _add(self, entry: ChartEntry, number: int, observation: Json) -> None:
        record = {
            "entry": entry.id,
            "change": number,
            "recorded": self.clock.now().isoformat(),
            "bed": entry.draft.bed,
            "observation": observation,
        }
        with _translated(self._file(entry).path):
            self._file(entry).add(record, unless=lambda: self._record(entry, number) is not None)

    def _record(self, entry: ChartEntry, number: int) -> Record | None:
        with _translated(self._file(entry).path):
            found = self._file(entry).find(entry.id)
        return next((one for one in found if (one.get("entry"), one.get("change")) == (entry.id, number)), None)

    def _file(self, entry: ChartEntry) -> RecordFile:
        return RecordFile(self.folder / self._reference(entry))

    def _reference(self, entry: ChartEntry) -> str:
        unit = unit_of(entry.draft.bed)
        named = "@".join(_file_name(part) for part in (unit.name or "-", unit.facility) if part)
        return f"{named}/{entry.draft.observed_to.astimezone(UTC):%Y-%m-%d}.ndjson"


def _file_name(text: str) -> str:
    """The text as part of a file's name, which leads nowhere else."""
    return quote(text, safe="").replace(".", "%2E")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EhrUnavailable(f"{path}: {error.strerror}") from error
    except MalformedMessage as error:
        raise RejectedByEhr(f"the record cannot be read back: {error}") from error
