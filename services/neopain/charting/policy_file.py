"""The site's charting policy as a TOML file: what holds for the site, and what single units have otherwise.

What the file leaves out is as in the built-in policy; what a unit leaves out is as the file says for the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from neopain.charting.site_file import parse, read_text
from neopain.domain.alert import AlertLevel
from neopain.domain.alert_policy import AlertPolicy, LevelRule
from neopain.domain.gestation import GA_BAND_NAMES
from neopain.domain.identity import Unit
from neopain.domain.policy import ChartingPolicy, SitePolicies, inconsistencies
from neopain.domain.procedure import ProcedureRule
from neopain.domain.score import SCALE_MAX
from neopain.domain.study import Reveal, Study
from neopain.domain.threshold import Threshold
from neopain.domain.withholding import Withholding
from neopain.errors import ConfigurationError

NEVER = "never"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
Score = Annotated[float, Field(gt=0, le=SCALE_MAX)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Minutes = Annotated[float, Field(gt=0, le=24 * 60)]


def _sedation(value: Any) -> Any:
    is_limit = isinstance(value, int | float) and not isinstance(value, bool) and -10 <= value < 0
    if not is_limit and value != NEVER:
        raise ValueError(f'Input should be a number of the sedation axis from -10 to below 0, or "{NEVER}"')
    return value


def _known_band(value: Any) -> Any:
    if value not in GA_BAND_NAMES:
        raise ValueError(f"the bands of gestational age at birth are {', '.join(GA_BAND_NAMES)}")
    return value


def _known_reveal(value: Any) -> Any:
    if value not in [one.value for one in Reveal]:
        raise ValueError(f"Input should be {' or '.join(repr(one.value) for one in Reveal)}")
    return value


Band = Annotated[str, BeforeValidator(_known_band)]
Sedation = Annotated[float | str, BeforeValidator(_sedation)]


class Table(BaseModel):
    """A table of the file: no key that is not known, and numbers that are written as numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class EpisodeTable(Table):
    """``[site.episode]``: when an episode of pain begins and ends."""

    threshold: Score | None = None
    threshold_by_age: dict[Band, Score] | None = None
    hysteresis: Annotated[float, Field(ge=0, lt=SCALE_MAX)] | None = None
    hold_seconds: Annotated[float, Field(ge=0, le=3600)] | None = None
    gap_seconds: Seconds | None = None
    forget_minutes: Minutes | None = None


class WithholdTable(Table):
    """``[site.withhold]``: what withholds a number beside a neuromuscular block."""

    sedatives: bool | None = None
    sedation_at_most: Sedation | None = None


class LevelTable(Table):
    """``[site.alert.severe]`` and its like: from which score on, held for how long."""

    threshold: Score | None = None
    threshold_by_age: dict[Band, Score] | None = None
    hold_seconds: Annotated[float, Field(ge=0, le=3600)] | None = None


class AlertTable(Table):
    """``[site.alert]``: when there are alerts, and what a person may do with them."""

    enabled: bool | None = None
    mild: LevelTable = LevelTable()
    moderate: LevelTable = LevelTable()
    severe: LevelTable = LevelTable()
    hysteresis: Annotated[float, Field(ge=0, lt=SCALE_MAX)] | None = None
    least_distance_minutes: Annotated[float, Field(ge=0, le=24 * 60)] | None = None
    sustained_minutes: Minutes | None = None
    escalate_after_minutes: Minutes | None = None
    most_escalations: Annotated[int, Field(ge=0, le=20)] | None = None
    longest_snooze_minutes: Annotated[float, Field(gt=0, le=120)] | None = None


class ProcedureTable(Table):
    """``[site.procedure]``: which minutes around a documented procedure its entry looks at."""

    before_minutes: Annotated[float, Field(gt=0, le=30)] | None = None
    after_minutes: Annotated[float, Field(gt=0, le=30)] | None = None


class StudyTable(Table):
    """``[site.study]``: whether suggestions are kept from nurses until they have scored themselves."""

    enabled: bool | None = None
    reveal: Annotated[str, BeforeValidator(_known_reveal)] | None = None


class PolicyTable(Table):
    """``[site]``, and what a ``[[unit]]`` may have otherwise."""

    interval_minutes: Minutes | None = None
    lateness_seconds: Seconds | None = None
    least_distance_minutes: Annotated[float, Field(ge=0, le=60)] | None = None
    late_after_minutes: Minutes | None = None
    requested_seconds: Seconds | None = None
    episode: EpisodeTable = EpisodeTable()
    withhold: WithholdTable = WithholdTable()
    alert: AlertTable = AlertTable()
    study: StudyTable = StudyTable()
    procedure: ProcedureTable = ProcedureTable()


class UnitTable(PolicyTable):
    """``[[unit]]``: a unit by PV1-3.1 and, if wanted, PV1-3.4."""

    name: Annotated[str, Field(pattern=r"^[^/@\s][^/@]{0,99}$")]
    facility: Annotated[str, Field(pattern=r"^[^@]{0,100}$")] = ""


class PolicyFile(Table):
    """The whole file. ``name`` is told on every entry, so that a reader knows by which rules it came about."""

    name: Name
    site: PolicyTable = PolicyTable()
    unit: list[UnitTable] = []


