"""The channel to Oracle Health (Millennium R4): verified entries only, in its minimal shape, by the verifying nurse.

It has no conditional create and keeps no identifier of ours: an entry is found again by patient and time, and by its id
in the note. Its refusals: 500 with an OperationOutcome is for good, 409 is a version that is stale (interop.md 4.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

import httpx

from neopain.charting.ehr.channel import Located, NotLocated, NotTaken, Others
from neopain.charting.ehr.ehr_copy import UPDATE_TRIES, require_possible, subject_of, version_of
from neopain.charting.ehr.fhir_http import FhirHttp, refuses
from neopain.charting.ehr.fhir_places import PATIENT_AND_ENCOUNTER, FhirPlaces, read_metadata, require_fit
from neopain.charting.ehr.http_answer import json_object
from neopain.codecs.fhir.answers import Need, is_for_good
from neopain.codecs.fhir.oracle import (
    OracleCode,
    OraclePlace,
    bears,
    is_copy,
    oracle_observation,
)
from neopain.codecs.fhir.terminology import Json
from neopain.domain.entry_status import StatusChange
from neopain.domain.review import ChartEntry, NurseAssessment
from neopain.domain.reviewer import Reviewer
from neopain.errors import EhrUnavailable, RejectedByEhr
from neopain.runtime.log import Log

LOG = Log(__name__)

NEEDS = (
    *PATIENT_AND_ENCOUNTER,
    Need("Observation", "search-type", ("patient", "date")),
    Need("Observation", "create"),
    Need("Observation", "read"),
    Need("Observation", "update"),
)
AROUND = timedelta(minutes=1)
"""How far around an entry's time it is searched for: the EHR may keep times less exactly."""
PAGE = "200"
"""The most that the EHR gives at once."""


@dataclass(frozen=True, slots=True)
class OracleSite:
    """What a site says of its domain: the code, and Practitioners by issuer and id of a nurse's token."""

    code: OracleCode
    practitioners: Mapping[tuple[str, str], str] = field(default_factory=dict)
    practitioner_system: str = ""
    """Identifier system of Practitioners whose values are those ids; empty: nobody is searched for."""


def refuses_at_oracle(answer: httpx.Response) -> bool:
    """Whether an answer is a no for good: what is written lacks something (500), or is there (409, create)."""
    if answer.request.method == "POST" and answer.status_code == httpx.codes.CONFLICT:
        return True
    if answer.request.method != "GET" and answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        return is_for_good(json_object(answer))
    return refuses(answer)


