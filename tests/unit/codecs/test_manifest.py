"""The manifest: what is written is read back, and what is doubtful is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.manifest import ITEM_RANGES, read_manifest, write_manifest
from neopain.domain.annotation import SCALE_RANGES, Availability, Rating, Recorded, Scale, Segment, Subject
from neopain.errors import ConfigurationError

HEADER = (
    "subject_id,site,sex,skin_tone,ga_days,age_days,weight_g,illness,session_id,segment_id,start_s,end_s,"
    "video,video_reason,audio,audio_reason,vitals,vitals_reason,face_box,has_infant,procedure,sedation,"
    "respiratory_support,scale,rater_id,score,items,codes,licence"
)
FIRST = (
    "inf-1,north,female,light,196,12,1180,rds,s1,seg-1,20,30.5,seg-1.mp4,,,no-microphone,s1.csv,,"
    "40 30 200 220,yes,heel lance,none,cpap,NIPS,r1,5,face=1;cry=2,brow_bulge=0.75,CC0-1.0"
)
SECOND = FIRST.replace("NIPS,r1,5,face=1;cry=2", "N-PASS sedation,r2,-2.5,")
UNRATED = FIRST.replace("NIPS,r1,5,face=1;cry=2", ",,,")


def manifest(*rows: str) -> str:
    return "\n".join((HEADER, *rows, ""))


def test_two_rows_of_one_segment_are_two_ratings() -> None:
    expected = Segment(
        subject=Subject("inf-1", "north", 196, 12, "female", "light", 1180, "rds"),
        session="s1",
        id="seg-1",
        start_seconds=20.0,
        end_seconds=30.5,
        recorded={
            Recorded.VIDEO: Availability(path="seg-1.mp4"),
            Recorded.AUDIO: Availability(reason="no-microphone"),
            Recorded.VITALS: Availability(path="s1.csv"),
        },
        ratings=(
            Rating(Scale.NIPS, "r1", 5.0, {"face": 1.0, "cry": 2.0}),
            Rating(Scale.NPASS_SEDATION, "r2", -2.5),
        ),
        face_box=(40, 30, 200, 220),
        procedure="heel lance",
        sedation="none",
        respiratory_support="cpap",
        codes={"brow_bulge": 0.75},
        has_infant=True,
        licence="CC0-1.0",
    )
    assert read_manifest(manifest(FIRST, SECOND)) == (expected,)


def test_a_written_manifest_has_the_documented_header_and_one_row_per_rating() -> None:
    assert write_manifest(read_manifest(manifest(FIRST, SECOND))) == manifest(FIRST, SECOND)


def test_a_segment_without_ratings_has_one_row_with_empty_rating_columns() -> None:
    (segment,) = read_manifest(manifest(UNRATED))
    assert (segment.ratings, write_manifest([segment])) == ((), manifest(UNRATED))


def test_a_manifest_from_a_spreadsheet_is_read() -> None:
    text = "\ufeff" + manifest(FIRST.replace("196", "196.0"), "," * 28).replace("\n", "\r\n")
    assert read_manifest(text) == read_manifest(manifest(FIRST))


def test_columns_may_stand_in_any_order() -> None:
    turned = "\n".join(",".join(reversed(line.split(","))) for line in (HEADER, FIRST))
    assert read_manifest(turned) == read_manifest(manifest(FIRST))


def test_a_header_alone_holds_no_segment() -> None:
    assert read_manifest(manifest()) == ()


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("NIPS,r1,5", "NIPS,r1,8", "column score: '8': score is 8, expected 0 to 7"),
        ("NIPS,r1,5", "NIPS,r1,", "column score: '': must not be empty"),
        ("NIPS,r1,5", "NIPS,r1,nan", "column score: 'nan': 'nan' is not a number"),
        ("NIPS,r1,5", 'NIPS,r1,"3,5"', "column score: '3,5': '3,5' is not a number with a decimal point"),
        ("NIPS,r1,5", "NIPS,,5", "column rater_id: '': must not be empty"),
        ("NIPS,r1,5", "CRIES,r1,5", "column scale: 'CRIES': expected one of NIPS, N-PASS pain, N-PASS sedation"),
        ("cry=2", "cry=3", "column items: 'face=1;cry=3': cry is 3, expected 0 to 2"),
        ("cry=2", "tears=1", "'tears' is none of face, cry, breathing, arms, legs, arousal"),
        ("cry=2", "face=1", "'face' stands twice"),
        ("cry=2", "cry:2", "'cry:2' is not name=number"),
        ("brow_bulge=0.75", "brow_bulge=75", "brow_bulge is 75, expected 0 to 1"),
        ("seg-1.mp4,", "../seg-1.mp4,", "column video: '../seg-1.mp4': expected a path below the manifest's folder"),
        ("seg-1.mp4,", "/data/seg-1.mp4,", "expected a path below the manifest's folder"),
        ("seg-1.mp4,", "C:seg-1.mp4,", "expected a path below the manifest's folder"),
        ("seg-1.mp4,", r"clips\seg-1.mp4,", "its parts separated by '/'"),
        ("seg-1.mp4,", "seg-1.mp4,no-camera", "expected either a path here or a word in video_reason"),
        ("seg-1.mp4,", ",", "expected either a path here or a word in video_reason"),
        ("20,30.5", "-1,30.5", "column start_s: '-1': is before the start of the session"),
        ("20,30.5", "20,1700000000000", "column end_s: '1700000000000': is more than 5e+10 seconds from the start"),
        ("20,30.5", "20,20", "column end_s: '20': is not after start_s, which is 20"),
        ("196", "28", "column ga_days: '28': expected a whole number from 140 to 315"),
        ("1180", "1.18", "column weight_g: '1.18': expected a whole number from 200 to 30000"),
        ("40 30 200 220", "40 30 200", "column face_box: '40 30 200': expected left, top, width, height"),
        ("40 30 200 220", "40 30 0 220", "width and height must be above 0"),
        (",yes,", ",true,", "column has_infant: 'true': expected one of yes, no"),
        ("inf-1", "", "column subject_id: '': must not be empty"),
        ("heel lance", '"heel\nlance"', "column procedure: 'heel\\nlance': holds a line break"),
    ],
)
def test_a_wrong_cell_is_refused_with_line_column_value_and_rule(was: str, becomes: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_manifest(manifest(FIRST.replace(was, becomes, 1)))
    assert str(refusal.value).startswith("manifest line ")
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((FIRST, FIRST), "manifest line 3, column rater_id: 'r1': has rated segment 'seg-1' on this scale"),
        ((FIRST, UNRATED), "manifest line 3, column scale: '': segment 'seg-1' has a row without a rating"),
        ((UNRATED, FIRST), "manifest line 3, column scale: 'NIPS': segment 'seg-1' has a row without a rating"),
        ((UNRATED, UNRATED), "manifest line 3, column scale: ''"),
        (
            (FIRST, SECOND.replace("30.5", "31")),
            "manifest line 3, column end_s: '31': line 2 says '30.5' of the same segment 'seg-1'",
        ),
        (
            (FIRST, SECOND.replace("196", "197").replace("seg-1", "seg-2")),
            "column ga_days: '197': line 2 says '196' of the same infant 'inf-1'",
        ),
        (
            (FIRST, SECOND.replace("north", "south").replace("s1,", "s2,")),
            "column site: 'south': line 2 says 'north' of the same infant 'inf-1'",
        ),
        (
            (FIRST, SECOND.replace("1180", "1190").replace("seg-1", "seg-2")),
            "column weight_g: '1190': line 2 says '1180' of the same session 's1'",
        ),
        ((FIRST + ",x",), "manifest line 2: 30 cells, the header has 29"),
        ((FIRST.replace("rds", '"rds'),), "is no CSV"),
    ],
)
def test_rows_that_do_not_go_together_are_refused(rows: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_manifest(manifest(*rows))
    assert told in str(refusal.value)


def test_a_weight_may_change_from_session_to_session() -> None:
    later = SECOND.replace("1180", "1290").replace(",s1,", ",s2,")
    assert [one.subject.weight_g for one in read_manifest(manifest(FIRST, later))] == [1180, 1290]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "missing: 'subject_id'"),
        (HEADER.replace(",licence", ""), "missing: 'licence'"),
        (HEADER.replace(",licence", ",licence,ward"), "unknown: 'ward'"),
        (HEADER.replace(",codes", ",licence"), "missing: 'codes'; twice: 'licence'"),
        (HEADER.replace(",", ";"), "expected, between commas: subject_id,site"),
    ],
)
def test_a_header_with_other_columns_is_refused(header: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_manifest(header)
    assert str(refusal.value).startswith("manifest line 1: columns ")
    assert told in str(refusal.value)


@pytest.mark.parametrize("segment_id", ["", " seg", "two\nlines"])
def test_a_segment_that_a_manifest_cannot_hold_is_not_written(segment_id: str) -> None:
    (segment,) = read_manifest(manifest(UNRATED))
    unfit = Segment(segment.subject, "s1", segment_id, 0, 1, segment.recorded, ())
    with pytest.raises(ConfigurationError):
        write_manifest([unfit])


def test_a_segment_that_was_given_twice_is_not_written() -> None:
    with pytest.raises(ConfigurationError):
        write_manifest(read_manifest(manifest(FIRST)) * 2)


words = st.text("aZ0é日\"',;=|#- \u00a0\u2028", max_size=6).map(str.strip)
ids = words.filter(bool)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True)
files = st.lists(st.text("aZ0é,;_- ", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)
paths = files.map(lambda file: f"data{file}".strip())
availabilities = st.builds(Availability, path=paths) | st.builds(Availability, reason=ids)


@st.composite
def ratings(draw: st.DrawFn) -> Rating:
    scale = draw(st.sampled_from(Scale))
    limits = ITEM_RANGES[scale]
    items = {name: draw(st.floats(*limits[name])) for name in draw(st.sets(st.sampled_from(sorted(limits))))}
    return Rating(scale, draw(ids), draw(st.floats(*SCALE_RANGES[scale])), items)


@st.composite
def segments(draw: st.DrawFn) -> tuple[Segment, ...]:
    """Segments of infants of their own, so that nothing disagrees."""
    count = draw(st.integers(0, 2))
    found = []
    for number in range(count):
        start = draw(st.floats(0, 1e5))
        subject = Subject(
            id=f"{number}{draw(words)}",
            site=draw(ids),
            gestational_age_days=draw(st.none() | st.integers(140, 315)),
            age_days=draw(st.none() | st.integers(0, 3650)),
            sex=draw(words),
            skin_tone=draw(words),
            weight_g=draw(st.none() | st.integers(200, 30_000)),
            illness=draw(words),
        )
        found.append(
            Segment(
                subject=subject,
                session=draw(ids),
                id=draw(ids),
                start_seconds=start,
                end_seconds=start + draw(st.floats(0.001, 1e4)),
                recorded={kind: draw(availabilities) for kind in Recorded},
                ratings=tuple(draw(st.lists(ratings(), max_size=3, unique_by=lambda one: (one.rater, one.scale)))),
                face_box=draw(st.none() | st.tuples(*[st.integers(-99, 99)] * 2, *[st.integers(1, 9999)] * 2)),
                procedure=draw(words),
                sedation=draw(words),
                respiratory_support=draw(words),
                codes=draw(st.dictionaries(names, st.floats(0, 1), max_size=3)),
                has_infant=draw(st.booleans()),
                licence=draw(words),
            )
        )
    return tuple(found)


@given(segments())
def test_what_is_written_is_read_back(given_segments: tuple[Segment, ...]) -> None:
    assert read_manifest(write_manifest(given_segments)) == given_segments
