"""What a nurse writes over the API: her review of an Observation, her answer to an alert, her decision about a bed.

Refused exactly, repeated harmlessly, audited.

To be called on a thread that may block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from neopain.charting.alert_desk import Asked, answer
from neopain.charting.api.access import Access, Limits
from neopain.charting.api.entries import read_entry, within
from neopain.charting.api.flags import found_flag, read_flag
from neopain.charting.api.held_beds import BedDecision, NotResolved, ResolveBed
from neopain.charting.api.question import AskCreate, AskOperation, AskUpdate
from neopain.charting.api.reader import Caller
from neopain.charting.api.scene import CensusView, Scene
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.database import translated
from neopain.charting.entries import EntryState
from neopain.charting.procedures import Documented, document
from neopain.charting.reviews import Review, is_repeat, review, reviews_of
from neopain.charting.studies import NotHers, OwnScore, keep_own_score
from neopain.charting.tables import ENTRIES
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.alert_act import read_act
from neopain.codecs.fhir.census import Lying, Naming, encounter_of
from neopain.codecs.fhir.digest import entity_tag
from neopain.codecs.fhir.held_bed import RESOLVE_HELD, read_resolution
from neopain.codecs.fhir.ids import key_of, patient_id
from neopain.codecs.fhir.procedure import procedure_of, read_procedure
from neopain.codecs.fhir.refusal import Refused, bad_request, not_found
from neopain.codecs.fhir.review import read_assessment, read_judgement, read_own_score, require_same, wrong
from neopain.codecs.fhir.scopes import CREATE, UPDATE
from neopain.codecs.fhir.terminology import Json
from neopain.domain.alert import Alert, AlertEventKind
from neopain.domain.alert_acts import Act
from neopain.domain.identity import BedId
from neopain.domain.policy import SitePolicies
from neopain.domain.procedure import Procedure
from neopain.domain.review import ReviewAct
from neopain.domain.reviewer import Reviewer
from neopain.errors import ImpossibleTransition
from neopain.runtime.clock import Clock

OBSERVATION = "Observation"
PROCEDURE = "Procedure"
TAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')


@dataclass(frozen=True, slots=True)
class Wrote:
    """The Observation as it is now, and whether it was made by this request."""

    resource: Json
    is_new: bool = False

    @property
    def status(self) -> HTTPStatus:
        """201 for what was made, else 200."""
        return HTTPStatus.CREATED if self.is_new else HTTPStatus.OK

    @property
    def tag(self) -> str:
        """Its ETag."""
        return entity_tag(self.resource)

    @property
    def last_updated(self) -> str:
        """When it got this version; empty where that is not kept."""
        return str(self.resource["meta"].get("lastUpdated", ""))


@dataclass(frozen=True, slots=True)
class Writer:
    """One API's writes. Safe to share between threads."""

    engine: Engine
    clock: Clock
    naming: Naming
    policies: SitePolicies
    resolve_bed: ResolveBed | None = None
    """None: a held bed is not resolved over this API."""

    def update(self, asked: AskUpdate, caller: Caller, body: Json, if_match: str) -> Wrote:
        """Accepts or rejects an Observation. ``Refused`` (403, 404, 412, 422, 428), ``DatabaseUnavailable``."""
        limits = caller.access.limits_of_person(OBSERVATION, UPDATE)
        seen = _seen(if_match)
        with unit_of_work(self.engine, self.clock) as unit:
            entry = _locked(unit.connection, asked.id, limits)
            current = _served(unit.connection, asked.id, limits)
            _require_verifiable(entry)
            if seen != entry.version:
                _require_repeat(unit.connection, entry, current, body, by=_reviewer(caller.access), seen=seen)
                return Wrote(current)
            judgement = read_judgement(body, current)
            wanted = Review(judgement.act, _reviewer(caller.access), seen, judgement.reason, asked=asked_by(caller))
            try:
                review(unit, entry, wanted, now=self.clock.now())
            except ImpossibleTransition as error:
                raise wrong("Observation.status", str(error)) from error
            return Wrote(_served(unit.connection, asked.id, limits))

    def create(self, asked: AskCreate, caller: Caller, body: Json) -> Wrote:
        """Charts what a nurse scored in place of an Observation, or keeps what she scored by herself in a study.

        ``Refused`` (403, 404, 409, 412, 422).
        """
        limits = caller.access.limits_of_person(asked.resource_type, CREATE)
        if asked.resource_type == PROCEDURE:
            return self._document(caller, body, limits)
        if "derivedFrom" not in body and self.policies.has_study:
            return self._keep_own_score(caller, body, limits)
        assessed = read_assessment(body)
        by = _reviewer(caller.access)
        wanted = Review(
            ReviewAct.CHANGE, by, assessed.seen_version, assessed.reason, assessed.items, asked=asked_by(caller)
        )
        _require_herself(body, by)
        with unit_of_work(self.engine, self.clock) as unit:
            entry = _locked(unit.connection, assessed.about, limits)
            current = _served(unit.connection, assessed.about, limits)
            _require_verifiable(entry)
            require_same(body, current, "category", "subject", "encounter", "effectivePeriod")
            if assessed.seen_version != entry.version:
                found = _last_review(unit.connection, entry)
                if found is None or not is_repeat(found, wanted):
                    raise _stale()
                return Wrote(_served(unit.connection, found.assessment_id, limits))
            try:
                own = review(unit, entry, wanted, now=self.clock.now())
            except ImpossibleTransition as error:
                raise wrong("Observation.derivedFrom", str(error)) from error
            return Wrote(_served(unit.connection, own, limits), is_new=True)

    def _document(self, caller: Caller, body: Json, limits: Limits) -> Wrote:
        """Notes a procedure, which gets an entry once the minutes after it are over. ``Refused`` (404, 409, 422)."""
        told = read_procedure(body)
        by = _reviewer(caller.access)
        now = self.clock.now()
        with unit_of_work(self.engine, self.clock) as unit:
            lying = _lying_of(unit.connection, told.patient, limits, Scene(now, self.naming))
            bed = lying.state.bed
            procedure = Procedure(bed, told.begin, told.end, told.what, told.system, told.code)
            asked = {"reviewer": by.id, **asked_by(caller)}
            answer = document(
                unit, Documented(procedure, by.display, lying.patient, asked), self.policies.of(bed), now=now
            )
            if answer.refusal:
                raise wrong("Procedure.performedPeriod", answer.refusal)
            return Wrote(procedure_of(told, answer.id), is_new=answer.is_new)

    def _keep_own_score(self, caller: Caller, body: Json, limits: Limits) -> Wrote:
        """Keeps what a nurse scored by herself, in a unit that is in study mode. ``Refused`` (404, 409, 422)."""
        told = read_own_score(body)
        by = _reviewer(caller.access)
        _require_herself(body, by)
        now = self.clock.now()
        with unit_of_work(self.engine, self.clock) as unit:
            lying = _lying_of(unit.connection, told.patient, limits, Scene(now, self.naming))
            bed = lying.state.bed
            policy = self.policies.of(bed)
            if not policy.study.enabled:
                text = "it names the version that was seen: only a unit in study mode takes a score by itself"
                raise wrong("Observation.derivedFrom", text)
            score = OwnScore(bed, lying.patient, told.effective, told.items, by, told.note, asked_by(caller))
            try:
                own, is_new = keep_own_score(unit, score, policy, now=now)
            except NotHers as error:
                raise wrong(f"Observation.{error.place}", str(error)) from error
            return Wrote(_served(unit.connection, own, limits), is_new=is_new)

    def operate(self, asked: AskOperation, caller: Caller, body: Json) -> Wrote:
        """Acknowledges or snoozes an alert, or resolves a held bed. ``Refused`` (403, 404, 409, 422),
        ``DatabaseUnavailable``, ``BusUnavailable``."""
        if asked.operation == RESOLVE_HELD:
            return self._resolve_held(asked, caller, body)
        limits = caller.access.limits_of_person(asked.resource_type, UPDATE)
        by = _reviewer(caller.access)
        wanted = read_act(asked.operation, body, by=by.display)
        scene = Scene(self.clock.now(), self.naming)
        with translated("reading an alert"), self.engine.connect() as connection:
            if read_flag(connection, asked.id, limits, scene, self.policies) is None:
                raise not_found(asked.resource_type)
        answered = answer(
            self.engine, self.clock, self.policies, asked.id, wanted, asked=Asked(by.id, asked_by(caller))
        )
        if answered.alert is None:
            raise not_found(asked.resource_type)
        if answered.refusal and not _is_acknowledged_by(answered.alert, wanted):
            raise Refused(HTTPStatus.CONFLICT, "conflict", f"the alert {answered.refusal}")
        return Wrote(found_flag(answered.alert, scene, self.policies).resource)

    def _resolve_held(self, asked: AskOperation, caller: Caller, body: Json) -> Wrote:
        """Lets a held bed go for the infant of an Encounter. That it was asked for is in the audit trail before."""
        limits = caller.access.limits_of_person(asked.resource_type, UPDATE)
        if self.resolve_bed is None:
            raise not_found("such operation")
        by = _reviewer(caller.access)
        wanted = read_resolution(body)
        with translated("reading the census"), self.engine.connect() as connection:
            view = Scene(self.clock.now(), self.naming).census(connection)
        there = _place_of(view, asked.id, wanted.bed, limits)
        decision = BedDecision(wanted.bed, there.patient, by.display, wanted.reason, wanted.seen)
        told = _audited_resolution(decision, by, caller)
        with unit_of_work(self.engine, self.clock) as unit:
            unit.audit(told)
        try:
            state = self.resolve_bed(decision)
        except NotResolved as error:
            with unit_of_work(self.engine, self.clock) as unit:
                detail = {**told.detail, "refusal": str(error)}
                unit.audit(replace(told, event="bed_release_refused", detail=detail))
            raise Refused(HTTPStatus.CONFLICT, "conflict", str(error)) from error
        infant = state.infant or there.infant
        return Wrote(encounter_of([Lying(there.patient, infant, state)]))


