"""Alerts, and a person who answers them: ``neopain alerts``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from neopain.charting.alert_desk import AlertQuery, answer, read_alert, read_alerts
from neopain.charting.desk import at_desk
from neopain.charting.settings import ChartingSettings
from neopain.codecs.fhir.authority import system_of
from neopain.codecs.fhir.flag import Told, flag_of
from neopain.domain.alert import NOTICE, Alert, AlertEvent, AlertEventKind, Reading, Standing
from neopain.domain.alert_acts import Act
from neopain.domain.identity import BedId
from neopain.domain.policy import SitePolicies
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings
from neopain.runtime.user import user


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as it is at the moment of reading: since when it has had no number, until when it is snoozed."""

    alert: Alert
    no_number_since: datetime | None
    snoozed_until: datetime | None

    @property
    def standing(self) -> Standing:
        """What the alert stands at."""
        return self.alert.standing


def list_alerts(*, bed: str, with_ended: bool, most: int, as_json: bool) -> int:
    """Prints a line for each alert that goes on, the newest first, or of ended ones too; no patient data."""
    settings = read_settings(ChartingSettings)
    policies = settings.charting_policies()
    query = AlertQuery(bed=BedId(bed) if bed else None, with_ended=with_ended, most=most)
    with at_desk(settings.database_url) as engine:
        found = [_known(alert, policies) for alert in read_alerts(engine, query)]
    for known in found:
        print(json.dumps(_listed(known)) if as_json else _as_line(known))
    if not as_json:
        print(f"({NOTICE})" if found else _none(bed, with_ended=with_ended))
    return 0


def show_alert(alert_id: str, *, by: str, as_json: bool, as_fhir: bool) -> int:
    """Prints one alert with its events: patient data, and in the audit trail as read by this person or user.

    ``ConfigurationError`` when there is none of that id.
    """
    settings = read_settings(ChartingSettings)
    with at_desk(settings.database_url) as engine:
        alert = read_alert(engine, SystemClock(), alert_id, by=by or f"user {user()}")
    if alert is None:
        raise _unknown(alert_id)
    known = _known(alert, settings.charting_policies())
    if as_fhir:
        system = system_of(alert.patient.assigning_authority, settings.authority_systems)
        print(json.dumps(flag_of(alert, Told(system, known.no_number_since))))
    else:
        print(json.dumps(_shown(known)) if as_json else "\n".join(_as_page(known)))
    return 0


def answer_alert(alert_id: str, wanted: Act) -> int:
    """Does what a person wants with an alert and prints what it stands at; ``ConfigurationError`` when it cannot be."""
    settings = read_settings(ChartingSettings)
    policies = settings.charting_policies()
    with at_desk(settings.database_url) as engine:
        answered = answer(engine, SystemClock(), policies, alert_id, wanted)
    if answered.alert is None:
        raise _unknown(alert_id)
    if answered.refusal:
        raise ConfigurationError(f"alert {alert_id} {answered.refusal}")
    print(_as_line(_known(answered.alert, policies)))
    print(f"({NOTICE})")
    return 0


def _none(bed: str, *, with_ended: bool) -> str:
    return f"no alert {'is known' if with_ended else 'goes on'}{f' of bed {bed}' if bed else ''}"


def _unknown(alert_id: str) -> ConfigurationError:
    return ConfigurationError(f"there is no alert {alert_id}: see `neopain alerts list`, with --all for ended ones")


def _known(alert: Alert, policies: SitePolicies) -> Known:
    now, until = SystemClock().now(), alert.standing.snoozed_until
    gap = policies.of(alert.bed).gap
    return Known(alert, alert.no_number_since(now, gap=gap), until if until is not None and until > now else None)


def _as_line(known: Known) -> str:
    alert, state = known.alert, known.standing
    parts = (
        alert.id,
        state.level.value if state.ended is None else f"ended ({state.end_reason})",
        alert.bed,
        f"since {_said(alert.opened)}" + (f" to {_said(state.ended)}" if state.ended else ""),
        "sustained" if state.is_sustained else "",
        _number(alert.newest),
        f"no number since {_said(known.no_number_since)}" if known.no_number_since else "",
        _answered(known),
    )
    return "  ".join(filter(None, parts))


