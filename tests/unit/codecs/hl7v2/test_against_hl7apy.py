"""The lean reading and hl7apy's give the same values for every valid message."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import numpy as np
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import read_reports

PCD_01 = "\r".join(
    [
        r"MSH|^~\&|MON^0019FF^EUI-64|NICU|HUB^12^EUI-64|GH|20260704120005.1230+0200||ORU^R01^ORU_R01|4711|P|2.6|||NE|AL||8859/1"
        "|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO",
        r"PID|||77^^^HOSP&1.2.3&ISO^MR~9^^^LAB^PI||DOE^A\T\B^^^^^L||20260702081500|F",
        "PV1||I|NICU^1^3^GH&1.2&ISO",
        "OBR|1|AB^MON^0019FF^EUI-64|CD^MON^0019FF^EUI-64|182777000^monitoring of patient^SCT|||20260704120000+0200",
        "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||0123^EUI-64",
        "OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|142|264864^MDC_DIM_BEAT_PER_MIN^MDC|100-180|ALACT~PM|||R|||"
        "20260704120001.5+0200",
        "OBX|3|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.2.1.1|97|262688^MDC_DIM_PERCENT^MDC|||||R",
        "",
    ]
)
ADT = "\r".join(
    [
        r"MSH|^~\&|ADT|GH|HUB|GH|20260704115959+0200||ADT^A01^ADT_A01|815|P|{version}",
        "EVN|A01|20260704115900+0200||||20260704115000+0200",
        r"PID|1||77^5^M11^HOSP^MR~123456789^^^USSSA^SS||DOE\S\X^A||20260702081500|F",
        "PV1|1|I|NICU^1^3^GH|||NICU^1^1^GH|||||||||||||V42^^^HOSP^VN",
        "",
    ]
)


def both(text: str, segment: str, field: int, component: int) -> tuple[str, str]:
    """The first repetition's component, as we read it and as hl7apy does."""
    ours = parse(text.encode()).first(segment)
    theirs = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    assert ours is not None
    found = getattr(getattr(theirs, segment.lower()), f"{segment.lower()}_{field}")
    repetition = found[0] if len(found) else None
    parts = repetition.to_er7().split("^") if repetition is not None else []
    sent = parts[component - 1].split("&")[0] if component <= len(parts) else ""
    return ours.text(field, component), sent.replace("\\T\\", "&").replace("\\S\\", "^")


PLACES = {
    "MSH": [(3, 1), (4, 1), (7, 1), (9, 1), (9, 2), (10, 1), (11, 1), (12, 1), (15, 1), (16, 1), (18, 1), (21, 3)],
    "PID": [(3, 1), (3, 4), (3, 5), (5, 2), (7, 1), (8, 1)],
    "PV1": [(3, 1), (3, 2), (3, 3), (3, 4), (2, 1)],
    "OBR": [(4, 1), (7, 1)],
}


@pytest.mark.parametrize(("segment", "place"), [(name, place) for name, places in PLACES.items() for place in places])
def test_a_pcd_01_message_reads_the_same(segment: str, place: tuple[int, int]) -> None:
    ours, theirs = both(PCD_01, segment, *place)
    assert ours == theirs


def test_every_observation_of_a_pcd_01_message_reads_the_same() -> None:
    theirs = parse_message(PCD_01, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    ours = list(parse(PCD_01.encode()).all("OBX"))
    read = [[segment.raw(field) for field in (2, 3, 4, 5, 6, 7, 8, 11, 14)] for segment in ours]
    names = [f"obx_{field}" for field in (2, 3, 4, 5, 6, 7)]
    expected = [[getattr(segment, name).to_er7() for name in names] for segment in theirs.obx]
    assert [one[:6] for one in read] == expected
    assert [one[6:] for one in read] == [["", "X", ""], ["ALACT~PM", "R", "20260704120001.5+0200"], ["", "R", ""]]


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
def test_an_adt_message_of_every_version_reads_the_same(version: str) -> None:
    text = ADT.format(version=version)
    places = [("EVN", 2, 1), ("PID", 3, 1), ("PID", 3, 4), ("PID", 7, 1), ("PV1", 3, 3), ("PV1", 6, 3), ("PV1", 19, 1)]
    pairs = [both(text, *place) for place in places]
    assert [ours for ours, _ in pairs] == [theirs for _, theirs in pairs]


SAMPLES = st.lists(st.one_of(st.integers(-32768, 32767), st.none()), min_size=1, max_size=40)
LEADS = st.lists(
    st.tuples(
        st.sampled_from(["131329^MDC_ECG_ELEC_POTL_I", "131330^MDC_ECG_ELEC_POTL_II", "150452^MDC_PULS_OXIM_PLETH"]),
        SAMPLES,
        st.sampled_from(["60", "125", "250.0", "500"]),
        st.sampled_from(["0.001221", "1", "2.44"]),
    ),
    min_size=1,
    max_size=3,
)


def waveform_message(leads: list[tuple[str, list[int | None], str, str]]) -> str:
    lines = [
        r"MSH|^~\&|MON|NICU|||20260704120005.000+0000||ORU^R01^ORU_R01|4711|P|2.6",
        "PV1||I|NICU^1^3",
        "OBR|1||1^MON|69121^MDC_OBS_WAVE_CTS^MDC|||20260704120000.250+0000",
    ]
    for code, samples, rate, resolution in leads:
        sent = "^".join("" if one is None else str(one) for one in samples)
        lines += [
            f"OBX|1|NA|{code}^MDC|1.7.6.1|{sent}||||||R|||20260704120001.500+0000",
            f"OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.7.6.1.1|{rate}|264640^MDC_DIM_HZ^MDC|||||R",
            f"OBX|3|NM|2327^MDC_ATTR_NU_MSMT_RES^MDC|1.7.6.1.2|{resolution}|266418^MDC_DIM_MILLI_VOLT^MDC|||||R",
        ]
    return "\r".join([*lines, ""])


def waves_by_hl7apy(text: str) -> list[tuple[str, str, list[float], str]]:
    """Code, start, values and rate of each waveform: every field and component as hl7apy cuts it."""
    segments = list(parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False).obx)
    found = []
    for place, segment in enumerate(segments):
        if segment.obx_2.to_er7() != "NA":
            continue
        rate, resolution = (float(segments[place + step].obx_5.to_er7()) for step in (1, 2))
        components = segment.obx_5.to_er7().split("^")
        raw = [float(one) if one and one not in ("32767", "-32768") else np.nan for one in components]
        found.append((code_of(segment), segment.obx_14.to_er7(), [one * resolution for one in raw], str(rate)))
    return found


def code_of(segment: Any) -> str:
    return str(segment.obx_3.obx_3_1.to_er7())


@settings(max_examples=25, deadline=None)
@given(LEADS)
def test_every_valid_waveform_reads_the_same(leads: list[tuple[str, list[int | None], str, str]]) -> None:
    text = waveform_message([lead for lead in leads if any(one is not None for one in lead[1])])
    message = parse(text.encode())
    (report,) = read_reports(message, read_header(message), site_zone=UTC)
    theirs = waves_by_hl7apy(text)
    ours = [(one.code, one.start_text, one.values, str(one.rate_hz)) for one in report.waves]
    assert [(code, start, rate) for code, start, _, rate in ours] == [
        (code, start, rate) for code, start, _, rate in theirs
    ]
    for (_, _, values, _), (_, _, expected, _) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(values, expected)
    assert (report.skipped, report.unmapped) == ((), ())
