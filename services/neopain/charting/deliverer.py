"""Bringing an infant's entries to the EHR, one after another. Knows rows and a channel; knows nothing of Celery."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, literal_column, select, text

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.breaker import CircuitBreaker
from neopain.charting.database import translated
from neopain.charting.ehr.channel import EhrChannel, Located, NotLocated, NotTaken
from neopain.charting.entries import charted_entry
from neopain.charting.outbox import Happening, OutboxRow, RowState
from neopain.charting.outcome import MayBeThere, NotShownYet, Outcome
from neopain.charting.retry import RetryPolicy
from neopain.charting.statuses import change_of, give_up, locked_entry
from neopain.charting.tables import ENTRIES, OUTBOX, PATIENT_ID
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.codecs.fhir.ids import patient_id
from neopain.domain.entry_status import RETRACTED, EntryStatus, StatusChange
from neopain.domain.review import ChartEntry
from neopain.errors import ContractBroken, EhrUnavailable, NeopainError, NotLetIn, RejectedByEhr
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge

LOG = Log(__name__)

ACTOR = "charting delivery"
EVENTS = {
    Happening.CONFIRMED: "entry_confirmed",
    Happening.ACCEPTED: "entry_accepted",
    Happening.REFUSED: "entry_rejected",
    Happening.CANCELLED: "delivery_cancelled",
    Happening.NOT_IDENTIFIED: "entry_not_located",
    Happening.NOT_LET_IN: "entry_not_let_in",
}
"""What the audit says; an EHR that is not there is in the log and the metrics."""
STATUS_EVENTS = {
    Happening.CONFIRMED: "status_confirmed",
    Happening.ACCEPTED: "status_accepted",
    Happening.REFUSED: "status_rejected",
    Happening.NOT_IDENTIFIED: "status_not_located",
    Happening.NOT_LET_IN: "status_not_let_in",
}
"""The same of a status that the EHR is told of."""
SETTLED_WELL = frozenset({Happening.CONFIRMED, Happening.ACCEPTED, Happening.UNVERIFIED, Happening.CANCELLED})
NOT_OURS_TO_DO = outbox.DONE | {RowState.UNVERIFIED}
"""Rows that do not say that delivery is behind."""
UNVERIFIED = "no nurse has verified it, and this EHR takes nothing else"
CREATED = frozenset({RowState.CONFIRMED, RowState.ACCEPTED})
"""Of the row that creates an entry: the EHR has it."""


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers with one channel. Safe to share between threads, and between processes on one database."""

    engine: Engine
    channel: EhrChannel
    clock: Clock
    retry: RetryPolicy
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    def hand_out(self) -> list[str]:
        """The entries to be delivered now: for each infant the oldest, if it is due and in nobody's hands."""
        with unit_of_work(self.engine, self.clock) as unit:
            counts = outbox.count_by_state(unit.connection)
            gauge("charting_outbox_rows").set(sum(counts[state] for state in RowState if state not in NOT_OURS_TO_DO))
            gauge("charting_unverified_entries").set(counts[RowState.UNVERIFIED])
            retry = self.retry
            return outbox.hand_out(unit.connection, now=self.clock.now(), doubt=retry.doubt, farthest=retry.farthest)

    def deliver(self, entry_id: str) -> int:
        """Delivers the due entries of the infant that the entry is about, oldest first; returns how many were settled.

        Ends at the first that has to wait: a later one never overtakes it. Does nothing while another process delivers
        for the infant, and while the EHR is left alone. A row that is another infant's meanwhile is left for its turn.
        """
        infant = self._infant_of(entry_id)
        settled = 0
        with self._alone_with(infant) as is_alone:
            while is_alone and (row := self._due_row(infant)) is not None:
                if not self.breaker.lets_through(self.clock.now()):
                    break
                try:
                    happening = self._deliver_row(row)
                except outbox.Overtaken as error:
                    LOG.info("delivery_overtaken", entry=row.entry_id, why=error)
                    break
                if happening is Happening.UNAVAILABLE:
                    break
                settled += 1
        return settled

    def _deliver_row(self, row: OutboxRow) -> Happening:
        outcome = self._attempt_even_so(row)
        self._notice(outcome)
        self._settle(row, outcome)
        return outcome.happening

    def _notice(self, outcome: Outcome) -> None:
        """Takes note whether the EHR is well; by a fault of ours, or an entry that is held unasked, it is not known."""
        if outcome.is_well is None or outcome.happening in self._unasked:
            return
        if outcome.happening is Happening.UNAVAILABLE and not outcome.is_well:
            if self.breaker.failed(self.clock.now()):
                LOG.warning("ehr_left_alone", failures=self.breaker.failures, why=outcome.reason)
        elif self.breaker.succeeded():
            LOG.info("ehr_is_back")
        gauge("charting_ehr_left_alone").set(float(self.breaker.is_open))

    @property
    def _unasked(self) -> frozenset[Happening]:
        """What can happen without a word of the EHR's."""
        never_asked = {Happening.NOT_LET_IN, Happening.UNVERIFIED, Happening.CANCELLED}
        return frozenset(never_asked | (set() if self.channel.reads_back else {Happening.NOT_IDENTIFIED}))

    def _attempt_even_so(self, row: OutboxRow) -> Outcome:
        """What an attempt came to, also where it came upon a fault of ours: nobody knows what was sent until then."""
        try:
            return self._attempt(row)
        except NeopainError:
            raise
        except Exception as error:
            LOG.error("delivery_fault", entry=row.entry_id, change=row.change)
            due = self.clock.now() + self.retry.wait(row.attempts, asked_for=None)
            why = f"a fault of neopain's, {type(error).__name__}: delivery_fault in the log of delivery says where"
            return Outcome(Happening.UNAVAILABLE, why, due=due, is_well=None, taken=row.taken)

    def _attempt(self, row: OutboxRow) -> Outcome:
        if self.channel.takes_only_verified and (waits := self._unverified(row)) is not None:
            return waits
        try:
            send = self._send if row.change == outbox.CREATION else self._send_status
            return send(row, self._entry(row))
        except EhrUnavailable as error:
            wait = self.retry.wait(row.attempts, asked_for=error.retry_after_seconds)
            may_be_there = error.was_sent or row.attempted is not None
            taken = error.taken if isinstance(error, NotShownYet) else row.taken
            return Outcome(
                Happening.UNAVAILABLE,
                str(error),
                due=self.clock.now() + wait,
                may_be_there=may_be_there,
                is_well=isinstance(error, NotShownYet) and error.is_well,
                taken=taken,
                ehr_reference=_as_taken(row, taken),
            )
        except NotLetIn as error:
            held = self.clock.now() + self.retry.held
            return Outcome(Happening.NOT_LET_IN, str(error), due=held, may_be_there=row.attempted is not None)
        except RejectedByEhr as error:
            # A status is read before it is changed: after a clear no, nothing is in doubt.
            may_be_there = self.channel.reads_back and row.change == outbox.CREATION
            return Outcome(
                Happening.REFUSED,
                str(error),
                words=error.words,
                may_be_there=may_be_there,
                ehr_reference=self._doubt(row, error),
            )
        except ContractBroken as error:
            return Outcome(Happening.REFUSED, str(error))

    def _doubt(self, row: OutboxRow, refusal: RejectedByEhr) -> str | None:
        """What a refusal leaves open: an EHR may have what it did not answer before, or something else of it."""
        if row.ehr_reference or (self.channel.reads_back and row.change != outbox.CREATION):
            return None
        if isinstance(refusal, MayBeThere):
            return "sent and not read back as it was"
        if row.attempted is None:
            return None
        return f"sent {row.attempted.astimezone(UTC).isoformat()} without an answer"

    def _unverified(self, row: OutboxRow) -> Outcome | None:
        """Why an entry is not for an EHR that takes only what a nurse has verified; None where it is."""
        if row.change != outbox.CREATION or row.attempted is not None:
            return None
        status = self._status(row)
        if status is EntryStatus.PRELIMINARY:
            return Outcome(Happening.UNVERIFIED, UNVERIFIED)
        if status in RETRACTED:
            return Outcome(Happening.CANCELLED, f"the entry is {status.value} and was never sent")
        return None

    def _status(self, row: OutboxRow) -> EntryStatus:
        with translated("reading a status"), self.engine.connect() as connection:
            return EntryStatus(connection.scalar(select(ENTRIES.c.status).where(ENTRIES.c.entry_id == row.entry_id)))

    def _send(self, row: OutboxRow, entry: ChartEntry) -> Outcome:
        located = self.channel.locate(entry)
        if isinstance(located, NotLocated):
            return Outcome(Happening.NOT_IDENTIFIED, located.reason, due=self.clock.now() + self.retry.held)
        if not self.channel.reads_back:
            return self._send_unasked(row, entry, located)
        reference = self._found(row, entry, located) if row.attempted else None
        if reference is None and row.taken is not None:
            self._require_sendable_again(row, row.taken)
        if reference is None and self.channel.takes_only_verified and (status := self._status(row)) in RETRACTED:
            # It would be charted as verified first, and such an EHR may not let it be retracted.
            return _not_sent_any_more(row, status)
        if reference is None:
            reference = self._created(row, entry, located)
        return Outcome(Happening.CONFIRMED, ehr_reference=reference)

    def _created(self, row: OutboxRow, entry: ChartEntry, located: Located) -> str:
        """Sends the entry and reads it back; ``NotShownYet`` where the EHR took it and does not show it.

        ``NotTaken`` where it said that it did not, and it is not there.
        """
        self._begin(row, sent=self.clock.now())
        told: str | None = None
        denial: NotTaken | None = None
        try:
            told = self.channel.create(replace(entry, sent=self.clock.now()), located)
        except NotTaken as error:
            denial = error
        taken = self.clock.now()
        try:
            reference = told or self._found(row, entry, located)
        except (EhrUnavailable, NotLetIn) as error:
            # Whatever became of the search: the entry was sent.
            raise (NotShownYet(taken, because=error) if denial is None else EhrUnavailable(str(denial))) from error
        if reference is None:
            raise denial or NotShownYet(taken)
        return reference

    def _require_sendable_again(self, row: OutboxRow, taken: datetime) -> None:
        if self.clock.now() < taken + self.retry.taken:
            # It may be queued there, where no condition of a second one finds it.
            raise NotShownYet(taken)
        if row.ehr_reference == outbox.TAKEN_AGAIN:
            # Where it cannot be found no condition holds either: each hour would add one.
            raise RejectedByEhr("the EHR took the entry twice and shows it nowhere: it may be there, even twice")

    def _found(self, row: OutboxRow, entry: ChartEntry, located: Located) -> str | None:
        """What the EHR has of an entry that was sent; what is there as another one, which says the same, is not it.

        ``MayBeThere`` where it refuses to tell, or has something of it that is not what was sent.
        """
        try:
            return self.channel.find(entry, located, others=lambda: self._others(row, entry))
        except NotLetIn:
            raise
        except RejectedByEhr as error:
            raise MayBeThere(str(error), words=error.words) from error

    def _others(self, row: OutboxRow, entry: ChartEntry) -> frozenset[str]:
        """The references of the infant's other entries that the EHR has, from about the same time on."""
        others = select(OUTBOX.c.ehr_reference).join(ENTRIES, ENTRIES.c.entry_id == OUTBOX.c.entry_id)
        # The first two conditions are for an index.
        of_the_infant = others.where(
            literal_column(PATIENT_ID) == patient_id(entry.patient),
            ENTRIES.c.ends > entry.draft.observed_to - timedelta(seconds=1),
            OUTBOX.c.change == outbox.CREATION,
            OUTBOX.c.state == RowState.CONFIRMED.value,
            OUTBOX.c.entry_id != row.entry_id,
        )
        with translated("reading the outbox"), self.engine.connect() as connection:
            return frozenset(connection.scalars(of_the_infant))

    def _send_unasked(self, row: OutboxRow, entry: ChartEntry, located: Located) -> Outcome:
        """To an EHR that cannot be asked: after an unknown outcome it gets the same as before, so that it can tell."""
        sent = row.attempted or self.clock.now()
        if row.attempted is None:
            self._begin(row, sent=sent)
        return Outcome(Happening.ACCEPTED, ehr_reference=self.channel.create(replace(entry, sent=sent), located))

    def _send_status(self, row: OutboxRow, entry: ChartEntry) -> Outcome:
        """A status of an entry that the EHR has. May be repeated: what the EHR says already is not changed again."""
        change, reference = self._change(row)
        sent = row.attempted or self.clock.now()
        if not self.channel.reads_back:
            located = self.channel.locate(entry)
            if isinstance(located, NotLocated):
                return Outcome(Happening.NOT_IDENTIFIED, located.reason, due=self.clock.now() + self.retry.held)
        # To an EHR that cannot be asked it goes out again as it was, with the time of the first sending.
        self._begin(row, sent=self.clock.now() if self.channel.reads_back else sent)
        told = self.channel.change(replace(entry, sent=sent), change, reference)
        done = Happening.CONFIRMED if self.channel.reads_back else Happening.ACCEPTED
        return Outcome(done, ehr_reference=told)

    def _begin(self, row: OutboxRow, *, sent: datetime) -> None:
        until = self.retry.doubted_until(self.clock.now())
        with unit_of_work(self.engine, self.clock) as unit:
            outbox.begin_attempt(unit.connection, row, now=sent, until=until)

    def _change(self, row: OutboxRow) -> tuple[StatusChange, str]:
        """The change that a row is about, and the entry's reference at the EHR, where it was created before."""
        created = select(OUTBOX.c.state, OUTBOX.c.ehr_reference).where(
            OUTBOX.c.entry_id == row.entry_id, OUTBOX.c.change == outbox.CREATION
        )
        with translated("reading a status"), self.engine.connect() as connection:
            creation = connection.execute(created).one_or_none()
            if creation is None or RowState(creation.state) not in CREATED:
                raise ContractBroken(f"entry {row.entry_id} was never created at the EHR: no status is told of it")
            return change_of(connection, row.entry_id, row.change), creation.ehr_reference or ""

    def _entry(self, row: OutboxRow) -> ChartEntry:
        with translated("reading an entry"), self.engine.connect() as connection:
            return charted_entry(connection, row.entry_id)

    def _settle(self, row: OutboxRow, outcome: Outcome) -> None:
        error = "\n".join(filter(None, (outcome.reason, outcome.words)))
        reference = outcome.ehr_reference or row.ehr_reference or None
        values: dict[str, object] = {"last_error": error, "ehr_reference": reference}
        if outcome.due is not None:
            values["due"] = outcome.due
        if not outcome.may_be_there:
            values["attempted"] = None
        elif self.channel.reads_back:
            values["attempted"] = outbox.given_up(row, now=self.clock.now())
        match outcome.happening:
            case Happening.CONFIRMED | Happening.ACCEPTED:
                values["confirmed"] = self.clock.now()
            case Happening.UNAVAILABLE:
                values |= {"attempts": row.attempts + 1, "taken": outcome.taken}
        with unit_of_work(self.engine, self.clock) as unit:
            if outcome.happening is Happening.UNVERIFIED and not _is_preliminary(unit, row):
                return
            outbox.settle(unit.connection, row, outcome.happening, **values)
            if outcome.happening is Happening.CANCELLED:
                later = outbox.locked_rows(unit.connection, row.entry_id)
                give_up(unit, later, actor=ACTOR, why=outcome.reason)
            if outcome.happening in EVENTS:
                unit.audit(_audited(row, outcome))
        counter("charting_deliveries_total").labels(outcome.happening.value).inc()
        tell = LOG.info if outcome.happening in SETTLED_WELL else LOG.warning
        tell(
            "delivery_ended",
            entry=row.entry_id,
            change=row.change,
            outcome=outcome.happening.value,
            why=outcome.reason or "-",
        )

    def _due_row(self, infant: str) -> OutboxRow | None:
        now = self.clock.now()
        with translated("reading the outbox"), self.engine.connect() as connection:
            row = outbox.oldest_open(connection, infant)
        if row is None or row.due > now:
            return None
        if outbox.is_in_doubt(row, now=now, doubt=self.retry.doubt):
            return None
        return row

    def _infant_of(self, entry_id: str) -> str:
        with translated("reading the outbox"), self.engine.connect() as connection:
            infant = outbox.infant_of(connection, entry_id)
        if infant is None:
            raise ContractBroken(f"entry {entry_id} is not in the outbox")
        return infant

    @contextmanager
    def _alone_with(self, infant: str) -> Iterator[bool]:
        # A lock of the session, not of a transaction: it outlives the commits of an attempt, and dies with the process.
        key = {"infant": infant, "word": outbox.INFANT_LOCK}
        with translated("locking an infant"), self.engine.connect() as raw:
            connection = raw.execution_options(isolation_level="AUTOCOMMIT")
            lock = text("SELECT pg_try_advisory_lock(hashtextextended(:infant, :word))")
            is_alone = bool(connection.scalar(lock, key))
            try:
                yield is_alone
            finally:
                if is_alone:
                    connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:infant, :word))"), key)


