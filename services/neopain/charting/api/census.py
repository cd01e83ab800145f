"""Patients, Encounters and Devices: the census as it is, and whom entries are about that have left it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from neopain.charting.api.access import Limits
from neopain.charting.api.found import Found, Page
from neopain.charting.api.past import PastSearch, read_past
from neopain.charting.api.scene import CensusView, Scene, bears
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.census import device_of, encounter_of, patient_of
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.ids import key_of, patient_id
from neopain.codecs.fhir.search import Criterion, References, Search, Tokens
from neopain.domain.census import BedState, DeviceAssociation
from neopain.domain.identity import PatientId


def search_census(connection: Connection, search: Search, limits: Limits, scene: Scene) -> Page:
    """A page of Patients, Encounters or Devices in the order of their ids."""
    view = scene.census(connection)
    present = _present(search.resource_type, view, limits)
    matches = [one for one in present if all(_match(one, criterion, view) for criterion in search.criteria)]
    past = PastSearch(connection, search, limits, scene, known={one.id for one in present})
    if search.is_count:
        return Page(total=len(matches) + past.count())
    after = search.after.id if search.after is not None else ""
    left = [one for one in matches if one.id > after]
    left = sorted([*left, *past.after(after)], key=lambda one: one.id)
    shown = tuple(left[: search.count])
    return Page(shown, Place(shown[-1].id) if len(left) > len(shown) else None)


def read_census(connection: Connection, resource_type: str, own_id: str, limits: Limits, scene: Scene) -> Found | None:
    """A Patient, Encounter or Device; None when there is none to be told."""
    found = read_all(connection, resource_type, {own_id}, limits, scene)
    return found[0] if found else None


def read_all(connection: Connection, resource_type: str, ids: set[str], limits: Limits, scene: Scene) -> list[Found]:
    """Those of the resources that there are and may be told."""
    present = [one for one in _present(resource_type, scene.census(connection), limits) if one.id in ids]
    left = ids - {one.id for one in present}
    return [*present, *read_past(connection, resource_type, left, limits, scene)]


def _present(resource_type: str, view: CensusView, limits: Limits) -> list[Found]:
    match resource_type:
        case "Patient":
            return list(_patients(view, limits))
        case "Encounter":
            return list(_encounters(view, limits))
        case _:
            return list(_devices(view, limits))


def _patients(view: CensusView, limits: Limits) -> Iterator[Found]:
    seen = set()
    for one in view.lying:
        own_id = patient_id(one.patient)
        if own_id not in seen and limits.allow_patient(own_id) and limits.allow_bed(one.state.bed):
            seen.add(own_id)
            yield Found(patient_of(one.patient, view.naming, lying=one), key_of(one.patient), one.patient)


def _encounters(view: CensusView, limits: Limits) -> Iterator[Found]:
    for places in view.encounters().values():
        first = places[0]
        is_seen = any(limits.allow_bed(one.state.bed) for one in places)
        if is_seen and limits.allow_patient(patient_id(first.patient)):
            yield Found(encounter_of(places), key_of(first.patient), first.patient, first.infant.visit)


def _devices(view: CensusView, limits: Limits) -> Iterator[Found]:
    seen = set()
    for state in view.states:
        for association in state.associations:
            found = _device(association, state, view)
            of = patient_id(found.patient) if found.patient is not None else ""
            if found.id not in seen and limits.allow_patient(of) and limits.allow_bed(state.bed):
                seen.add(found.id)
                yield found


def _device(association: DeviceAssociation, state: BedState, view: CensusView) -> Found:
    """Of an infant only where the bed is not held and exactly this infant lies in it."""
    there = [one for one in view.lying if one.state is state]
    is_sure = not state.is_held and len(there) == 1 and there[0].infant.is_same_as(association.patient)
    patient = there[0].patient if is_sure else None
    resource = device_of(association, state, patient=patient)
    return Found(resource, key_of(patient) if patient is not None else "", patient)


def _match(found: Found, criterion: Criterion, view: CensusView) -> bool:
    match criterion:
        case Tokens("_id", values):
            return found.id in {token.code for token in values if token.system is None}
        case Tokens("identifier"):
            return any(criterion.mean(own["system"], own["value"]) for own in found.resource.get("identifier", []))
        case Tokens("status"):
            return criterion.mean(terms.ENCOUNTER_STATUS, found.resource["status"])
        case References("patient", ids):
            return found.patient is not None and patient_id(found.patient) in ids
        case Tokens("patient.identifier"):
            return found.patient is not None and _bears(found.patient, criterion, view)
    raise NotImplementedError(f"a criterion of the table that nothing is compared with: {criterion.name}")


def _bears(patient: PatientId, tokens: Tokens, view: CensusView) -> bool:
    lying = view.of_patient(patient_id(patient))
    return lying is not None and bears(lying, tokens, view.naming)
