"""What a cohort's camera, microphone and monitor make of an infant, and what happens to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from neopain.domain.vitals import VitalKind
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.circumstances import Circumstances, Illness, Support, circumstances
from neopain.simulator.condition import Condition, Event, EventKind, Sedation
from neopain.simulator.course import PainCourse, Phase, Procedure
from neopain.simulator.feed import monitor_rows, movement_rows, movement_times
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.protocol import LEAD_SECONDS, procedure_session
from neopain.simulator.sound import Room
from neopain.simulator.view import View
from neopain.simulator.vitals import Vitals

RATE = 16_000
CALM = PainCourse(phases=(Phase(Procedure.BASELINE, 60.0),), resting_pain=0.0)
LANCE_SECONDS = 18.0


@pytest.fixture
def around(infant: SimulatedInfant) -> Circumstances:
    """A plain cot: nothing on the face, a good microphone, no machine."""
    drawn = circumstances(infant)
    camera = replace(drawn.camera, eye_mask=False, tube=False, blanket=False, tint=(1.0, 1.0, 1.0), gain=1.0)
    microphone = replace(drawn.microphone, gain=1.0, hum=0.002, ventilator=0.0, talk=0.0)
    monitor = replace(drawn.monitor, has_beats=True, averaging_seconds=4.0, clock_error_seconds=0.0, has_pressure=True)
    return replace(
        drawn, support=Support.NONE, ventilated_bpm=None, camera=camera, microphone=microphone, monitor=monitor
    )


def heard(infant: SimulatedInfant, around: Circumstances, condition: Condition, seconds: float = 15.0) -> np.ndarray:
    """Four seconds of the room's sound."""
    room = Room(infant, Behaviour(infant, condition), around)
    return room.pcm(int(seconds * RATE), 4 * RATE).astype(np.float64)


def test_an_intubated_infant_cries_without_a_sound(infant: SimulatedInfant, around: Circumstances) -> None:
    crying = Condition(PainCourse())
    aloud = heard(infant, around, crying)
    silent = heard(infant, replace(around, support=Support.INTUBATED), crying)

    assert Behaviour(infant, crying).signs(LANCE_SECONDS).mouth_open > 0.3
    assert silent.std() < 0.1 * aloud.std()


def test_there_is_never_digital_silence(infant: SimulatedInfant) -> None:
    assert heard(infant, circumstances(infant), Condition(CALM), 0.0).std() > 20


def test_a_neighbours_cry_is_heard_over_a_calm_infant(infant: SimulatedInfant, around: Circumstances) -> None:
    neighbour = Condition(CALM, (Event(EventKind.NEIGHBOUR_CRIES, 10.0, 30.0),))

    assert heard(infant, around, neighbour).std() > 2 * heard(infant, around, Condition(CALM)).std()


def test_an_alarm_sounds_at_its_two_pitches(infant: SimulatedInfant, around: Circumstances) -> None:
    sound = heard(infant, around, Condition(CALM, (Event(EventKind.ALARM, 10.0, 30.0),)))
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    near = (np.abs(frequency - 960) < 30) | (np.abs(frequency - 1220) < 30)

    assert power[near].sum() > 0.8 * power[frequency > 500].sum()


def test_hunger_cries_without_pain_and_lower_than_pain_does(infant: SimulatedInfant) -> None:
    hungry = Behaviour(infant, Condition(CALM, (Event(EventKind.HUNGER, 0.0, 60.0),))).drives(20.0)

    assert float(hungry.cry) > 0.4
    assert float(hungry.hungry_cry) == float(hungry.cry)
    assert float(hungry.grimace) < 0.1


def test_an_apnoea_drops_the_saturation_and_the_heart_without_pain(infant: SimulatedInfant) -> None:
    vitals = Vitals(infant, Condition(CALM, (Event(EventKind.APNOEA, 20.0, 20.0),)))

    assert float(vitals.saturation(38.0)) < float(vitals.saturation(15.0)) - 8
    assert float(vitals.heart_rate(35.0)) < float(vitals.heart_rate(15.0)) - 20
    assert float(vitals.respiration(30.0)) < 0.5 * float(vitals.respiration(15.0))


def test_a_ventilator_breathes_at_its_own_rate_whatever_the_pain(infant: SimulatedInfant) -> None:
    vitals = Vitals(infant, Condition(PainCourse()), ventilated_bpm=44.0)

    assert vitals.respiration([5.0, 18.0, 25.0]).tolist() == [44.0, 44.0, 44.0]


