"""When an episode begins and ends, against a slow reference that looks at everything anew after each score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.charting import Course, fold
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.domain.span import EntryKind, Span
from neopain.domain.threshold import Threshold
from neopain.domain.withholding import Withholding

BED = BedId("NICU/1/A")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = ChartingPolicy(
    interval=timedelta(hours=1),
    threshold=Threshold(5.0, {"<28": 4.0}),
    hysteresis=1.0,
    hold=timedelta(seconds=3),
    gap=timedelta(seconds=4),
    forget=timedelta(seconds=9),
)


@dataclass(frozen=True)
class Step:
    """One window: seconds after the one before, its number if it has one, and the infant's band."""

    after: int
    value: float | None
    band: str = "unknown"
    occupant: str = "A"


steps = st.lists(
    st.builds(
        Step,
        after=st.sampled_from([1, 1, 1, 2, 4, 5, 9, 10]),
        value=st.sampled_from([None, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0]),
        band=st.sampled_from(["unknown", "<28"]),
        occupant=st.sampled_from(["A", "A", "A", "A", "B"]),
    ),
    max_size=40,
)


def score_at(second: int, value: float | None, **more: object) -> Score:
    estimate = None if value is None else Estimate(value, value, value)
    outcome = Outcome.ABSTAINED if value is None else Outcome.SCORED
    moment = NOON + timedelta(seconds=second)
    return Score(BED, moment, outcome, ModelVersion("m", Weights.SITE), (), moment, estimate, **more)  # type: ignore[arg-type]


def folded(listed: list[Step]) -> list[tuple[EntryKind, int]]:
    course, second, found = Course(BED), 0, []
    for step in listed:
        second += step.after
        score = score_at(second, step.value)
        done = fold(course, score, POLICY, occupant=step.occupant, band=step.band)
        course = done.course
        found += [(span.kind, second) for span in done.spans]
    return found


def by_reference(listed: list[Step]) -> list[tuple[EntryKind, int]]:
    """Goes back from each number over the ones before it for as long as they lie across without a gap."""
    found: list[tuple[EntryKind, int]] = []
    numbers: list[tuple[int, float, str]] = []
    in_episode, since, second, occupant = False, 0, 0, ""
    for step in listed:
        second += step.after
        if step.occupant != occupant:
            occupant, numbers, in_episode, since = step.occupant, [], False, 0
        if step.value is None:
            continue
        if numbers and second - numbers[-1][0] > 9:
            in_episode, numbers = False, []
        numbers.append((second, step.value, step.band))
        run = []
        for moment, value, band in reversed(numbers):
            threshold = 4.0 if band == "<28" else 5.0
            is_across = value < threshold - 1.0 if in_episode else value >= threshold
            if not is_across or moment <= since or (run and run[-1] - moment > 4):
                break
            run.append(moment)
        if run and second - run[-1] >= 3:
            found.append((EntryKind.EPISODE_END if in_episode else EntryKind.EPISODE_ONSET, second))
            in_episode, since = not in_episode, second
    return found


@given(steps)
def test_episodes_are_those_of_the_reference(listed: list[Step]) -> None:
    assert folded(listed) == by_reference(listed)


def test_the_threshold_is_that_of_the_infants_band() -> None:
    listed = [Step(1, 4.5, band) for band in ["unknown"] * 5 + ["<28"] * 4]

    assert folded(listed) == [(EntryKind.EPISODE_ONSET, 9)]


def numbers(*scores: Score, policy: ChartingPolicy) -> list[Span]:
    course, spans = Course(BED), []
    for score in scores:
        done = fold(course, score, policy)
        course, spans = done.course, [*spans, *done.spans]
    return spans


def test_what_is_withheld_begins_no_episode() -> None:
    midazolam = DrugMark("sedative", "midazolam", "administered", NOON)
    scores = [score_at(second, 8.0, drugs=(midazolam,)) for second in range(1, 9)]

    strict = replace(POLICY, withholding=Withholding(sedatives=True))

    assert numbers(*scores, policy=strict) == []
    assert [span.kind for span in numbers(*scores, policy=POLICY)] == [EntryKind.EPISODE_ONSET]


def test_a_deeply_sedated_window_begins_no_episode() -> None:
    deep = [replace(score_at(s, 8.0), estimate=Estimate(8, 7, 9, sedation=-6)) for s in range(1, 9)]

    assert numbers(*deep, policy=POLICY) == []
