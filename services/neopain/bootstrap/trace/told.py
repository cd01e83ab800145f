"""How a trace is told: a page for a person, fields for a machine. What is not kept is said to be no longer kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from neopain.bootstrap.trace.found import Message
from neopain.bootstrap.trace.windows import Way, is_open, vitals_are_kept
from neopain.bus.streams import RECEIPTS
from neopain.charting.entries import EntryState
from neopain.charting.tracing import TracedEntry
from neopain.domain.census import BedState
from neopain.domain.drugs import DrugFact
from neopain.domain.identity import PatientId
from neopain.domain.receipt import UNANSWERED
from neopain.domain.score import Score

NO_LONGER_KEPT = "no longer kept"


@dataclass(frozen=True, slots=True)
class Traced:
    """A message and the way of each entry of vitals that it became."""

    message: Message
    ways: tuple[Way, ...]


def as_fields(traced: Traced, now: datetime) -> dict[str, object]:
    """All that is known, with ISO 8601 times."""
    message = traced.message
    return {
        "source": str(message.source) if message.source is not None else None,
        "received": _received(message, now),
        "census": [_census(entry_id, state) for entry_id, state in message.census],
        "drugs": [_drug(entry_id, fact) for entry_id, fact in message.drugs],
        "dead_letters": [
            {
                "id": kept.id,
                "rule": kept.rule,
                "replays": [
                    {"time": _iso(one.moment), "by": one.by, "outcome": one.outcome.value, "why": one.why}
                    for one in kept.replays
                ],
            }
            for kept in message.letters
        ],
        "vitals": [_way(way, now) for way in traced.ways],
    }


def infants_told(traced: Traced) -> Iterator[PatientId]:
    """Everybody whom page and fields name."""
    for _, state in traced.message.census:
        yield from (one.identifiers[0] for one in state.occupants)
    for _, fact in traced.message.drugs:
        yield from fact.patients
    for entry in (one for way in traced.ways for one in way.entries or ()):
        if entry.infant:
            value, _, authority = entry.infant.partition("|")
            yield PatientId(value, authority)


def as_page(traced: Traced, now: datetime) -> Iterator[str]:
    """The same in lines, in the order in which it happened."""
    message, fields = traced.message, _received(traced.message, now)
    yield f"source     {message.source if message.source is not None else 'not known any more'}"
    if message.receipt is not None:
        yield (
            f"received   {_moment(message.received)}  {fields['type']}, {fields['bytes']} bytes, answered "
            f"{fields['acknowledgement']} after {fields['took_ms']} ms"
        )
        if message.receipt.reason:
            yield f"rejected   {message.receipt.reason}"
    else:
        yield f"received   {_moment(message.received)} or shortly before; {fields['note']}"
    for kept in message.letters:
        yield f"put aside  {kept.id}  {kept.rule}"
        for one in kept.replays:
            why = f": {one.why}" if one.why else ""
            yield f"replayed   {_moment(one.moment)}  by {one.by}, {one.outcome.value}{why}"
    for entry_id, state in message.census:
        infants = ", ".join(_number(one.identifiers[0]) for one in state.occupants) or "empty"
        held = f", held: {state.held_reason}" if state.is_held else ""
        yield f"stored     census {entry_id}  bed {state.bed}: {infants}{held}"
    for entry_id, fact in message.drugs:
        whose = ", ".join(_number(one) for one in fact.patients)
        yield f"stored     drugs {entry_id}  {_what(fact)} of {whose}"
    if not (message.letters or message.census or message.drugs or traced.ways):
        yield f"stored     {_nothing_stored(message)}"
    for way in traced.ways:
        yield from _way_lines(way, now)


def _received(message: Message, now: datetime) -> dict[str, object]:
    receipt = message.receipt
    if receipt is None:
        is_old = message.received is None or RECEIPTS.retention is None or now - message.received > RECEIPTS.retention
        note = "its receipt is " + (NO_LONGER_KEPT if is_old else "missing: its listener ended before it was written")
        return {"time": _iso(message.received), "is_exact": False, "note": note}
    return {
        "time": _iso(receipt.received),
        "is_exact": True,
        "type": receipt.message_type or "unreadable",
        "bytes": receipt.size_bytes,
        "acknowledgement": receipt.answer,
        "took_ms": round(receipt.took.total_seconds() * 1000, 1),
        "reason": receipt.reason,
    }


def _nothing_stored(message: Message) -> str:
    receipt = message.receipt
    if receipt is not None and receipt.answer == UNANSWERED:
        return "no: its sender has it still"
    if receipt is not None and receipt.message_type.startswith("ADT"):
        return "no fact of the census is of it: it changed nothing there"
    unknown = "what no table knows is in `neopain codes --unknown`"
    return f"nothing: there is no value in it that is taken, and no beat of a waveform ends in it; {unknown}"


def _way(way: Way, now: datetime) -> dict[str, object]:
    stored = way.stored
    return {
        "bed": stored.bed,
        "entry": stored.id,
        "is_repetition": not stored.is_new,
        "is_waveform": stored.is_waveform,
        "is_kept": vitals_are_kept(stored, now),
        "measured_from": _iso(stored.measured_from),
        "measured_until": _iso(stored.measured_until),
        "windows": [_score(score) for score in way.scores],
        "windows_unsure": [_score(score) for score in way.unsure],
        "windows_note": _windows_note(way),
        "entries": [_entry(one) for one in way.entries],
        "entries_note": _entries_note(way),
    }


def _way_lines(way: Way, now: datetime) -> Iterator[str]:
    stored = way.stored
    again = "" if stored.is_new else ", a repetition: it lay there before"
    gone = "" if vitals_are_kept(stored, now) else f"; the entry itself is {NO_LONGER_KEPT}"
    what = "beats of a waveform" if stored.is_waveform else "vitals"
    yield f"stored     {what} {stored.id}  bed {stored.bed}{again}{gone}"
    yield f"measured   {_moment(stored.measured_from)} to {_moment(stored.measured_until)}, by aligned time"
    for word, scores in (("window", way.scores), ("window?", way.unsure)):
        for score in scores:
            yield f"{word:<10} {_moment(score.window_end)}  {_said(score)}, produced {_moment(score.produced)}"
    if note := _windows_note(way):
        yield f"windows    {note}"
    for one in way.entries:
        yield f"charted    {one.id}  {one.kind} {_moment(one.begins)} to {_moment(one.ends)}: {_entry_said(one)}"
        yield f"EHR        {_delivery_said(one)}"
        for change in one.changes:
            yield f"EHR        told {change.told}: {_delivery_said(change)}"
    if note := _entries_note(way):
        yield f"charted    {note}"


def _windows_note(way: Way) -> str:
    if not way.scores_kept and not way.scores:
        return f"its scores are {NO_LONGER_KEPT}"
    if not way.scores_kept:
        return f"some of its scores may be {NO_LONGER_KEPT}"
    if way.unsure:
        return "those with ? do not tell what they were read from"
    return "" if way.scores else "none had it, or none is scored yet"


def _entries_note(way: Way) -> str:
    if way.charted is None:
        return "charting was not asked: NEOPAIN_CHARTING_DATABASE_URL is not set"
    if not way.scores_kept and not way.scores and way.entries:
        return "entries of the time of its windows; which windows held it is " + NO_LONGER_KEPT
    if is_open(way):
        return "an interval of its windows is not charted yet"
    return "" if way.entries else "no entry is of its windows"


def _score(score: Score) -> dict[str, object]:
    estimate = score.estimate
    return {
        "end": _iso(score.window_end),
        "score": score.id,
        "outcome": score.outcome.value,
        "value": estimate.value if estimate else None,
        "low": estimate.low if estimate else None,
        "high": estimate.high if estimate else None,
        "reason": score.reason,
        "model": score.model.name,
        "weights": score.model.weights.value,
        "produced": _iso(score.produced),
    }


def _said(score: Score) -> str:
    estimate = score.estimate
    if estimate is None:
        return f"{score.outcome.value}: {score.reason}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f}), weights {score.model.weights.value}"


def _entry(entry: TracedEntry) -> dict[str, object]:
    return {
        "entry": entry.id,
        "kind": entry.kind,
        "begins": _iso(entry.begins),
        "ends": _iso(entry.ends),
        "issued": _iso(entry.issued),
        "state": entry.state,
        "held_reason": entry.held_reason,
        "infant": entry.infant,
        "value": entry.value,
        "low": entry.low,
        "high": entry.high,
        "absent_reason": entry.absent_reason,
        "status": entry.status,
        "ehr": _delivery(entry),
        "changes": [{"status": change.told, "ehr": _delivery(change)} for change in entry.changes],
    }


def _delivery(entry: TracedEntry) -> dict[str, object]:
    return {
        "state": entry.delivery or None,
        "failed_attempts": entry.attempts,
        "attempted": _iso(entry.attempted),
        "confirmed": _iso(entry.confirmed),
        "reference": entry.ehr_reference,
        "last_error": entry.last_error,
    }


def _entry_said(entry: TracedEntry) -> str:
    return f"{entry.value_said}, infant {entry.infant or 'not known'}, issued {_moment(entry.issued)}"


def _delivery_said(entry: TracedEntry) -> str:
    if not entry.delivery:
        became = "held" if entry.state == EntryState.HELD.value else f"{entry.state}, was held"
        return f"not sent: {became}, {entry.held_reason}"
    if entry.confirmed is not None:
        return f"{entry.delivery} {_moment(entry.confirmed)} as {entry.ehr_reference}"
    tried = f", last sent {_moment(entry.attempted)}" if entry.attempted is not None else ""
    error = f": {entry.last_error}" if entry.last_error else ""
    return f"{entry.delivery}, not confirmed, {entry.attempts} failed attempts{tried}{error}"


def _census(entry_id: str, state: BedState) -> dict[str, object]:
    return {
        "entry": entry_id,
        "bed": state.bed,
        "infants": [_number(one.identifiers[0]) for one in state.occupants],
        "held_reason": state.held_reason,
    }


def _what(fact: DrugFact) -> str:
    drug = fact.ingredient or fact.code or fact.text
    if fact.is_stop:
        return " ".join(filter(None, ("stop under order", fact.order or "-", drug)))
    return f"{fact.basis.value} {drug}"


def _drug(entry_id: str, fact: DrugFact) -> dict[str, object]:
    return {
        "entry": entry_id,
        "infant": [_number(one) for one in fact.patients],
        "basis": fact.basis.value,
        "classes": [one.value for one in fact.classes],
        "ingredient": fact.ingredient,
        "order": fact.order,
        "is_stop": fact.is_stop,
        "begun": _iso(fact.begun),
    }


def _number(patient: PatientId) -> str:
    return "|".join(filter(None, (patient.value, patient.assigning_authority)))


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}Z" if moment is not None else "-"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
