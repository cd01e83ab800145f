"""Waveforms of known beats, sent as HL7 in pieces, give those beats back: the error of the intervals, none lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import read_reports
from neopain.domain.vitals import Validity
from neopain.domain.waveform import BeatTrack
from neopain.features.running_beats import TimedInterval, follow
from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.segments import Cot
from neopain.simulator.vitals import Beat, Vitals
from neopain.simulator.waveforms import LEAD_II, PLETH, TRANSIT_SECONDS, Channel, ecg, pleth, waveform_message

Numbers = npt.NDArray[np.float64]
Draw = Callable[..., Numbers]

START = datetime(2026, 7, 4, 12, tzinfo=UTC)
SECONDS = 60
WARM_SECONDS = 4.0
"""The first beats have nothing to be compared with, and no beat before them."""
LAG_SECONDS = 1.0


@dataclass(frozen=True)
class Errors:
    missed: int
    false: int
    rms_ms: float
    largest_ms: float


def beats_of(infant: SimulatedInfant) -> list[Beat]:
    vitals = Vitals(infant, Condition(PainCourse()))
    return list(takewhile(lambda beat: beat.seconds < SECONDS, vitals.beats()))


def through_hl7(
    infant: SimulatedInfant, channel: Channel, values: Numbers, piece_seconds: float
) -> list[TimedInterval]:
    size = int(piece_seconds * channel.rate_hz)
    track: BeatTrack | None = None
    told: list[TimedInterval] = []
    for at in range(0, values.size, size):
        start = START + timedelta(seconds=at / channel.rate_hz)
        sent = waveform_message(
            infant, Cot("NICU", "R1", "1"), channel, values[at : at + size], control_id=str(at), start=start
        )
        message = parse(sent)
        (report,) = read_reports(message, read_header(message), site_zone=UTC)
        (wave,) = report.waves
        followed = follow(track, wave, report.patient)
        track, told = followed.track, told + list(followed.intervals)
    return told


def errors_of(told: list[TimedInterval], beats: list[Beat], after: float) -> Errors:
    """Found and true beats are the same when they are within 60 ms; intervals are compared where both ends are."""
    inside = [one for one in beats if WARM_SECONDS < one.seconds < SECONDS - LAG_SECONDS]
    truth = np.array([one.seconds for one in inside]) + after
    found = np.array([(one.moment - START).total_seconds() for one in told])
    distance = np.abs(found[:, None] - truth[None])
    kept = (found > truth[0] - 0.1) & (found < truth[-1] + 0.1)
    pairs = [
        (told[int(column.argmin())].interval_ms, one.rr_ms) for column, one in zip(distance.T, inside, strict=True)
    ]
    differences = np.array([ours - theirs for ours, theirs in pairs])
    return Errors(
        missed=int((distance.min(axis=0) > 0.06).sum()),
        false=int((distance.min(axis=1)[kept] > 0.06).sum()),
        rms_ms=float(np.sqrt(np.mean(differences**2))),
        largest_ms=float(np.abs(differences).max()),
    )


@pytest.mark.parametrize(
    ("channel", "draw", "after", "rms_ms", "largest_ms"),
    [(LEAD_II, ecg, 0.0, 1.0, 4.0), (PLETH, pleth, TRANSIT_SECONDS - 0.055, 4.0, 15.0)],
    ids=["ecg", "pleth"],
)
def test_beats_of_infants_come_back_from_their_waveforms(
    channel: Channel, draw: Draw, after: float, rms_ms: float, largest_ms: float
) -> None:
    for number in range(1, 5):
        infant = simulated_infant(seed=11, number=number)
        beats = beats_of(infant)
        values = draw(beats, SECONDS, rate_hz=channel.rate_hz, seed=number)
        found = errors_of(through_hl7(infant, channel, values, (1.0, 2.0, 2.5, 5.0)[number - 1]), beats, after)
        print(channel.code, number, len(beats), found)
        assert (found.missed, found.false) == (0, 0)
        assert found.rms_ms < rms_ms
        assert found.largest_ms < largest_ms


def test_missing_samples_make_no_beats() -> None:
    infant = simulated_infant(seed=11, number=1)
    values = ecg(beats_of(infant), 20, rate_hz=LEAD_II.rate_hz, seed=1)
    values[8 * LEAD_II.rate_hz : 11 * LEAD_II.rate_hz] = np.nan
    told = through_hl7(infant, LEAD_II, values, 1.0)
    assert not any(8.0 < (one.moment - START).total_seconds() < 11.0 for one in told)
    across = next(one for one in told if one.moment > START + timedelta(seconds=11))
    assert across.validity is Validity.INVALID
