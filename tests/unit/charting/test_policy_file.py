"""The site's policy file: what it may say, and what is refused in one line that names the key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from neopain.charting.policy_file import parse_policy, read_policy
from neopain.domain.alert import AlertLevel
from neopain.domain.alert_policy import LevelRule
from neopain.domain.identity import BedId, Unit
from neopain.domain.policy import DEFAULT_POLICY, SitePolicies
from neopain.domain.study import Reveal, Study
from neopain.domain.threshold import Threshold
from neopain.domain.withholding import Withholding
from neopain.errors import ConfigurationError

FULL = """
name = "east-2026-12"

[site]
interval_minutes = 30
lateness_seconds = 30
least_distance_minutes = 10
late_after_minutes = 60
requested_seconds = 90

[site.episode]
threshold = 4.3
threshold_by_age = { "<28" = 3.5, "28-31" = 4.0 }
hysteresis = 1
hold_seconds = 20
gap_seconds = 10
forget_minutes = 10

[site.withhold]
sedatives = true
sedation_at_most = -6.5

[site.alert]
enabled = true
hysteresis = 1
least_distance_minutes = 8
sustained_minutes = 20
escalate_after_minutes = 3
most_escalations = 1
longest_snooze_minutes = 15
moderate.threshold = 5.5
severe = { threshold = 7.5, threshold_by_age = { "<28" = 6.5 }, hold_seconds = 10 }