def _as_taken(row: OutboxRow, taken: datetime | None) -> str | None:
    """What stands for the reference of an entry that the EHR said at that time that it took; None for what is there."""
    if taken is None or taken == row.taken:
        return None
    return outbox.TAKEN if row.taken is None else outbox.TAKEN_AGAIN


def _not_sent_any_more(row: OutboxRow, status: EntryStatus) -> Outcome:
    """What becomes of a retracted entry that the EHR does not show; ``RejectedByEhr`` where it said that it took it."""
    if row.taken is not None:
        raise RejectedByEhr(f"the entry is {status.value}, and the EHR took it and shows it nowhere: it may be there")
    return Outcome(Happening.CANCELLED, f"the entry is {status.value} and the EHR does not have it")


def _is_preliminary(unit: UnitOfWork, row: OutboxRow) -> bool:
    """Whether nobody has acted on it meanwhile; nobody does before the transaction ends."""
    return EntryStatus(locked_entry(unit.connection, row.entry_id).status) is EntryStatus.PRELIMINARY


def _audited(row: OutboxRow, outcome: Outcome) -> AuditEvent:
    is_creation = row.change == outbox.CREATION
    detail = {"ehr_reference": outcome.ehr_reference, "attempts": row.attempts + 1, "reason": outcome.reason}
    return AuditEvent(
        event=(EVENTS if is_creation else STATUS_EVENTS)[outcome.happening],
        actor=ACTOR,
        entry_id=row.entry_id,
        patient=row.infant,
        detail=detail if is_creation else {**detail, "change": row.change},
    )
