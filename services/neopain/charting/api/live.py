"""The newest score of each infant as an Observation: only while the census says that the infant lies in that bed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select

from neopain.charting.api.access import Limits
from neopain.charting.api.aggregates import moment_of, place_of
from neopain.charting.api.found import Found, Page
from neopain.charting.api.scene import Scene, bears
from neopain.charting.entries import DRAFT
from neopain.charting.tables import LIVE_SCORES
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.aggregate import LiveScore, Whose, live_observation
from neopain.codecs.fhir.census import Lying
from neopain.codecs.fhir.ids import encounter_id, key_of, patient_id
from neopain.codecs.fhir.search import Criterion, Dates, References, Search, Tokens
from neopain.domain.aggregate import age_of
from neopain.domain.identity import BedId, PatientId
from neopain.errors import ContractBroken


def search_live(
    connection: Connection, search: Search, limits: Limits, scene: Scene, *, stale_after: timedelta
) -> Page:
    """A page of newest scores."""
    present = live_scores(connection, limits, scene, stale_after=stale_after)
    matches = [one for one, lying in present if all(_match(one, lying, by, scene) for by in search.criteria)]
    if search.is_count:
        return Page(total=len(matches))
    ordered = sorted(matches, key=lambda one: (moment_of(one, search), one.id), reverse=search.is_descending)
    if search.after is not None and search.after.moment is not None:
        there = (search.after.moment, search.after.id)
        places = [(one, (moment_of(one, search), one.id)) for one in ordered]
        ordered = [one for one, here in places if (here < there if search.is_descending else here > there)]
    shown = tuple(ordered[: search.count])
    return Page(shown, place_of(shown[-1], search) if len(ordered) > len(shown) else None)


def read_live(
    connection: Connection, own_id: str, limits: Limits, scene: Scene, *, stale_after: timedelta
) -> Found | None:
    """One newest score; None when there is none to be told."""
    present = live_scores(connection, limits, scene, stale_after=stale_after)
    return next((one for one, _ in present if one.id == own_id), None)


def live_scores(
    connection: Connection, limits: Limits, scene: Scene, *, stale_after: timedelta
) -> list[tuple[Found, Lying]]:
    """The newest scores that may be told, each with the infant as it lies in the bed now.

    An infant that has left the bed, whose bed is held, or that lies in more than one has none.
    """
    view = scene.census(connection)
    beds: dict[BedId, list[Lying]] = {}
    for one in view.lying:
        beds.setdefault(one.state.bed, []).append(one)
    found = []
    for row in connection.execute(select(LIVE_SCORES).where(LIVE_SCORES.c.patient_value.is_not(None))):
        patient = PatientId(row.patient_value, row.patient_authority or "", row.patient_type)
        there = beds.get(BedId(row.bed), [])
        if len(there) != 1 or there[0].state.is_held or not there[0].infant.is_same_as(patient):
            continue
        if len(view.encounters()[there[0].encounter_id]) > 1:
            continue
        if limits.allow_bed(BedId(row.bed)) and limits.allow_patient(patient_id(there[0].patient)):
            found.append((_found(row, there[0], scene.now, stale_after, is_kept=_is_kept(row, limits)), there[0]))
    return found


def _is_kept(row: Row[Any], limits: Limits) -> bool:
    """Whether the number is kept from the client: by what the consumer knew of study mode, or what is known here."""
    return not limits.blinding.sees_all and (row.in_study or limits.blinding.hides_newest(BedId(row.bed)))


def _found(row: Row[Any], lying: Lying, now: datetime, stale_after: timedelta, *, is_kept: bool) -> Found:
    try:
        draft = DRAFT.validate_python(row.draft)
    except ValidationError as error:
        raise ContractBroken("a newest score is not what this version writes") from error
    live = LiveScore(draft, row.taken, age_of(row.window_end, row.taken, now=now), stale_after, is_kept)
    # Of the infant as it is known now: a merge of numbers makes nobody another infant.
    whose = Whose(lying.patient, lying.infant.visit, BedId(row.bed))
    return Found(live_observation(live, whose), key_of(lying.patient), lying.patient, lying.infant.visit)


def _match(found: Found, lying: Lying, criterion: Criterion, scene: Scene) -> bool:  # noqa: PLR0911 - a table
    resource = found.resource
    match criterion:
        case Dates("date", values):
            start, end = (datetime.fromisoformat(resource["effectivePeriod"][part]) for part in ("start", "end"))
            return any(value.claim(start, end, now=scene.now) for value in values)
        case Dates("_lastUpdated", values):
            moment = datetime.fromisoformat(resource["meta"]["lastUpdated"])
            return any(value.claim(moment, moment, now=scene.now) for value in values)
        case References("patient", ids):
            return patient_id(lying.patient) in ids
        case References("encounter", ids):
            return bool(found.visit) and encounter_id(lying.patient, found.visit) in ids
        case Tokens("patient.identifier"):
            return bears(lying, criterion, scene.naming)
        case Tokens("category"):
            return criterion.mean(terms.CATEGORIES, terms.LIVE)
        case Tokens("code"):
            return criterion.mean(terms.SCORES, terms.LIVE_SCORE)
        case Tokens("status"):
            return criterion.mean(terms.OBSERVATION_STATUS, "preliminary")
        case Tokens("_id", values):
            return found.id in {token.code for token in values if token.system is None}
        case Tokens("identifier"):
            return False
    raise NotImplementedError(f"a criterion of the table that nothing is compared with: {criterion.name}")
