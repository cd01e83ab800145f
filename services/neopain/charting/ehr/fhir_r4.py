"""The generic FHIR R4 channel: conditional create by a business identifier, and reading back what was created.

Conditional create alone is not enough: servers race on it (interop.md 4.5), so whatever has no clear outcome is looked
for before it is sent again. A status is changed in the EHR's own copy, as long as nobody else changes it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from neopain.charting.ehr.channel import Located, NotLocated, NotTaken, Others
from neopain.charting.ehr.ehr_copy import UPDATE_TRIES, require_possible, subject_of, version_of
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.charting.ehr.fhir_places import (
    PATIENT_AND_ENCOUNTER,
    FhirPlaces,
    identifiers_of,
    read_metadata,
    require_fit,
    token,
)
from neopain.codecs.fhir.answers import Need
from neopain.codecs.fhir.assessment import built_assessment
from neopain.codecs.fhir.observation import built_observation, checked
from neopain.codecs.fhir.provenance import with_provenance
from neopain.codecs.fhir.restated import restated, says
from neopain.codecs.fhir.terminology import ENTRY_IDENTIFIERS, Json
from neopain.domain.entry_status import RETRACTED, StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.errors import EhrUnavailable, RejectedByEhr
from neopain.runtime.log import Log

LOG = Log(__name__)

NEEDS = (
    *PATIENT_AND_ENCOUNTER,
    Need("Observation", "search-type", ("identifier",)),
    Need("Observation", "create"),
)
"""What the EHR's CapabilityStatement has to offer."""
FOR_STATUSES = (Need("Observation", "read"), Need("Observation", "update"))
"""Without these an EHR gets entries, and refuses what becomes of them."""


@dataclass(frozen=True, slots=True)
class R4Channel:
    """Charts to one FHIR R4 server. ``authority_systems``: assigning authority to identifier system at the EHR.

    ``tells_provenance`` False leaves the Provenance out, for a server that refuses a contained one.
    """

    http: FhirHttp
    authority_systems: Mapping[str, str] = field(default_factory=dict)
    requires_encounter: bool = False
    tells_provenance: bool = True
    reads_back: ClassVar[bool] = True
    takes_only_verified: ClassVar[bool] = False

    def check(self) -> None:
        """Refuses a server that is not FHIR R4 or does not offer what is needed (``ConfigurationError``).

        ``EhrUnavailable`` when it does not answer.
        """
        capability = read_metadata(self.http)
        require_fit(capability, NEEDS)
        if lacking := capability.lacks(FOR_STATUSES):
            LOG.warning("ehr_does_not_advertise_updates", lacking=", ".join(map(str, lacking)))
        if not capability.creates_conditionally:
            LOG.warning("ehr_does_not_advertise_conditional_create")
        if self.http.sends_batches and not capability.takes_batches:
            LOG.warning("ehr_does_not_advertise_batches")
            self.http.send_singly()

    @property
    def _places(self) -> FhirPlaces:
        return FhirPlaces(self.http, self.authority_systems, self.requires_encounter)

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The patient and the encounter in progress: see ``FhirPlaces.locate``."""
        return self._places.locate(entry)

    def find(
        self,
        entry: ChartEntry,
        located: Located,
        *,
        others: Others = frozenset,  # noqa: ARG002 - the port's
    ) -> str | None:
        """The Observation with the entry's identifier. ``RejectedByEhr`` when there are two, or it is another's."""
        found = self._places.bearers("Observation", ENTRY_IDENTIFIERS, entry.id)
        if len(found) > 1:
            raise RejectedByEhr(f"the EHR has {len(found)} Observations with the identifier of entry {entry.id}")
        if not found:
            return None
        if subject_of(found[0]) != located.subject:
            raise RejectedByEhr(f"the EHR has entry {entry.id} under another patient than the one found for it")
        return f"Observation/{found[0]['id']}"

    def create(self, entry: ChartEntry, located: Located) -> None:
        """Conditional create of the Observation, to be read back."""
        built = self._built(entry, located)
        resource = with_provenance(built, entry) if self.tells_provenance else checked(built)
        self.http.create(resource, if_none_exist=f"identifier={quote(token(ENTRY_IDENTIFIERS, entry.id), safe='')}")

    def _built(self, entry: ChartEntry, located: Located) -> Json:
        if not isinstance(entry, NurseAssessment):
            return built_observation(entry, subject=located.subject, encounter=located.encounter)
        # Ours is older in the outbox: where the EHR has it, it has it by now.
        ours = self._places.bearers("Observation", ENTRY_IDENTIFIERS, entry.draft.about)
        return built_assessment(
            entry,
            subject=located.subject,
            encounter=located.encounter,
            derived_from=f"Observation/{ours[0]['id']}" if len(ours) == 1 else "",
        )

    def change(self, entry: ChartEntry, change: StatusChange, reference: str) -> str:
        """Changes the status in the EHR's copy and reads it back.

        ``RejectedByEhr`` when it is not the entry, is gone, is under another patient (which a retraction does not
        mind), or says what cannot become this status: somebody changed it there.
        """
        was_sent = False
        for _ in range(UPDATE_TRIES):
            current = self._read(entry, change, reference, was_sent=was_sent)
            if says(current, change):
                return reference
            if was_sent and current.get("status") == change.status.value:
                # It keeps no note of who and why: the status is what counts.
                return reference
            require_possible(current, change, reference)
            version = version_of(current, reference)
            try:
                was_sent = self.http.update(reference, restated(current, entry, change), version=version) or was_sent
            except NotTaken:
                if self._read(entry, change, reference, was_sent=True).get("status") != change.status.value:
                    raise
                return reference
        raise EhrUnavailable(f"PUT {reference}: changed by others {UPDATE_TRIES} times, or not shown as it was put")

    def _read(self, entry: ChartEntry, change: StatusChange, reference: str, *, was_sent: bool) -> Json:
        try:
            current = self.http.read(reference)
        except EhrUnavailable as error:
            raise EhrUnavailable(
                str(error), retry_after_seconds=error.retry_after_seconds, was_sent=was_sent
            ) from error
        if (ENTRY_IDENTIFIERS, entry.id) not in identifiers_of(current):
            raise RejectedByEhr(f"{reference} at the EHR does not bear the identifier of entry {entry.id}")
        if change.status not in RETRACTED and subject_of(current) not in self._places.subjects(entry):
            raise RejectedByEhr(f"the EHR has entry {entry.id} under another patient than the one found for it")
        return current