def read_policy(path: Path, base: ChartingPolicy) -> SitePolicies:
    """The policies of a file, on top of a built-in one; ``ConfigurationError`` names the file, the key and the rule."""
    text = read_text(path, what="charting policy")
    return parse_policy(text, base, file=str(path))


def parse_policy(text: str, base: ChartingPolicy, *, file: str) -> SitePolicies:
    """The policies of a file's text. Raises ``ConfigurationError``; ``file`` is its name there."""
    read = parse(text, PolicyFile, file=file)
    site = replace(_with_table(base, read.site), name=read.name)
    units: dict[Unit, ChartingPolicy] = {}
    for table in read.unit:
        unit = Unit(table.name, table.facility)
        if unit in units:
            raise ConfigurationError(f"{file}: unit {_named(unit)} is there twice")
        units[unit] = replace(_with_table(site, table), name=f"{read.name}/{_named(unit)}")
    _require_consistent(site, units, file)
    return SitePolicies(site, units)


def _named(unit: Unit) -> str:
    return f"{unit.name}@{unit.facility}" if unit.facility else unit.name


def _require_consistent(site: ChartingPolicy, units: Mapping[Unit, ChartingPolicy], file: str) -> None:
    inherited = list(inconsistencies(site))
    faults = [f"site: {fault}" for fault in inherited]
    for unit, policy in units.items():
        faults += [f"unit {_named(unit)}: {fault}" for fault in inconsistencies(policy) if fault not in inherited]
    if faults:
        raise ConfigurationError(f"{file}: {'; '.join(faults)}")


def _with_table(policy: ChartingPolicy, table: PolicyTable) -> ChartingPolicy:
    episode, withhold = table.episode, table.withhold
    study = _study(policy.study, table.study)
    # An alert would tell the number; only one that is asked for beside study mode is a contradiction.
    alert = replace(policy.alert, enabled=False) if study.enabled else policy.alert
    lateness = _span(policy.lateness, seconds=table.lateness_seconds)
    distance = _span(policy.distance, minutes=table.least_distance_minutes)
    return replace(
        policy,
        interval=_span(policy.interval, minutes=table.interval_minutes),
        lateness=lateness,
        distance=distance,
        # What the site's own rules put off is not late, unless the site says so.
        late_after=_span(max(policy.late_after, lateness + 2 * distance), minutes=table.late_after_minutes),
        requested=_span(policy.requested, seconds=table.requested_seconds),
        threshold=_threshold(policy.threshold, episode.threshold, episode.threshold_by_age),
        hysteresis=policy.hysteresis if episode.hysteresis is None else episode.hysteresis,
        hold=_span(policy.hold, seconds=episode.hold_seconds),
        gap=_span(policy.gap, seconds=episode.gap_seconds),
        forget=_span(policy.forget, minutes=episode.forget_minutes),
        withholding=_withholding(policy.withholding, withhold),
        alert=_alert(alert, table.alert),
        study=study,
        procedure=ProcedureRule(
            before=_span(policy.procedure.before, minutes=table.procedure.before_minutes),
            after=_span(policy.procedure.after, minutes=table.procedure.after_minutes),
        ),
    )


def _span(usual: timedelta, *, minutes: float | None = None, seconds: float | None = None) -> timedelta:
    if minutes is None and seconds is None:
        return usual
    return timedelta(minutes=minutes or 0, seconds=seconds or 0)


def _threshold(before: Threshold, usual: float | None, by_age: Mapping[str, float] | None) -> Threshold:
    """A new usual threshold takes those by age with it: they were meant beside the old one."""
    if usual is None:
        return before if by_age is None else Threshold(before.usual, dict(by_age))
    return Threshold(usual, dict(by_age or {}))


def _withholding(before: Withholding, table: WithholdTable) -> Withholding:
    limit = before.sedation_at_most
    if isinstance(table.sedation_at_most, str):
        limit = None
    elif table.sedation_at_most is not None:
        limit = table.sedation_at_most
    return Withholding(before.sedatives if table.sedatives is None else table.sedatives, limit)


def _study(before: Study, table: StudyTable) -> Study:
    return Study(
        enabled=before.enabled if table.enabled is None else table.enabled,
        reveal=before.reveal if table.reveal is None else Reveal(table.reveal),
    )


def _alert(before: AlertPolicy, table: AlertTable) -> AlertPolicy:
    tables = {AlertLevel.MILD: table.mild, AlertLevel.MODERATE: table.moderate, AlertLevel.SEVERE: table.severe}
    levels = {level: _level(before.levels[level], said) for level, said in tables.items()}
    return AlertPolicy(
        enabled=before.enabled if table.enabled is None else table.enabled,
        levels=levels,
        hysteresis=before.hysteresis if table.hysteresis is None else table.hysteresis,
        distance=_span(before.distance, minutes=table.least_distance_minutes),
        sustained=_span(before.sustained, minutes=table.sustained_minutes),
        escalate_after=_span(before.escalate_after, minutes=table.escalate_after_minutes),
        most_escalations=before.most_escalations if table.most_escalations is None else table.most_escalations,
        longest_snooze=_span(before.longest_snooze, minutes=table.longest_snooze_minutes),
    )


def _level(before: LevelRule, table: LevelTable) -> LevelRule:
    threshold = _threshold(before.threshold, table.threshold, table.threshold_by_age)
    return LevelRule(threshold, _span(before.hold, seconds=table.hold_seconds))
