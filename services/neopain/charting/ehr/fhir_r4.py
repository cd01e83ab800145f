"""The generic FHIR R4 channel: conditional create by a business identifier, and reading back what was created.

Conditional create alone is not enough: servers race on it (interop.md 4.5), so whatever has no clear outcome is looked
for before it is sent again. A status is changed in the EHR's own copy, as long as nobody else changes it meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from neopain.charting.ehr.channel import Located, NotLocated
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.codecs.fhir.answers import Capability, Need, matches_of, read_capability
from neopain.codecs.fhir.assessment import assessment_observation
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.observation import observation_of
from neopain.codecs.fhir.restated import restated, says
from neopain.codecs.fhir.terminology import ENTRY_IDENTIFIERS, Json
from neopain.domain.entry_status import RETRACTED, EntryStatus, StatusChange, may_become
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.errors import ConfigurationError, EhrUnavailable, MalformedMessage, RejectedByEhr
from neopain.runtime.log import Log

LOG = Log(__name__)

NEEDS = (
    Need("Patient", "search-type", ("identifier",)),
    Need("Encounter", "search-type", ("patient", "status")),
    Need("Observation", "search-type", ("identifier",)),
    Need("Observation", "create"),
)
"""What the EHR's CapabilityStatement has to offer."""
FOR_STATUSES = (Need("Observation", "read"), Need("Observation", "update"))
"""Without these an EHR gets entries, and refuses what becomes of them."""
UPDATE_TRIES = 5
"""How often a resource that somebody else changes at the same moment is read again before it is left for later."""


