"""The infants of the proof: told to the census, admitted at the EHR, and a score for each in every interval."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from neopain.bootstrap.fhir import put_resource, search
from neopain.bus.bus import Bus
from neopain.bus.streams import CENSUS, SCORES, StreamSpec
from neopain.codecs.fhir.authority import system_of
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId, bed_id
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.errors import BusUnavailable
from neopain.wire.census import encode_bed_state
from neopain.wire.score import encode_score

AUTHORITY = "PROOF"
MODEL = ModelVersion("proof", Weights.UNTRAINED)
AGAIN_SECONDS = 0.1
IN_PATIENT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}


@dataclass(frozen=True, slots=True)
class ProofInfant:
    """One infant in one bed; ``number`` makes it another one than those of other runs on the same EHR."""

    number: str

    @property
    def patient(self) -> PatientId:
        """Its record number."""
        return PatientId(self.number, AUTHORITY)

    @property
    def bed(self) -> BedId:
        """Where it lies."""
        return bed_id(unit="PROOF", bed=self.number)

    def admit(self, ehr_url: str) -> None:
        """A Patient with an Encounter in progress. ``EhrUnavailable``."""
        identifier = {"system": system_of(AUTHORITY, {}), "value": self.number}
        put_resource(ehr_url, {"resourceType": "Patient", "id": self.number, "identifier": [identifier]})
        encounter = {"resourceType": "Encounter", "id": self.number, "status": "in-progress", "class": IN_PATIENT}
        put_resource(ehr_url, {**encounter, "subject": {"reference": f"Patient/{self.number}"}})

    def observations(self, ehr_url: str) -> list[dict[str, object]]:
        """All of its Observations at the EHR. ``EhrUnavailable``."""
        return search(ehr_url, "Observation", subject=f"Patient/{self.number}")


@dataclass(slots=True)
class Sender:
    """Puts scores on the bus as time goes by, over every death of the bus: what it is not sure of it sends again."""

    infants: list[ProofInfant]
    entries: int
    interval: timedelta
    sent: int = 0
    repeated: int = field(default=0)

    async def admit(self, bus: Bus) -> None:
        """Tells the census who lies where."""
        since = datetime.now(UTC) - timedelta(minutes=5)
        for one in self.infants:
            await self._publish(bus, CENSUS, encode_bed_state(BedState(one.bed, since, Infant((one.patient,)))))

    async def send(self, bus: Bus) -> None:
        """One score for each entry, when its time has come."""
        for infant, end in self._windows():
            await asyncio.sleep((end - datetime.now(UTC)).total_seconds())
            await self._publish(bus, SCORES, encode_score(score_at(infant.bed, end, self.sent)))
            self.sent += 1

    def _windows(self) -> Iterator[tuple[ProofInfant, datetime]]:
        """The infants in turn, each once in every interval, in its middle part."""
        first = self._next_interval()
        for number in range(self.entries):
            turn, place = divmod(number, len(self.infants))
            share = 0.1 + 0.6 * place / len(self.infants)
            yield self.infants[place], first + (turn + share) * self.interval

    def _next_interval(self) -> datetime:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + ((datetime.now(UTC) - epoch) // self.interval + 1) * self.interval

    async def _publish(self, bus: Bus, stream: StreamSpec, payload: bytes) -> None:
        while True:
            with contextlib.suppress(BusUnavailable):
                await bus.publish(stream, payload)
                return
            self.repeated += 1
            await asyncio.sleep(AGAIN_SECONDS)


def score_at(bed: BedId, end: datetime, number: int) -> Score:
    """A number that no episode and no alert begins with; neighbours differ."""
    value = 1.0 + number % 17 / 10
    return Score(bed, end, Outcome.SCORED, MODEL, (), end, Estimate(value, value - 1, value + 1))