def _place_of(view: CensusView, own_id: str, bed: BedId, limits: Limits) -> Lying:
    """The infant of an Encounter in the bed; ``Refused`` 404 where she may not know of it, 422 for another bed."""
    places = [one for one in view.lying if one.encounter_id == own_id and limits.allow_bed(one.state.bed)]
    if not places or not limits.allow_patient(patient_id(places[0].patient)):
        raise not_found("Encounter")
    found = next((one for one in places if one.state.bed == bed), None)
    if found is None:
        raise wrong("Parameters.parameter.where(name='bed')", "a bed in which the census has this infant")
    return found


def _audited_resolution(decision: BedDecision, by: Reviewer, caller: Caller) -> AuditEvent:
    return AuditEvent(
        event="bed_release_asked",
        actor=by.display,
        patient=key_of(decision.patient),
        detail={
            "bed": decision.bed,
            "saw": decision.seen,
            "why": decision.reason,
            "reviewer": by.id,
            **asked_by(caller),
        },
    )


def _is_acknowledged_by(alert: Alert, wanted: Act) -> bool:
    """Whether the same person has done so already: the answer to the first time may have been lost."""
    noticed = alert.last(AlertEventKind.ACKNOWLEDGED)
    is_hers = noticed is not None and (noticed.by, noticed.note) == (wanted.by, wanted.note)
    return is_hers and wanted.snooze is None and alert.standing.ended is None and not alert.standing.wants_answer