def test_paralysis_stills_the_body_and_not_the_heart(infant: SimulatedInfant) -> None:
    condition = Condition(PainCourse(), sedation=Sedation.PARALYSED)
    signs, vitals = Behaviour(infant, condition).signs(LANCE_SECONDS), Vitals(infant, condition)

    assert (signs.limb_motion, signs.cry, signs.eye_open) == (0.0, 0.0, 0.0)
    assert float(vitals.heart_rate(22.0)) > float(vitals.heart_rate(8.0)) + 8


def test_a_mask_hides_the_eyes_from_the_camera(infant: SimulatedInfant, around: Circumstances) -> None:
    behaviour = Behaviour(infant, Condition(PainCourse()))
    times = np.array([LANCE_SECONDS])
    plain = next(View(infant, behaviour, around.camera).frames(times)).rgb
    masked = next(View(infant, behaviour, replace(around.camera, eye_mask=True)).frames(times)).rgb

    assert np.abs(plain.astype(int) - masked).max() > 100


def test_under_a_blanket_movement_is_nearly_as_fast(infant: SimulatedInfant, around: Circumstances) -> None:
    behaviour = Behaviour(infant, Condition(PainCourse(time_scale=3.0)))
    times = movement_times(58.0)
    speeds = []
    for covered in (False, True):
        view = View(infant, behaviour, replace(around.camera, blanket=covered))
        speeds.append(np.mean([row.value for row in movement_rows(times, view.outlines(times))]))

    assert 0.75 * speeds[0] < speeds[1] < speeds[0]


def test_an_empty_cot_shows_no_infant(infant: SimulatedInfant, around: Circumstances) -> None:
    view = View(infant, Behaviour(infant, Condition(PainCourse())), around.camera)
    empty = next(view.empty_frames(np.array([0.0])))
    taken = next(view.frames(np.array([0.0])))
    x, y = empty.face.x + empty.face.width // 2, empty.face.y + empty.face.height // 2

    assert abs(empty.face.x - taken.face.x) < 40
    assert np.abs(empty.rgb[y, x].astype(int) - taken.rgb[y, x]).max() > 15


def test_a_monitor_that_averages_shows_a_rise_later(infant: SimulatedInfant, around: Circumstances) -> None:
    vitals = Vitals(infant, Condition(PainCourse(time_scale=2.0)))
    shown = {}
    for seconds in (2.0, 16.0):
        monitor = replace(around.monitor, averaging_seconds=seconds, has_beats=False)
        rows = monitor_rows(infant, vitals, monitor, 40.0, occasion=2)
        rates = [row.value for row in rows if row.kind is VitalKind.HEART_RATE and not row.is_baseline]
        shown[seconds] = rates[-6]

    assert shown[16.0] < shown[2.0] - 3


def test_a_monitor_without_beats_sends_none(infant: SimulatedInfant, around: Circumstances) -> None:
    vitals = Vitals(infant, Condition(CALM))
    kinds = {
        has: Counter(
            row.kind for row in monitor_rows(infant, vitals, replace(around.monitor, has_beats=has), 400.0, occasion=1)
        )
        for has in (False, True)
    }

    assert kinds[False][VitalKind.RR_INTERVAL] == 0
    assert kinds[True][VitalKind.RR_INTERVAL] > 50


def test_no_value_comes_from_after_the_end_of_the_window(infant: SimulatedInfant, around: Circumstances) -> None:
    late = replace(around.monitor, clock_error_seconds=0.9)
    rows = monitor_rows(infant, Vitals(infant, Condition(CALM)), late, 400.0, occasion=1)

    assert max(row.seconds for row in rows) <= 400.0


def test_every_session_has_sixteen_looks_after_the_lead_in_and_before_its_end() -> None:
    for number in range(1, 40):
        session = procedure_session(simulated_infant(2, number), Sedation.NONE)
        assert len(session.looks) == 16
        assert min(session.looks) >= LEAD_SECONDS
        assert max(session.looks) <= session.length_seconds


def test_the_same_infant_has_the_same_session(infant: SimulatedInfant) -> None:
    assert procedure_session(infant, Sedation.NONE) == procedure_session(infant, Sedation.NONE)


def test_a_cohort_has_every_illness_and_support_and_drugs_only_for_some() -> None:
    drawn = [circumstances(simulated_infant(3, number)) for number in range(1, 301)]
    sedated = sum(one.sedation is not Sedation.NONE for one in drawn)

    assert {one.illness for one in drawn} == set(Illness)
    assert {one.support for one in drawn} == set(Support)
    assert 10 < sedated < 100