@dataclass(frozen=True, slots=True)
class R4Channel:
    """Charts to one FHIR R4 server. ``authority_systems``: assigning authority to identifier system at the EHR."""

    http: FhirHttp
    authority_systems: Mapping[str, str] = field(default_factory=dict)
    requires_encounter: bool = False
    reads_back: ClassVar[bool] = True

    def check(self) -> None:
        """Refuses a server that is not FHIR R4 or does not offer what is needed (``ConfigurationError``).

        ``EhrUnavailable`` when it does not answer.
        """
        try:
            capability = read_capability(self.http.get("metadata"))
        except MalformedMessage as error:
            raise EhrUnavailable(f"GET metadata: {error}") from error
        except RejectedByEhr as error:
            raise ConfigurationError(f"the EHR shows no CapabilityStatement ({error}): check ehr_url") from error
        _require_fit(capability)

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The patient by assigning authority and record number, exactly one; the encounter in progress, if one is."""
        system = system_of(entry.patient.assigning_authority, self.authority_systems)
        patients = self._bearers("Patient", system, entry.patient.value)
        if len(patients) != 1:
            return NotLocated(f"the EHR has {len(patients) or 'no'} patients with the infant's identifier")
        subject = f"Patient/{patients[0]['id']}"
        encounters = self._search("Encounter", patient=subject, status="in-progress")
        encounter = _encounter(encounters, entry.visit)
        if encounter is None and self.requires_encounter:
            return NotLocated(f"the EHR has {len(encounters) or 'no'} encounters in progress, none clearly this one")
        return Located(subject, encounter)

    def find(self, entry: ChartEntry, located: Located) -> str | None:
        """The Observation with the entry's identifier. ``RejectedByEhr`` when there are two, or it is another's."""
        found = self._bearers("Observation", ENTRY_IDENTIFIERS, entry.id)
        if len(found) > 1:
            raise RejectedByEhr(f"the EHR has {len(found)} Observations with the identifier of entry {entry.id}")
        if not found:
            return None
        if _subject(found[0]) != located.subject:
            raise RejectedByEhr(f"the EHR has entry {entry.id} under another patient than the one found for it")
        return f"Observation/{found[0]['id']}"

    def create(self, entry: ChartEntry, located: Located) -> None:
        """Conditional create of the Observation, to be read back."""
        resource = self._observation(entry, located)
        self.http.create(resource, if_none_exist=f"identifier={quote(_token(ENTRY_IDENTIFIERS, entry.id), safe='')}")

    def _observation(self, entry: ChartEntry, located: Located) -> Json:
        if not isinstance(entry, NurseAssessment):
            return observation_of(entry, subject=located.subject, encounter=located.encounter)
        # Ours is older in the outbox: where the EHR has it, it has it by now.
        ours = self._bearers("Observation", ENTRY_IDENTIFIERS, entry.draft.about)
        return assessment_observation(
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
            _require_possible(current, change, reference)
            version = _version(current, reference)
            was_sent = self.http.update(reference, restated(current, entry, change), version=version) or was_sent
        raise EhrUnavailable(f"PUT {reference}: changed by others {UPDATE_TRIES} times, or not shown as it was put")

    def _read(self, entry: ChartEntry, change: StatusChange, reference: str, *, was_sent: bool) -> Json:
        try:
            current = self.http.get(reference)
        except EhrUnavailable as error:
            raise EhrUnavailable(
                str(error), retry_after_seconds=error.retry_after_seconds, was_sent=was_sent
            ) from error
        if (ENTRY_IDENTIFIERS, entry.id) not in _identifiers(current):
            raise RejectedByEhr(f"{reference} at the EHR does not bear the identifier of entry {entry.id}")
        if change.status not in RETRACTED and _subject(current) not in self._subjects(entry):
            raise RejectedByEhr(f"the EHR has entry {entry.id} under another patient than the one found for it")
        return current

    def _subjects(self, entry: ChartEntry) -> list[str]:
        system = system_of(entry.patient.assigning_authority, self.authority_systems)
        return [f"Patient/{one['id']}" for one in self._bearers("Patient", system, entry.patient.value)]

    def _bearers(self, resource_type: str, system: str, value: str) -> list[Json]:
        # A server may pass over a search parameter that it does not know (R4 search.html#errors): what it answers then
        # is anybody's.
        found = self._search(resource_type, identifier=_token(system, value))
        return [one for one in found if (system, value) in _identifiers(one)]

    def _search(self, resource_type: str, **parameters: str) -> list[Json]:
        try:
            return matches_of(self.http.get(resource_type, **parameters), resource_type)
        except MalformedMessage as error:
            raise EhrUnavailable(f"GET {resource_type}: {error}") from error


def _require_fit(capability: Capability) -> None:
    if not capability.is_r4:
        raise ConfigurationError(
            f"the EHR speaks FHIR {capability.fhir_version or 'of no stated version'}, this channel R4 (4.0.x): "
            "set ehr_url to its R4 endpoint"
        )
    if lacking := capability.lacks(NEEDS):
        raise ConfigurationError(
            f"the EHR's CapabilityStatement does not offer {', '.join(map(str, lacking))}: nothing can be charted to it"
        )
    if lacking := capability.lacks(FOR_STATUSES):
        LOG.warning("ehr_does_not_advertise_updates", lacking=", ".join(map(str, lacking)))
    if not capability.creates_conditionally:
        LOG.warning("ehr_does_not_advertise_conditional_create")


def _require_possible(current: Json, change: StatusChange, reference: str) -> None:
    found = current.get("status")
    known = {status.value: status for status in EntryStatus}
    if found not in known or not may_become(known[found], change.status):
        word = found if found in known else "of a status that is none of ours"
        raise RejectedByEhr(f"{reference} is {word} at the EHR, which cannot become {change.status.value}")


def _version(current: Json, reference: str) -> str:
    meta = current.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if not isinstance(version, str) or not version:
        raise RejectedByEhr(f"{reference} has no version at the EHR: it cannot be changed without the risk of a loss")
    return version


def _encounter(encounters: list[Json], visit: str) -> str | None:
    """The one in progress; of several the one that bears the visit number, else none."""
    if len(encounters) > 1:
        encounters = [one for one in encounters if visit and visit in {value for _, value in _identifiers(one)}]
    return f"Encounter/{encounters[0]['id']}" if len(encounters) == 1 else None


def _identifiers(resource: Json) -> list[tuple[object, object]]:
    identifiers = resource.get("identifier")
    listed = identifiers if isinstance(identifiers, list) else []
    return [(one.get("system"), one.get("value")) for one in listed if isinstance(one, dict)]


def _subject(resource: Json) -> object:
    subject = resource.get("subject")
    return subject.get("reference") if isinstance(subject, dict) else None


def _token(system: str, value: str) -> str:
    """A token search parameter (R4 search.html#token); ``,``, ``|``, ``$`` and ``\\`` in the parts are escaped."""
    return "|".join(re.sub(r"([\\,|$])", r"\\\1", part) for part in (system, value))