[[unit]]
name = "STEPDOWN"
facility = "EAST"
interval_minutes = 60
withhold.sedatives = false
episode.threshold = 5.0
alert.severe.threshold = 8.0
"""


def parsed(text: str) -> SitePolicies:
    return parse_policy(text, DEFAULT_POLICY, file="policy.toml")


def refused(body: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        parsed(f'name = "p"\n{body}')
    return str(raised.value)


def test_everything_that_a_site_says_is_in_force() -> None:
    site = parsed(FULL).site

    assert site.name == "east-2026-12"
    assert (site.interval, site.lateness) == (timedelta(minutes=30), timedelta(seconds=30))
    assert (site.distance, site.late_after) == (timedelta(minutes=10), timedelta(minutes=60))
    assert (site.requested, site.hold, site.gap) == tuple(timedelta(seconds=s) for s in (90, 20, 10))
    assert (site.forget, site.hysteresis) == (timedelta(minutes=10), 1.0)
    assert site.threshold == Threshold(4.3, {"<28": 3.5, "28-31": 4.0})
    assert site.withholding == Withholding(sedatives=True, sedation_at_most=-6.5)


def test_everything_that_a_site_says_of_alerts_is_in_force() -> None:
    alert = parsed(FULL).site.alert

    assert (alert.enabled, alert.hysteresis, alert.most_escalations) == (True, 1.0, 1)
    assert (alert.distance, alert.sustained) == (timedelta(minutes=8), timedelta(minutes=20))
    assert (alert.escalate_after, alert.longest_snooze) == (timedelta(minutes=3), timedelta(minutes=15))
    assert alert.levels[AlertLevel.MILD] == DEFAULT_POLICY.alert.levels[AlertLevel.MILD]
    assert alert.levels[AlertLevel.MODERATE] == LevelRule(Threshold(5.5), timedelta(seconds=60))
    assert alert.levels[AlertLevel.SEVERE] == LevelRule(Threshold(7.5, {"<28": 6.5}), timedelta(seconds=10))


def test_a_unit_may_have_a_level_of_alert_of_its_own() -> None:
    alert = parsed(FULL).units[Unit("STEPDOWN", "EAST")].alert

    assert alert.levels[AlertLevel.SEVERE] == LevelRule(Threshold(8.0), timedelta(seconds=10))
    assert (alert.enabled, alert.sustained) == (True, timedelta(minutes=20))


def test_without_a_word_of_the_site_there_are_no_alerts() -> None:
    assert parsed('name = "p"').site.alert.enabled is False


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[site.alert]\nenabeld = true", "key site.alert.enabeld: not known"),
        ("[site.alert]\nenabled = 1", "key site.alert.enabled: Input should be a valid boolean"),
        ("[site.alert.severe]\nthreshold = 11", "key site.alert.severe.threshold: Input should be less than"),
        ("[site.alert]\nmost_escalations = 1.5", "key site.alert.most_escalations: Input should be a valid integer"),
        ("[site.alert]\nlongest_snooze_minutes = 121", "key site.alert.longest_snooze_minutes: Input should be less"),
        ("[site.alert.mild]\nthreshold = 6", "site: the thresholds of alert.mild, moderate and severe are to rise"),
        ("[site.alert.severe]\nthreshold_by_age = { '<28' = 4.9 }", "are to rise, also for <28 weeks"),
        ("[site.alert.severe]\nhold_seconds = 61", "a higher level of alert is to be held for no longer"),
        ("[site.alert]\nhysteresis = 4", "no alert could end"),
    ],
)
def test_what_no_site_can_mean_of_alerts_is_refused(body: str, words: str) -> None:
    assert words in refused(body)


def test_a_unit_has_what_it_says_and_the_rest_as_the_site() -> None:
    unit = parsed(FULL).units[Unit("STEPDOWN", "EAST")]

    assert unit.name == "east-2026-12/STEPDOWN@EAST"
    assert (unit.interval, unit.distance) == (timedelta(minutes=60), timedelta(minutes=10))
    assert unit.withholding == Withholding(sedatives=False, sedation_at_most=-6.5)


def test_a_units_own_threshold_leaves_the_sites_thresholds_by_age_behind() -> None:
    assert parsed(FULL).units[Unit("STEPDOWN", "EAST")].threshold == Threshold(5.0)


def test_what_the_file_leaves_out_is_built_in() -> None:
    site = parsed('name = "p"').site

    assert (site.interval, site.threshold) == (DEFAULT_POLICY.interval, DEFAULT_POLICY.threshold)


def test_the_sedation_axis_can_be_told_never_to_withhold() -> None:
    site = parsed('name = "p"\n[site.withhold]\nsedation_at_most = "never"').site

    assert site.withholding.sedation_at_most is None


def test_what_the_distance_puts_off_is_not_late_unless_the_site_says_so() -> None:
    site = parsed('name = "p"\n[site]\ninterval_minutes = 60\nleast_distance_minutes = 30').site

    assert site.late_after == timedelta(minutes=60, seconds=20)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[site]\ninterval_minuts = 3", "key site.interval_minuts: not known"),
        ("[sites]\n", "key sites: not known"),
        ("[site.episode]\ntreshold = 3", "key site.episode.treshold: not known"),
        ("[[unit]]\nname = 'A'\n[[unit]]\nname = 'B'\nbeds = 3", "key unit.2.beds: not known"),
        ("[site]\ninterval_minutes = '3'", "key site.interval_minutes: Input should be a valid number"),
        ("[site]\ninterval_minutes = true", "key site.interval_minutes: Input should be a valid number"),
        ("[site]\ninterval_minutes = nan", "key site.interval_minutes: Input should be a finite number"),
        ("[site]\ninterval_minutes = 0", "key site.interval_minutes: Input should be greater than 0"),
        ("[site.episode]\nthreshold = 11", "key site.episode.threshold: Input should be less than or equal to 10"),
        (
            "[site.episode]\nthreshold_by_age = { '<20' = 3.0 }",
            "key site.episode.threshold_by_age.<20: the bands of gestational age at birth are <28, 28-31, 32-36, >=37,"
            " unknown",
        ),
        (
            "[site.withhold]\nsedation_at_most = 5",
            "key site.withhold.sedation_at_most: Input should be a number of the sedation axis from -10 to below 0, or"
            ' "never"',
        ),
        ("[[unit]]\nname = 'A/B'", "key unit.1.name: String should match pattern '^[^/@\\s][^/@]{0,99}$'"),
        ("[[unit]]\nname = 'A'\n[[unit]]\nname = 'A'", "unit A is there twice"),
        ("[site]\nleast_distance_minutes = 8", "site: the least distance is to be at most half the interval"),
        (
            "[[unit]]\nname = 'A'\nleast_distance_minutes = 8",
            "unit A: the least distance is to be at most half the interval",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_its_key(body: str, told: str) -> None:
    assert refused(body) == f"policy.toml: {told}"


def test_a_fault_of_the_site_is_not_told_again_for_each_unit() -> None:
    assert refused("[site]\nleast_distance_minutes = 8\n[[unit]]\nname = 'A'").count("half the interval") == 1


def test_a_policy_has_a_name_that_can_be_told_on_entries() -> None:
    with pytest.raises(ConfigurationError, match="key name: Field required"):
        parsed("[site]\ninterval_minutes = 30")


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    assert "line 2" in refused("interval 3")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as UTF-8"):
        read_policy(tmp_path / "none.toml", DEFAULT_POLICY)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(FULL, encoding="utf-8")

    assert read_policy(path, DEFAULT_POLICY).of(BedId("STEPDOWN/1/1@EAST")).interval == timedelta(hours=1)


def policies(body: str) -> SitePolicies:
    return parse_policy(f'name = "n"\n{body}', DEFAULT_POLICY, file="policy.toml")


def test_a_unit_in_study_mode_has_no_alerts_of_the_site() -> None:
    found = policies("""
        [site.alert]
        enabled = true
        [[unit]]
        name = "NICU"
        study = { enabled = true, reveal = "after-study" }
        [[unit]]
        name = "PICU"
        """)
    nicu, picu = (found.of(BedId(f"{unit}/1/A@EAST")) for unit in ("NICU", "PICU"))

    assert (nicu.study, nicu.alert.enabled) == (Study(True, Reveal.AFTER_STUDY), False)
    assert (picu.study, picu.alert.enabled) == (Study(), True)
    assert (found.has_study, policies("").has_study) == (True, False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("study.enabled = true\nalert.enabled = true", "there are no alerts in study mode"),
        ('study.enabled = true\nstudy.reveal = "now"', "'after-score' or 'after-study'"),
        ('study.enabled = "yes"', "unit.1.study.enabled"),
        ("study.hidden = true", "study.hidden"),
    ],
)
def test_what_no_site_can_mean_of_study_mode_is_refused(body: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        policies(f'[[unit]]\nname = "NICU"\n{body}')
