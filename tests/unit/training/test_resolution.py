"""Labels from several raters: mean, median, or none."""

from __future__ import annotations

import pytest

from neopain.domain.annotation import Rating, Scale, Segment, Subject
from neopain.errors import ConfigurationError
from neopain.training.rating_sheet import read_sheet, write_sheet
from neopain.training.resolution import Resolution, disagreements, resolve

KEY = ("inf-1", "s1", "seg-1")
HEADER = "subject_id,session_id,segment_id,scale,rater_id,score"


def segment(name: str, *ratings: Rating) -> Segment:
    return Segment(Subject("inf-1", "north"), "s1", name, 2.5, 12.5, {}, ratings)


def nips(rater: str, score: float, **items: float) -> Rating:
    return Rating(Scale.NIPS, rater, score, items)


def scored(name: str, *scores: float) -> Segment:
    return segment(name, *(nips(f"r{number}", score) for number, score in enumerate(scores, start=1)))


def resolved(*segments: Segment, third: dict[tuple[str, str, str], Rating] | None = None) -> Resolution:
    return resolve(segments, Scale.NIPS, threshold=1.0, third=third)


def label(resolution: Resolution) -> float:
    return resolution.resolved[0].segment.scores(Scale.NIPS)["resolved"]


@pytest.mark.parametrize(
    ("scores", "expected", "by_median"),
    [((3, 3), 3.0, False), ((3, 4), 3.5, False), ((2, 3, 3), pytest.approx(8 / 3), False), ((1, 3, 6), 3.0, True)],
)
def test_scores_within_the_threshold_give_their_mean_and_three_apart_their_median(
    scores: tuple[float, ...], expected: float, by_median: bool
) -> None:
    resolution = resolved(scored("seg-1", *scores))
    assert (label(resolution), resolution.resolved[0].by_median) == (expected, by_median)


def test_two_scores_apart_give_no_label() -> None:
    resolution = resolved(scored("seg-1", 2, 5))
    assert (resolution.resolved, resolution.kept) == ((), ())
    assert resolution.unresolved[0].reason == "two raters differ by more than 1, no third rater"


def test_a_third_score_gives_the_median_of_three() -> None:
    resolution = resolved(scored("seg-1", 2, 5), third={KEY: nips("cora", 4)})
    assert (label(resolution), resolution.resolved[0].stands_alone) == (4.0, False)


def test_a_median_that_nobody_supports_is_marked() -> None:
    assert resolved(scored("seg-1", 0, 7), third={KEY: nips("cora", 3)}).resolved[0].stands_alone


def test_a_third_score_where_two_agree_changes_nothing() -> None:
    resolution = resolved(scored("seg-1", 2, 3), third={KEY: nips("cora", 7)})
    assert (label(resolution), resolution.third_not_needed) == (2.5, (KEY,))


def test_one_rater_alone_gives_no_label() -> None:
    assert resolved(scored("seg-1", 4)).unresolved[0].reason == "one rater only"


def test_one_rater_and_the_third_who_agrees_give_their_mean() -> None:
    assert label(resolved(scored("seg-1", 4), third={KEY: nips("cora", 5)})) == 4.5


def test_the_label_replaces_the_scores_of_its_scale_and_no_others() -> None:
    sedation = Rating(Scale.NPASS_SEDATION, "r1", -3.0)
    kept = resolved(segment("seg-1", nips("r1", 2), sedation, nips("r2", 2))).kept[0]
    assert kept.ratings == (nips("resolved", 2.0), sedation)


def test_items_are_the_mean_of_those_behind_the_label() -> None:
    kept = resolved(segment("seg-1", nips("r1", 2, face=1, cry=1), nips("r2", 3, face=1, cry=2))).kept[0]
    assert kept.ratings[0].items == {"face": 1.0, "cry": 1.5}