@dataclass(frozen=True, slots=True)
class OracleChannel:
    """Charts to one Millennium domain. ``authority_systems``: assigning authority to identifier system there."""

    http: FhirHttp
    site: OracleSite
    authority_systems: Mapping[str, str] = field(default_factory=dict)
    requires_encounter: bool = True
    reads_back: ClassVar[bool] = True
    takes_only_verified: ClassVar[bool] = True

    def check(self) -> None:
        """Refuses a server that is not R4 or does not offer what is needed (``ConfigurationError``)."""
        require_fit(read_metadata(self.http), NEEDS)

    def locate(self, entry: ChartEntry) -> Located | NotLocated:
        """The patient, the encounter, and the Practitioner who verified it: exactly one each."""
        located = self._places.locate(entry)
        if isinstance(located, NotLocated):
            return located
        nurse = entry.draft.by if isinstance(entry, NurseAssessment) else entry.verified_by
        if nurse is None:
            return NotLocated("it is not known which nurse verified it")
        performer = self._practitioner(nurse)
        return performer if isinstance(performer, NotLocated) else replace(located, performer=performer)

    def find(self, entry: ChartEntry, located: Located, *, others: Others = frozenset) -> str | None:
        """The Observation that bears the entry's id; where the EHR keeps no notes, the one that says the same.

        ``RejectedByEhr`` when there are two.
        """
        around = [_dated("ge", entry, -AROUND), _dated("le", entry, AROUND)]
        found = self._places.search("Observation", patient=located.subject, date=around, _count=PAGE)
        known = others() if found else frozenset()
        found = [one for one in found if subject_of(one) == located.subject and _reference(one) not in known]
        wanted = self._resource(entry, located)
        ours = [one for one in found if bears(one, entry)] or [one for one in found if is_copy(one, entry, wanted)]
        if len(ours) > 1:
            raise RejectedByEhr(f"the EHR has {len(ours)} Observations that may be entry {entry.id}")
        return _reference(ours[0]) if ours else None

    def create(self, entry: ChartEntry, located: Located) -> str | None:
        """Creates the Observation; reads it back where the EHR said which one it is.

        None where it named none, or one that is not there, cannot be read or is not this entry: it is there, and to be
        searched for.
        """
        resource = self._resource(entry, located)
        reference = self.http.add(resource)
        if not reference:
            return None
        try:
            current = self.http.read(reference)
        except (EhrUnavailable, RejectedByEhr) as error:
            LOG.warning("ehr_named_what_it_does_not_show", entry=entry.id, why=error)
            return None
        if subject_of(current) != located.subject:
            raise RejectedByEhr(f"the EHR has entry {entry.id} under another patient than the one found for it")
        if not is_copy(current, entry, resource):
            LOG.warning("ehr_named_another_observation", entry=entry.id, reference=reference)
            return None
        return reference

    def change(self, entry: ChartEntry, change: StatusChange, reference: str) -> str:
        """Changes the status of the EHR's copy, which keeps who verified it, and reads it back."""
        for _ in range(UPDATE_TRIES):
            current = self.http.read(reference)
            if current.get("status") == change.status.value:
                return reference
            require_possible(current, change, reference)
            place = OraclePlace(
                subject=str(subject_of(current)),
                performer=_performer(current, reference),
                encounter=_encounter(current),
            )
            resource = oracle_observation(entry, self.site.code, place, status=change.status, changes=[change])
            if not is_copy(current, entry, resource):
                raise RejectedByEhr(f"{reference} at the EHR is not entry {entry.id}: it is not written over")
            resource["id"] = reference.rpartition("/")[2]
            try:
                self.http.update(reference, resource, version=version_of(current, reference))
            except NotTaken:
                if self.http.read(reference).get("status") != change.status.value:
                    raise
                return reference
        raise EhrUnavailable(f"PUT {reference}: changed by others {UPDATE_TRIES} times, or not shown as it was put")

    @property
    def _places(self) -> FhirPlaces:
        return FhirPlaces(self.http, self.authority_systems, self.requires_encounter)

    def _practitioner(self, nurse: Reviewer) -> str | NotLocated:
        if known := self.site.practitioners.get((nurse.issuer, nurse.id)):
            return known
        if not self.site.practitioner_system:
            return NotLocated("the nurse who verified it has no [[practitioner]] in the site's file")
        found = self._places.bearers("Practitioner", self.site.practitioner_system, nurse.id)
        if len(found) != 1:
            return NotLocated(
                f"the EHR has {len(found) or 'no'} practitioners with the id of the nurse who verified it"
            )
        return f"Practitioner/{found[0]['id']}"

    def _resource(self, entry: ChartEntry, located: Located) -> Json:
        place = OraclePlace(located.subject, located.performer or "", located.encounter)
        return oracle_observation(entry, self.site.code, place)


def _reference(resource: Json) -> str:
    return f"Observation/{resource['id']}"


def _dated(prefix: str, entry: ChartEntry, by: timedelta) -> str:
    return f"{prefix}{(entry.draft.observed_to + by).isoformat(timespec='seconds').replace('+00:00', 'Z')}"


def _performer(current: Json, reference: str) -> str:
    performers = current.get("performer")
    named = (
        [one.get("reference") for one in performers if isinstance(one, dict)] if isinstance(performers, list) else []
    )
    if not named or not isinstance(named[0], str):
        raise RejectedByEhr(f"{reference} has no performer at the EHR any more: it cannot be changed as hers")
    return named[0]


def _encounter(current: Json) -> str | None:
    encounter = current.get("encounter")
    reference = encounter.get("reference") if isinstance(encounter, dict) else None
    return reference if isinstance(reference, str) else None
