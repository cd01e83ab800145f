"""The charting policy, shown and checked (``neopain policy``), and an entry on request (``neopain beds chart``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from pydantic_core import to_jsonable_python

from neopain.charting.database import connect
from neopain.charting.desk import at_desk
from neopain.charting.intake import Intake
from neopain.charting.policy_file import read_policy
from neopain.charting.procedures import Documented, document
from neopain.charting.requests import Asked, chart_on_request
from neopain.charting.settings import ChartingSettings
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import BedId
from neopain.domain.policy import DEFAULT_POLICY, ChartingPolicy, SitePolicies
from neopain.domain.procedure import Procedure
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.study import Reveal
from neopain.domain.threshold import Threshold
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings

REVEALED = {Reveal.AFTER_SCORE: "one has scored", Reveal.AFTER_STUDY: "the study is over"}


def show_policy(*, file: Path | None, bed: str, as_json: bool) -> int:
    """Prints the policies of the settings, or of a file; ``ConfigurationError`` when they cannot be in force."""
    policies = read_policy(file, DEFAULT_POLICY) if file else read_settings(ChartingSettings).charting_policies()
    for where, policy in _chosen(policies, bed):
        if as_json:
            print(json.dumps({"where": where, **to_jsonable_python(asdict(policy))}))
        else:
            print("\n".join(_lines(where, policy)))
    return 0


def chart_bed(bed: str, *, by: str) -> int:
    """Asks for an entry of a bed now and prints what came of it; 1 when it was refused."""
    settings = read_settings(ChartingSettings)
    engine = connect(settings.database_url, connections=1)
    intake = Intake(engine, settings.charting_policies(), SystemClock(), takes_test_input=settings.ehr_is_embedded)
    try:
        answer = chart_on_request(intake, Asked(BedId(bed), by))
    finally:
        engine.dispose()
    if answer.refusal:
        print(f"not charted: {answer.refusal}")
        return 1
    print("held: see `neopain beds`" if answer.written.held else "charted: on its way to the EHR")
    return 0


def document_procedure(procedure: Procedure, *, by: str) -> int:
    """Notes a procedure of a bed and prints when its entry is due; 1 when it was refused."""
    settings = read_settings(ChartingSettings)
    policy, clock = settings.charting_policies().of(procedure.bed), SystemClock()
    with at_desk(settings.database_url) as engine, unit_of_work(engine, clock) as unit:
        answer = document(unit, Documented(procedure, by), policy, now=clock.now())
    if answer.refusal:
        print(f"not charted: {answer.refusal}")
        return 1
    due = procedure.end + policy.procedure.after + policy.lateness
    print(f"{'documented' if answer.is_new else 'documented already'}: its entry is due at {due:%H:%M:%S}Z")
    return 0


def _chosen(policies: SitePolicies, bed: str) -> Iterator[tuple[str, ChartingPolicy]]:
    if bed:
        yield f"bed {bed}", policies.of(BedId(bed))
        return
    yield "site", policies.site
    for unit, policy in policies.units.items():
        yield f"unit {unit.name}" + (f" at {unit.facility}" if unit.facility else ""), policy


def _lines(where: str, policy: ChartingPolicy) -> Iterator[str]:
    limit = policy.withholding.sedation_at_most
    yield f"{where}: policy {policy.name}"
    yield f"  summary         every {_said(policy.interval)}, written {_said(policy.lateness)} after its end"
    yield f"  episode         from {_score(policy.threshold)}, held for {_said(policy.hold)}"
    yield f"  episode's end   {policy.hysteresis:.1f} below that, held for {_said(policy.hold)}"
    yield f"  without number  {_said(policy.gap)} end what was held so far, {_said(policy.forget)} an episode"
    yield f"  on request      the last {_said(policy.requested)}"
    before, after = policy.procedure.before, policy.procedure.after
    yield f"  procedure       {_said(before)} before its begin, until {_said(after)} after its end"
    yield f"  distance        {_said(policy.distance) if policy.distance else 'none'} between two entries of a bed"
    yield f"  charted late    more than {_said(policy.late_after)} after its end"
    yield (
        "  withheld        under neuromuscular block"
        + (", under a sedative that was given" if policy.withholding.sedatives else "")
        + (f", with the sedation axis at {limit:.1f} or below" if limit is not None else "")
    )
    if policy.study.enabled:
        yield f"  study mode      no EHR gets a number, no nurse one, a pair before {REVEALED[policy.study.reveal]}"
    yield from _alert_lines(policy.alert)


def _alert_lines(alert: AlertPolicy) -> Iterator[str]:
    if not alert.enabled:
        yield "  alerts          none"
        return
    for level, rule in alert.levels.items():
        yield f"  alert {level.value:10}from {_score(rule.threshold)}, held for {_said(rule.hold)}"
    yield f"  alert's end     {alert.hysteresis:.1f} below mild; the next one {_said(alert.distance)} later, or higher"
    yield f"  sustained       after {_said(alert.sustained)}"
    yield f"  escalated       {alert.most_escalations} times, each after {_said(alert.escalate_after)} unanswered"
    yield f"  snoozed         for at most {_said(alert.longest_snooze)}"


def _score(threshold: Threshold) -> str:
    by_band = "".join(f"; {band} weeks {_both(value)}" for band, value in threshold.by_band.items())
    return f"{_both(threshold.usual)}{by_band}"


def _both(value: float) -> str:
    return f"{value:.1f} (NIPS {NIPS_X10_7.to_raw(value):.1f})"


def _said(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds / 60:g} min" if seconds >= 60 and not seconds % 30 else f"{seconds:g} s"