def test_items_behind_a_median_are_those_of_the_rater_who_gave_it() -> None:
    ratings = (nips("r1", 0, face=0, cry=0), nips("r2", 3, face=1, cry=2), nips("r3", 7, face=1, cry=2))
    assert resolved(segment("seg-1", *ratings)).kept[0].ratings[0].items == {"face": 1.0, "cry": 2.0}


def test_items_that_not_everybody_noted_are_left_out() -> None:
    kept = resolved(segment("seg-1", nips("r1", 2, face=1), nips("r2", 2))).kept[0]
    assert kept.ratings[0].items == {}


def test_segments_without_a_rating_are_kept_in_their_place() -> None:
    empty = segment("seg-2")
    resolution = resolved(scored("seg-1", 1, 1), empty, scored("seg-3", 0, 7), scored("seg-4", 2, 2))
    assert [kept.id for kept in resolution.kept] == ["seg-1", "seg-2", "seg-4"]
    assert resolution.unrated == (empty,)


@pytest.mark.parametrize(
    ("third", "words"),
    [
        ({("inf-9", "s1", "seg-1"): nips("cora", 3)}, "inf-9 / s1 / seg-1, which is not in the manifest"),
        ({KEY: nips("r1", 3)}, "'r1' cannot be the third rater"),
        ({KEY: nips("resolved", 3)}, "'resolved' cannot be the third rater"),
    ],
)
def test_a_third_rating_that_cannot_be_one_is_refused(third: dict[tuple[str, str, str], Rating], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        resolved(scored("seg-1", 0, 7), third=third)


def test_disagreements_are_listed_furthest_first_and_not_at_the_threshold() -> None:
    segments = [scored("seg-1", 2, 3), scored("seg-2", 2, 4), scored("seg-3", 0, 7), scored("seg-4", 5)]
    assert [one.id for one in disagreements(segments, Scale.NIPS, threshold=1.0)] == ["seg-3", "seg-2"]


def test_a_sheet_hides_what_the_others_gave() -> None:
    sheet = write_sheet([scored("seg-1", 2, 5)], Scale.NIPS)
    assert sheet == (
        "subject_id,session_id,segment_id,start_s,end_s,scale,rater_id,score\ninf-1,s1,seg-1,2.5,12.5,NIPS,,\n"
    )


def test_a_filled_sheet_is_read_and_an_empty_score_is_none() -> None:
    sheet = write_sheet([scored("seg-1", 2, 5), scored("seg-2", 2, 5)], Scale.NIPS)
    assert read_sheet(sheet.replace("seg-1,2.5,12.5,NIPS,,", "seg-1,2.5,12.5,NIPS,cora,4"), Scale.NIPS) == {
        KEY: nips("cora", 4.0)
    }


def test_a_sheet_without_times_is_read_and_other_scales_do_not_count() -> None:
    sheet = f"{HEADER}\ninf-1,s1,seg-1,NIPS,cora,4\ninf-1,s1,seg-1,N-PASS sedation,cora,-4\n"
    assert read_sheet(sheet, Scale.NIPS) == {KEY: nips("cora", 4.0)}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("inf-1,s1,seg-1,NIPS,cora,8", "line 2, column score: '8': expected 0 to 7 on NIPS"),
        ("inf-1,s1,seg-1,NIPS,cora,high", "column score"),
        ("inf-1,s1,seg-1,NIPS,,4", "column rater_id: '': must not be empty"),
        ("inf-1,s1,seg-1,PIPP,cora,4", "column scale: 'PIPP'"),
        ("inf-1,s1,seg-1,NIPS,cora,4\ninf-1,s1,seg-1,NIPS,dora,4", "line 3, column segment_id: 'seg-1'"),
    ],
)
def test_a_wrong_row_is_named_with_its_line_and_column(row: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_sheet(f"{HEADER}\n{row}\n", Scale.NIPS)


def test_a_sheet_without_a_score_column_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="missing: 'score'"):
        read_sheet("subject_id,session_id,segment_id,scale,rater_id\n", Scale.NIPS)
