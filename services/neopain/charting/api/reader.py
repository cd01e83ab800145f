"""Answers what is asked out of the database, and writes down who was told of whom before anybody is told.

To be called on a thread that may block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import assert_never

from sqlalchemy import Connection, Engine

from neopain.charting.api.access import Access, Limits
from neopain.charting.api.audit_events import read_audit, search_audit
from neopain.charting.api.census import read_all, read_census, search_census
from neopain.charting.api.entries import read_entries, read_entry, search_entries
from neopain.charting.api.flags import read_flag, search_flags
from neopain.charting.api.found import Found, Page
from neopain.charting.api.observations import is_aggregate, is_live, is_uncharted, read_observation, search_observations
from neopain.charting.api.question import (
    SUBSCRIPTION,
    AskCreate,
    AskDelete,
    AskRead,
    AskSearch,
    AskView,
    Write,
    write_query,
)
from neopain.charting.api.reads import ReadAsked, ReadTold, record_read
from neopain.charting.api.refused import (
    ANYBODY,
    BEYOND,
    hidden_infants,
    named_by,
    named_infants,
    text_of_write,
)
from neopain.charting.api.scene import Scene
from neopain.charting.api.subscriptions.served import read_own, search_own
from neopain.charting.api.watching import Watching
from neopain.charting.database import translated
from neopain.codecs.fhir import audit_event
from neopain.codecs.fhir.bundle import BundleEntry, searchset, summarised
from neopain.codecs.fhir.census import Naming
from neopain.codecs.fhir.digest import entity_tag, is_known
from neopain.codecs.fhir.ids import encounter_id, patient_id
from neopain.codecs.fhir.refusal import Refused, Warnings, bad_request, forbidden, not_found
from neopain.codecs.fhir.scopes import CREATE, READ, SEARCH, UPDATE
from neopain.codecs.fhir.search import SEARCHES, Search, Summary, read_search
from neopain.codecs.fhir.terminology import Json
from neopain.domain.policy import SitePolicies
from neopain.runtime.clock import Clock

OBSERVATION = "Observation"
CHARTED = (OBSERVATION, "Provenance")
AUDIT = "AuditEvent"
FLAG = "Flag"
EVENTS = "$events"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from where, and how they want it."""

    access: Access
    request_id: str
    address: str
    is_strict: bool = False
    if_none_match: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer: a resource, or none where the client has it already."""

    resource: Json | None
    tag: str
    last_updated: str = ""

    @property
    def status(self) -> HTTPStatus:
        """200, or 304 without a resource."""
        return HTTPStatus.OK if self.resource is not None else HTTPStatus.NOT_MODIFIED


@dataclass(frozen=True, slots=True)
class Reader:
    """One API's answers. Safe to share between threads."""

    engine: Engine
    clock: Clock
    naming: Naming
    base_url: str
    server_address: str
    policies: SitePolicies
    stale_after: timedelta = timedelta(seconds=10)
    """How old the newest score may be for its number to be told."""
    watching: Watching = field(default_factory=Watching)

    def read(self, asked: AskRead, caller: Caller) -> Told:
        """One resource. ``Refused`` (403, 404), ``DatabaseUnavailable``; a 404 is written down, with whom it hides."""
        limits = _limits(caller.access, asked.resource_type, READ)
        summary = _summary_of(asked, caller)
        with translated("reading"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            found = (
                read_own(connection, asked.id, caller.access)
                if asked.resource_type == SUBSCRIPTION
                else self._read(connection, asked, limits)
            )
            hidden = self._hidden(connection, asked) if found is None else frozenset()
        if found is None:
            self._record(asked, caller, ReadTold(hidden, 0, HTTPStatus.NOT_FOUND, BEYOND if hidden else ""))
            raise not_found(asked.resource_type)
        told = _told(found.resource, caller, summary)
        self._record(
            asked,
            caller,
            ReadTold(found.infants, 1, told.status),
            is_polled=is_uncharted(found),
        )
        return told

    def search(self, asked: AskSearch, caller: Caller) -> Told:
        """A page of a search. ``Refused`` (400, 403), ``DatabaseUnavailable``."""
        limits = _limits(caller.access, asked.resource_type, SEARCH)
        warnings = Warnings()
        search = read_search(asked.resource_type, asked.pairs, is_strict=caller.is_strict, warnings=warnings)
        scene = Scene(self.clock.now(), self.naming)
        with translated("searching"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            page = (
                search_own(connection, search, caller.access)
                if asked.resource_type == SUBSCRIPTION
                else self._search(connection, search, limits, scene)
            )
            included = self._included(connection, page, search, caller.access, scene=scene, warnings=warnings)
            everything = (*page.matches, *included)
            infants = frozenset(infant for one in everything for infant in one.infants)
            hidden = hidden_infants(connection, search, limits, scene, told=infants)
        bundle = self._bundle(search, page, included, warnings)
        told = _told(bundle, caller, Summary.NO)
        refused = [ReadTold(hidden, 0, told.status, BEYOND)] if hidden else []
        # Where others were named each answer is a row, whether or not there are such infants.
        is_polled = hidden is None and bool(everything) and all(is_uncharted(one) for one in everything)
        self._record(search, caller, *refused, ReadTold(infants, len(everything), told.status), is_polled=is_polled)
        return told

    def record_events(self, caller: Caller, infants: frozenset[str], events: int) -> None:
        """Writes down whom events will tell of, as of any poll. ``DatabaseUnavailable``: they may not be told."""
        asked = self._asked(EVENTS, audit_event.SEARCHED, caller)
        told = ReadTold(infants, events, HTTPStatus.OK)
        record_read(self.engine, self.clock, caller.access, asked, told, watching=self.watching)

    def record_refused(self, question: AskRead | AskSearch | AskView | None, caller: Caller, refused: Refused) -> None:
        """Writes down that a client that is known was refused (403); None: it asked for events.

        ``DatabaseUnavailable``: it cannot be told so.
        """
        scene = Scene(self.clock.now(), self.naming)
        asked = _understood(question) if isinstance(question, AskSearch) else question
        with translated("reading"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            infants: frozenset[str] = frozenset()
            if isinstance(asked, AskRead):
                infants = self._hidden(connection, asked)
            elif isinstance(asked, Search):
                infants = named_infants(connection, asked, scene)
        self._record(asked, caller, ReadTold(infants, 0, refused.status, str(refused)), is_polled=True)

    def record_refused_write(self, question: Write, body: Json, caller: Caller, refused: Refused) -> None:
        """Writes down that a client that is known was not let write (403, 404), and nothing changed.

        ``DatabaseUnavailable``: it cannot be told so.
        """
        with translated("reading"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            named = named_by(question, body)
            infants = frozenset(infant for one in named for infant in self._hidden(connection, one))
            is_missed = refused.status is HTTPStatus.NOT_FOUND
            are_beyond = is_missed and self._are_beyond(connection, question, named, caller)
        told = ReadTold(infants, 0, refused.status, BEYOND if infants and are_beyond else str(refused))
        asked = self._asked(text_of_write(question), audit_event.WRITE_REFUSED, caller)
        record_read(self.engine, self.clock, caller.access, asked, told, watching=self.watching)

    def _are_beyond(self, connection: Connection, question: Write, named: Sequence[AskRead], caller: Caller) -> bool:
        """Whether the client may not know of something that its write is about."""
        if isinstance(question, AskDelete):
            return False
        limits = caller.access.may(question.resource_type, CREATE if isinstance(question, AskCreate) else UPDATE)
        return limits is None or any(self._read(connection, one, limits) is None for one in named)

    def _hidden(self, connection: Connection, asked: AskRead) -> frozenset[str]:
        """Whom the resource would tell of that a client is not told."""
        if asked.resource_type in (AUDIT, SUBSCRIPTION):
            return frozenset()
        found = self._read(connection, asked, ANYBODY)
        return found.infants if found is not None else frozenset()

    def _read(self, connection: Connection, asked: AskRead, limits: Limits) -> Found | None:
        scene = Scene(self.clock.now(), self.naming)
        if asked.resource_type == OBSERVATION:
            return read_observation(connection, asked.id, limits, scene, stale_after=self.stale_after)
        if asked.resource_type in CHARTED:
            return read_entry(connection, asked.resource_type, asked.id, limits)
        if asked.resource_type == AUDIT:
            return read_audit(connection, asked.id)
        if asked.resource_type == FLAG:
            return read_flag(connection, asked.id, limits, scene, self.policies)
        return read_census(connection, asked.resource_type, asked.id, limits, scene)

    def _search(self, connection: Connection, search: Search, limits: Limits, scene: Scene) -> Page:
        if search.resource_type == OBSERVATION:
            return search_observations(connection, search, limits, scene, stale_after=self.stale_after)
        if search.resource_type in CHARTED:
            return search_entries(connection, search, limits, scene)
        if search.resource_type == AUDIT:
            return search_audit(connection, search, scene)
        if search.resource_type == FLAG:
            return search_flags(connection, search, limits, scene, self.policies)
        return search_census(connection, search, limits, scene)

    def _included(
        self,
        connection: Connection,
        page: Page,
        search: Search,
        access: Access,
        *,
        scene: Scene,
        warnings: Warnings,
    ) -> list[Found]:
        included: list[Found] = []
        for name in sorted(search.includes):
            resource_type = SEARCHES[search.resource_type].includes[name]
            limits = access.may(resource_type, READ)
            if limits is None:
                warnings.add("forbidden", f"no scope of the token grants {resource_type}.{READ}: it is not included")
                continue
            ids = {own_id for one in page.matches if (own_id := _referred(one, name))}
            if resource_type in CHARTED:
                included += read_entries(connection, ids, limits)
            else:
                included += read_all(connection, resource_type, ids, limits, scene)
        return included

    def _bundle(self, search: Search, page: Page, included: Iterable[Found], warnings: Warnings) -> Json:
        address = f"{self.base_url}/{search.resource_type}"
        links = {"self": f"{address}{write_query(search.understood)}"}
        if page.next_place is not None:
            links["next"] = f"{address}{write_query(search.next_pairs(page.next_place))}"
        entries = [
            *(self._entry(one, search.summary, is_match=True) for one in page.matches),
            *(self._entry(one, search.summary, is_match=False) for one in included),
        ]
        return searchset(entries, links=links, issues=warnings.issues, total=page.total)

    def _entry(self, found: Found, summary: Summary, *, is_match: bool) -> BundleEntry:
        url = f"{self.base_url}/{found.resource['resourceType']}/{found.id}"
        return BundleEntry(url, summarised(found.resource, summary), is_match)

    def _record(
        self, asked: AskRead | Search | AskView | None, caller: Caller, *told: ReadTold, is_polled: bool = False
    ) -> None:
        is_of_entry = (
            isinstance(asked, AskRead)
            and asked.resource_type in CHARTED
            and any(one.resources for one in told)
            and not (is_live(asked.id) or is_aggregate(asked.id))
        )
        record_read(
            self.engine,
            self.clock,
            caller.access,
            self._asked(
                _text_of(asked),
                audit_event.READ if isinstance(asked, AskRead) else audit_event.SEARCHED,
                caller,
                entry_id=asked.id if is_of_entry and isinstance(asked, AskRead) else "",
            ),
            *told,
            watching=self.watching if is_polled else None,
        )

    def _asked(self, asked: str, event: str, caller: Caller, *, entry_id: str = "") -> ReadAsked:
        return ReadAsked(
            asked=asked,
            event=event,
            request_id=caller.request_id,
            address=caller.address,
            server=self.base_url,
            server_address=self.server_address,
            entry_id=entry_id,
        )


def _text_of(asked: AskRead | Search | AskView | None) -> str:
    match asked:
        case AskRead():
            return f"{asked.resource_type}/{asked.id}"
        case Search():
            return f"{asked.resource_type}{write_query(asked.understood)}"
        case AskView():
            return "/".join(filter(None, (SUBSCRIPTION, asked.id, asked.operation)))
        case None:
            return EVENTS
        case _:
            assert_never(asked)


def _understood(asked: AskSearch) -> Search:
    """What of a search is understood, none of a query that cannot be read."""
    try:
        return read_search(asked.resource_type, asked.pairs, is_strict=False, warnings=Warnings())
    except Refused:
        return Search(asked.resource_type)


def _limits(access: Access, resource_type: str, action: str) -> Limits:
    limits = access.limits(resource_type, action)
    if resource_type == SUBSCRIPTION:
        access.require_any_patient(resource_type, action)
    if resource_type == AUDIT and not limits.are_none:
        raise forbidden("the audit trail tells of every infant: not for a client that is limited to one or to units")
    return limits


def _summary_of(asked: AskRead, caller: Caller) -> Summary:
    """Of a read, ``_summary`` is all that can be said."""
    pairs = [pair for pair in asked.pairs if pair[0] not in ("_format", "_pretty")]
    if caller.is_strict and any(name != "_summary" for name, _ in pairs):
        raise bad_request("of a read, _summary is the only parameter that is known", code="not-supported")
    only = [pair for pair in pairs if pair[0] == "_summary"]
    summary = read_search(asked.resource_type, only, is_strict=True, warnings=Warnings()).summary
    if summary is Summary.COUNT:
        raise bad_request("_summary=count is for searches")
    return summary


def _referred(found: Found, name: str) -> str:
    """The id of what a match refers to under the name of an include."""
    match name:
        case "patient":
            return patient_id(found.patient) if found.patient is not None else ""
        case "encounter":
            return encounter_id(found.patient, found.visit) if found.patient is not None and found.visit else ""
        case _:
            return found.served.entry.id if found.served is not None else ""


def _told(resource: Json, caller: Caller, summary: Summary) -> Told:
    shown = summarised(resource, summary)
    # A summary is another representation of the same version: it has a tag of its own.
    tag = entity_tag(resource) if shown is resource else f'{entity_tag(resource)[:-1]}-{summary.value}"'
    last_updated = str(resource.get("meta", {}).get("lastUpdated", ""))
    return Told(None if caller.if_none_match and is_known(caller.if_none_match, tag) else shown, tag, last_updated)
