"""Waveforms in ORU^R01, as monitors of several makers write them: samples, rate, resolution, signs for none, start."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import VitalsReport, read_reports
from neopain.domain.vitals import Validity
from neopain.domain.waveform import WaveKind, WavePiece

PV1 = "PV1||I|NICU^1^3"
OBR = "OBR|1||1^MON|69121^MDC_OBS_WAVE_CTS^MDC|||20260704120000.250+0200"
LEAD = "131330^MDC_ECG_ELEC_POTL_II^MDC"
RATE = "OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.7.6.131330.1|500|264640^MDC_DIM_HZ^MDC|||||R"


def report(*lines: str) -> VitalsReport:
    head = r"MSH|^~\&|MON|NICU|||20260704120005+0000||ORU^R01^ORU_R01|1|P|2.6"
    message = parse("\r".join([head, PV1, *lines]).encode())
    (only,) = read_reports(message, read_header(message), site_zone=UTC)
    return only


def read_one(*lines: str) -> WavePiece:
    (only,) = report(OBR, *lines).waves
    return only


def ecg(samples: str, *, flags: str = "", status: str = "R", time: str = "", unit: str = "") -> str:
    return f"OBX|1|NA|{LEAD}|1.7.6.131330|{samples}|{unit}||{flags}|||{status}|||{time}"


def test_a_mindray_waveform_is_read_in_millivolts_from_the_start_of_its_order() -> None:
    piece = read_one(
        ecg("80^88^-4^32767"),
        RATE,
        "OBX|3|NM|2327^MDC_ATTR_NU_MSMT_RES^MDC|1.7.6.131330.2|0.5|266418^MDC_DIM_MILLI_VOLT^MDC|||||R",
        "OBX|4|NM|196660^MDC_EVT_INOP^MDC|1.7.6.131330.3|32767||||||R",
    )
    assert (piece.code, piece.kind, piece.rate_hz, piece.unit) == ("131330", WaveKind.ECG, 500.0, "MDC_DIM_MILLI_VOLT")
    np.testing.assert_array_equal(piece.values, [40.0, 44.0, -2.0, np.nan])
    assert piece.start == datetime(2026, 7, 4, 10, 0, 0, 250_000, tzinfo=UTC)
    assert (piece.start_text, piece.is_coarse, piece.validity) == ("20260704120000.250+0200", False, Validity.GOOD)


def test_a_wcm_waveform_has_signs_for_missing_a_range_and_a_time_of_its_own() -> None:
    piece = read_one(
        ecg("-32768^-32767^5^-1^300^^7", time="20260704115958.1000+0200", unit="uV^uV^UCUM"),
        "OBX|2|NM|68320^MDC_ATTR_SAMPLE_RATE^MDC|1.5.0.1.1|240|s^s^UCUM|||||R",
        "OBX|3|NR|68323^MDC_ATTR_DATA_RANGE^MDC|1.5.0.1.2|-100^100||||||R",
        "OBX|4|NM|197376^MDC_EVT_DATA_INVALID^MDC|1.5.0.1.2.1|-32768||||||R",
        "OBX|5|NM|197378^MDC_EVT_DATA_MISSING^MDC|1.5.0.1.2.2|7||||||R",
        "OBX|6|NM|67945^MDC_ATTR_SA_MSMT_RES^MDC|1.5.0.1.3|2.44||||||R",
    )
    np.testing.assert_allclose(piece.values, [np.nan, np.nan, 12.2, -2.44, np.nan, np.nan, np.nan])
    assert (piece.rate_hz, piece.unit, piece.start_text) == (240.0, "uV", "20260704115958.1000+0200")


def test_leads_and_a_pleth_of_one_message_keep_their_own_rows() -> None:
    found = report(
        OBR,
        ecg("1^2"),
        RATE,
        "OBX|3|NA|150452^MDC_PULS_OXIM_PLETH^MDC|1.3.1.150452|3^4",
        "OBX|4|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.3.1.150452.1|60|264608^MDC_DIM_PER_SEC^MDC",
        "OBX|5|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|142|/min|||||R",
    )
    assert [(one.kind, one.rate_hz, one.values.tolist()) for one in found.waves] == [
        (WaveKind.ECG, 500.0, [1.0, 2.0]),
        (WaveKind.PLETH, 60.0, [3.0, 4.0]),
    ]
    assert ([one.value for one in found.readings], found.skipped, found.unmapped) == ([142.0], (), ())


@pytest.mark.parametrize(
    ("start", "is_coarse"),
    [
        ("20260704120000+0200", True),
        ("20260704120000123+0200", False),
        ("2026-07-04T12:00:00+02:00", True),
        ("2026-07-04T12:00:00.123+02:00", False),
    ],
)
def test_a_start_in_whole_seconds_is_known_to_be_cut(start: str, is_coarse: bool) -> None:
    assert report(f"OBR|1||||||{start}", ecg("1^2"), RATE).waves[0].is_coarse is is_coarse


@pytest.mark.parametrize(("flags", "status"), [("INV", "X"), ("TEST", "R"), ("DEMO", "R"), ("CAL", "R"), ("", "X")])
def test_of_a_waveform_that_the_device_calls_invalid_every_sample_is_missing(flags: str, status: str) -> None:
    piece = read_one(ecg("1^2^3", flags=flags, status=status), RATE)
    assert np.isnan(piece.values).all()
    assert piece.validity is Validity.INVALID


def test_a_channel_that_reports_a_fault_has_no_samples() -> None:
    for sign, is_there in (("1", False), ("0", True)):
        piece = read_one(ecg("1^2"), RATE, f"OBX|3|NM|196660^MDC_EVT_INOP^MDC|1|{sign}||||||R")
        assert bool(np.isfinite(piece.values).all()) is is_there


@pytest.mark.parametrize(
    ("lines", "location", "reason"),
    [
        ((OBR, ecg("1^2")), "OBX[1]-5", "no sample rate"),
        ((OBR, ecg("1^2"), RATE.replace("|500|", "|0.002|")), "OBX[2]-5", "no sample rate of a waveform"),
        ((OBR, ecg("1^2"), RATE.replace("264640^MDC_DIM_HZ^MDC", "furlong")), "OBX[2]-6", "a unit that no table knows"),
        ((OBR, ecg("1^x"), RATE), "OBX[1]-5", "expected numbers"),
        ((OBR, ecg(""), RATE), "OBX[1]-5", "no value"),
        ((OBR, ecg("1^2~3^4"), RATE), "OBX[1]-5", "more than one channel"),
        (("OBR|1", ecg("1^2"), RATE), "OBX[1]-14", "no start time"),
        (
            ("OBR|1||||||20260704120000.0+0000|20260704120005.0+0000", ecg("1^2"), RATE),
            "OBX[1]-5",
            "samples and rate do not fill the time of the order",
        ),
        (
            (OBR, ecg("1^2").replace(LEAD, "131330^MDC_PULS_OXIM_PLETH^MDC"), RATE),
            "OBX[1]-3",
            "the code and its name mean different things",
        ),
    ],
)
def test_a_waveform_that_cannot_be_used_is_skipped_with_its_place_and_reason(
    lines: tuple[str, ...], location: str, reason: str
) -> None:
    found = report(*lines)
    assert [(one.location, one.reason) for one in found.skipped] == [(location, reason)]
    assert found.waves == ()


def test_an_array_of_what_is_no_waveform_is_skipped_with_its_reason() -> None:
    found = report(OBR, "OBX|1|NA|147240^MDC_ECG_TIME_PD_RR_GL^MDC||430^428|ms|||||R")
    assert (found.waves, found.readings) == ((), ())
    assert [(one.location, one.code, one.reason) for one in found.skipped] == [
        ("OBX[1]-5", "147240^MDC", "expected one number")
    ]


def test_a_waveform_that_no_table_knows_is_listed_with_its_unit_and_one_without_beats_is_not() -> None:
    found = report(
        OBR,
        "OBX|1|NA|7001^Abdomen^99MON|1|1^2^3|266418^MDC_DIM_MILLI_VOLT^MDC",
        "OBX|2|NA|151780^MDC_IMPED_TTHOR^MDC|2|1^2^3",
    )
    assert [tuple(one) for one in found.unmapped] == [("99MON", "7001", "Abdomen", "MDC_DIM_MILLI_VOLT")]
    assert (found.waves, found.skipped) == ((), ())
