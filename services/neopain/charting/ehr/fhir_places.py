"""Where an entry belongs at a FHIR EHR: the patient by number, the encounter in progress. Never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neopain.charting.ehr.channel import Located, NotLocated
from neopain.charting.ehr.ehr_copy import subject_of
from neopain.charting.ehr.fhir_http import FhirHttp
from neopain.codecs.fhir.answers import Capability, Need, matches_of, read_capability
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.terminology import Json
from neopain.domain.review import ChartEntry
from neopain.errors import ConfigurationError, EhrUnavailable, MalformedMessage, NotLetIn, RejectedByEhr

PATIENT_AND_ENCOUNTER = (
    Need("Patient", "search-type", ("identifier",)),
    Need("Encounter", "search-type", ("patient", "status")),
)
"""What the EHR's CapabilityStatement has to offer for this."""
IN_PROGRESS = "in-progress"


@dataclass(frozen=True, slots=True)
class FhirPlaces:
    """One FHIR server's. ``authority_systems``: assigning authority to identifier system at the EHR."""

    http: FhirHttp
    authority_systems: Mapping[str, str]
    requires_encounter: bool

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The patient by assigning authority and record number, exactly one; the encounter in progress, if one is."""
        patients = [one for one in self._patients(entry) if not _is_replaced(one)]
        if len(patients) != 1:
            return NotLocated(f"the EHR has {len(patients) or 'no'} patients with the infant's identifier")
        subject = f"Patient/{patients[0]['id']}"
        encounters = self._encounters(subject)
        encounter = _encounter(encounters, entry.visit)
        if encounter is None and self.requires_encounter:
            return NotLocated(f"the EHR has {len(encounters) or 'no'} encounters in progress, none clearly this one")
        return Located(subject, encounter)

    def subjects(self, entry: ChartEntry) -> list[str]:
        """The references of all who bear the infant's number."""
        return [f"Patient/{one['id']}" for one in self._patients(entry)]

    def bearers(self, resource_type: str, system: str, value: str) -> list[Json]:
        """The resources with that identifier."""
        # A server may pass over a search parameter that it does not know (R4 search.html#errors): what it answers then
        # is anybody's.
        found = self.search(resource_type, identifier=token(system, value))
        return [one for one in found if (system, value) in identifiers_of(one)]

    def search(self, resource_type: str, **parameters: str | list[str]) -> list[Json]:
        """The matches of a search. ``EhrUnavailable`` also for an answer that is none."""
        try:
            return matches_of(self.http.get(resource_type, **parameters), resource_type)
        except MalformedMessage as error:
            raise EhrUnavailable(f"GET {resource_type}: {error}") from error

    def _encounters(self, subject: str) -> list[Json]:
        # As of identifiers: a server may pass over either parameter.
        found = self.search("Encounter", patient=subject, status=IN_PROGRESS)
        return [one for one in found if subject_of(one) == subject and one.get("status") == IN_PROGRESS]

    def _patients(self, entry: ChartEntry) -> list[Json]:
        system = system_of(entry.patient.assigning_authority, self.authority_systems)
        return self.bearers("Patient", system, entry.patient.value)


def read_metadata(http: FhirHttp) -> Capability:
    """What a server says it is. ``ConfigurationError`` when it shows none or lets us not in; ``EhrUnavailable``."""
    try:
        return read_capability(http.get("metadata"))
    except MalformedMessage as error:
        raise EhrUnavailable(f"GET metadata: {error}") from error
    except NotLetIn as error:
        raise ConfigurationError(f"the EHR does not let this client in ({error})") from error
    except RejectedByEhr as error:
        raise ConfigurationError(f"the EHR shows no CapabilityStatement ({error}): check ehr_url") from error


def require_fit(capability: Capability, needs: tuple[Need, ...]) -> None:
    """``ConfigurationError`` for a server that is not R4, or lacks one of the needs."""
    if not capability.is_r4:
        raise ConfigurationError(
            f"the EHR speaks FHIR {capability.fhir_version or 'of no stated version'}, this channel R4 (4.0.x): "
            "set ehr_url to its R4 endpoint"
        )
    if lacking := capability.lacks(needs):
        raise ConfigurationError(
            f"the EHR's CapabilityStatement does not offer {', '.join(map(str, lacking))}: nothing can be charted to it"
        )


def token(system: str, value: str) -> str:
    """A token search parameter (R4 search.html#token); ``,``, ``|``, ``$`` and ``\\`` in the parts are escaped."""
    return "|".join(re.sub(r"([\\,|$])", r"\\\1", part) for part in (system, value))


def identifiers_of(resource: Json) -> list[tuple[object, object]]:
    """System and value of each of its identifiers."""
    identifiers = resource.get("identifier")
    listed = identifiers if isinstance(identifiers, list) else []
    return [(one.get("system"), one.get("value")) for one in listed if isinstance(one, dict)]


def _is_replaced(patient: Json) -> bool:
    """Whether the EHR has merged the record into another: it must no longer be used (R4 valueset-link-type.html)."""
    links = patient.get("link")
    listed = links if isinstance(links, list) else []
    return any(isinstance(one, dict) and one.get("type") == "replaced-by" for one in listed)


def _encounter(encounters: list[Json], visit: str) -> str | None:
    """The one in progress; of several the one that bears the visit number, else none."""
    if len(encounters) > 1:
        encounters = [one for one in encounters if visit and visit in {value for _, value in identifiers_of(one)}]
    return f"Encounter/{encounters[0]['id']}" if len(encounters) == 1 else None
