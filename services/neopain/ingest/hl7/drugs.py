"""RDE and RAS -> facts about drugs on the bus; and their numbers when ADT changes who is who."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from neopain.bus.bus import Bus
from neopain.bus.census import read_census
from neopain.bus.drugs import read_drugs, write_drug
from neopain.codecs.drug_codes import DrugCodes, read_site_codes
from neopain.codecs.hl7v2.drugs import read_drugs as read_message
from neopain.domain.census import CensusEvent, Infant
from neopain.domain.drugs import DrugFact, counting_for
from neopain.domain.occupancy import takes_numbers
from neopain.errors import ConfigurationError
from neopain.ingest.hl7.received import Received
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

MOST_TOLD = 1000


def read_codes(path: Path | None) -> DrugCodes:
    """Our registry with the rows of the site's file before them; ``ConfigurationError`` when it cannot be read."""
    if path is None:
        return DrugCodes()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"NEOPAIN_INGEST_DRUG_CODES {path} cannot be read as UTF-8: {error}") from error
    return DrugCodes().with_rows(read_site_codes(text, table=str(path)))


@dataclass(slots=True)
class DrugIntake:
    """Reads pharmacy messages and puts what they say of drugs on the bus."""

    bus: Bus
    codes: DrugCodes
    told: set[tuple[str, str, str]] = field(default_factory=set)

    def read(self, one: Received) -> tuple[DrugFact, ...]:
        """The facts of a message. Raises ``MalformedMessage``."""
        report = read_message(
            one.message,
            one.header,
            codes=self.codes,
            site_zone=one.zone,
            received=one.received,
            source=str(one.source),
        )
        return report.facts

    async def store(self, facts: tuple[DrugFact, ...], one: Received) -> None:
        """The facts are on disk when this returns; may be called again, nothing is stored twice.

        Raises ``BusUnavailable``.
        """
        for place, fact in enumerate(facts):
            if await write_drug(self.bus, fact, mark=one.mark("drug", str(place))):
                self._tell(fact)

    async def refile(self, event: CensusEvent, one: Received, place: int) -> None:
        """What was given under numbers that were another's or are used no more counts for this infant too, where the
        census believes that. May be called again. Raises ``BusUnavailable``.
        """
        if not event.prior:
            return
        known = counting_for(event.processing, await read_drugs(self.bus, [Infant(event.prior)]))
        if known and not takes_numbers((await read_census(self.bus)).beds, event):
            LOG.warning("drugs_not_refiled", kind=event.kind.value, control_id=event.control_id, drugs=len(known))
            return
        for fact in known:
            patients = tuple(dict.fromkeys((*fact.patients, *event.infant.identifiers)))
            mark = one.mark("refiled", str(place), fact.id)
            await write_drug(self.bus, replace(fact, patients=patients), mark=mark)

    def _tell(self, fact: DrugFact) -> None:
        for drug_class in fact.classes:
            counter("ingest_drugs_total").labels(drug_class.value, fact.basis.value).inc()
        if not fact.is_unknown:
            return
        counter("ingest_drug_codes_unknown_total").inc()
        key = (fact.source, fact.code, fact.system)
        if key not in self.told and len(self.told) < MOST_TOLD:
            self.told.add(key)
            LOG.info("drug_code_unknown", source=fact.source, code=fact.code, system=fact.system)