def _answered(known: Known) -> str:
    alert, state = known.alert, known.standing
    noticed = alert.last(AlertEventKind.ACKNOWLEDGED)
    escalated = f", escalated {state.escalations} times" if state.escalations else ""
    if known.snoozed_until is not None:
        return f"snoozed until {_said(known.snoozed_until)}{escalated}"
    if noticed is not None and not state.wants_answer:
        return f"acknowledged by {noticed.by} at {_said(noticed.moment)}"
    return "" if state.ended is not None else f"not acknowledged{escalated}"


def _as_page(known: Known) -> Iterator[str]:
    alert, state = known.alert, known.standing
    yield f"alert       {alert.id} ({NOTICE})"
    yield f"bed         {alert.bed}"
    yield f"infant      {_infant(alert)}"
    yield f"status      {'goes on' if state.ended is None else f'ended at {_said(state.ended)}: {state.end_reason}'}"
    yield f"level       {state.level.value}, highest {state.highest.value}{', sustained' if state.is_sustained else ''}"
    yield f"opened      {_said(alert.opened)}"
    yield f"number      {_number(alert.newest) or '-'}"
    if known.no_number_since is not None:
        yield f"no number   since {_said(known.no_number_since)}"
    yield f"answer      {_answered(known) or 'none'}"
    yield f"policy      {alert.policy}"
    yield f"model       {alert.model}, weights {alert.weights.value}"
    for event in alert.events:
        yield f"  {_event(event)}"


def _event(event: AlertEvent) -> str:
    parts = (
        _said(event.moment),
        f"{event.kind.value}{f' ({event.escalation})' if event.escalation else ''}",
        event.reason or event.level.value,
        _number(event.seen),
        f"by {event.by}" if event.by else "",
        f"until {_said(event.until)}" if event.until else "",
        event.note,
    )
    return "  ".join(filter(None, parts))


def _listed(known: Known) -> dict[str, object]:
    alert, state = known.alert, known.standing
    noticed = alert.last(AlertEventKind.ACKNOWLEDGED)
    return {
        "alert": alert.id,
        "notice": NOTICE,
        "bed": alert.bed,
        "is_open": state.ended is None,
        "level": state.level.value,
        "highest": state.highest.value,
        "opened": _said(alert.opened),
        "is_sustained": state.is_sustained,
        **_reading(alert.newest),
        "no_number_since": _said(known.no_number_since),
        "wants_answer": state.wants_answer,
        "acknowledged_by": noticed.by if noticed is not None else "",
        "acknowledged": _said(noticed.moment) if noticed is not None else "",
        "snoozed_until": _said(known.snoozed_until),
        "escalations": state.escalations,
        "ended": _said(state.ended),
        "end_reason": state.end_reason,
    }


def _shown(known: Known) -> dict[str, object]:
    alert = known.alert
    return _listed(known) | {
        "infant": _infant(alert),
        "visit": alert.visit,
        "policy": alert.policy,
        "model": alert.model,
        "weights": alert.weights.value,
        "processing": alert.processing.value,
        "events": [
            {
                "kind": event.kind.value,
                "moment": _said(event.moment),
                "level": event.level.value,
                **_reading(event.seen),
                "by": event.by,
                "note": event.note,
                "until": _said(event.until),
                "escalation": event.escalation,
                "reason": event.reason,
            }
            for event in alert.events
        ],
    }


def _reading(reading: Reading | None) -> dict[str, object]:
    return {
        "value": reading.value if reading is not None else None,
        "value_at": _said(reading.at) if reading is not None else "",
    }


def _infant(alert: Alert) -> str:
    return "|".join(filter(None, (alert.patient.value, alert.patient.assigning_authority)))


def _number(reading: Reading | None) -> str:
    return f"{reading.value:.1f} at {_said(reading.at)}" if reading is not None else ""


def _said(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment is not None else ""