def _lying_of(connection: Connection, own_id: str, limits: Limits, scene: Scene) -> Lying:
    """The infant where it lies now; ``Refused`` 404 where she may not know of it, 409 where that is in doubt."""
    lying = [one for one in scene.census(connection).lying if patient_id(one.patient) == own_id]
    mine = [one for one in lying if limits.allow_bed(one.state.bed) and limits.allow_patient(own_id)]
    if not mine:
        raise not_found("Patient in a bed")
    if len(lying) > 1:
        raise Refused(HTTPStatus.CONFLICT, "conflict", "by the census this infant lies in more than one bed")
    if mine[0].state.is_held:
        raise Refused(HTTPStatus.CONFLICT, "conflict", f"the bed is held: {mine[0].state.held_reason}")
    return mine[0]


def _require_verifiable(entry: Row[Any]) -> None:
    if entry.state == EntryState.BLINDED.value:
        raise wrong("Observation.status", "it is kept for a study: nobody accepts, rejects or changes it")


def _locked(connection: Connection, entry_id: str, limits: Limits) -> Row[Any]:
    # What is refused here must not be told from what is not there.
    if read_entry(connection, OBSERVATION, entry_id, limits) is None:
        raise not_found(OBSERVATION)
    query = select(ENTRIES).where(ENTRIES.c.entry_id == entry_id, within(limits)).with_for_update()
    return connection.execute(query).one()


def _served(connection: Connection, entry_id: str, limits: Limits) -> Json:
    found = read_entry(connection, OBSERVATION, entry_id, limits)
    if found is None:
        raise not_found(OBSERVATION)
    return found.resource


def _seen(if_match: str) -> int:
    if not if_match:
        text = "If-Match names the version that was seen, as its ETag does: nobody judges what she has not seen"
        raise Refused(HTTPStatus.PRECONDITION_REQUIRED, "required", text)
    found = TAG.fullmatch(if_match.strip())
    if found is None:
        raise bad_request('If-Match is one ETag of the Observation, W/"1"')
    return int(found.group(1))


def _last_review(connection: Connection, entry: Row[Any]) -> Row[Any] | None:
    found = reviews_of(connection, entry.entry_id)
    return found[-1] if found else None


def _require_repeat(
    connection: Connection, entry: Row[Any], current: Json, body: Json, *, by: Reviewer, seen: int
) -> None:
    """What was done already may be asked for again: the answer to the first time may have been lost."""
    found = _last_review(connection, entry)
    # The review itself has added a note since.
    added = body.get("note", [])[len(current["note"]) - 1 :] if isinstance(body.get("note", []), list) else []
    texts = [" ".join(str(one.get("text")).split()) for one in added if isinstance(one, dict)]
    is_repeat_of_it = (
        found is not None
        and (found.reviewer, found.issuer, found.seen_version) == (by.id, by.issuer, seen)
        and entry.version == seen + 1
        and body.get("status") == entry.status
        and "".join(texts) == found.reason
    )
    if not is_repeat_of_it:
        raise _stale()


def _stale() -> Refused:
    text = "it has another version than the one that was seen: read it again, and decide about that"
    return Refused(HTTPStatus.PRECONDITION_FAILED, "conflict", text)


def _require_herself(body: Json, by: Reviewer) -> None:
    if "performer" not in body:
        return
    performers = body["performer"]
    only = performers[0] if isinstance(performers, list) and len(performers) == 1 else None
    identifier = only.get("identifier") if isinstance(only, dict) else None
    if not isinstance(identifier, dict) or identifier.get("value") != by.id:
        raise wrong("Observation.performer", "she who writes, by the identifier that her token has as sub, or left out")


def _reviewer(access: Access) -> Reviewer:
    return Reviewer(access.subject, access.issuer, access.display or access.subject)


def asked_by(caller: Caller) -> dict[str, str]:
    """Of a request, what the audit trail says."""
    return {
        "request_id": caller.request_id,
        "address": caller.address,
        "client": caller.access.client,
        "issuer": caller.access.issuer,
        "token_id": caller.access.token_id,
    }
