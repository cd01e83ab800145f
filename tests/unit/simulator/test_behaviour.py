"""Signs follow the pain."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from neopain.simulator.behaviour import Behaviour, CryRhythm
from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant

REST, LANCE = 10.0, 17.0


def test_the_face_of_pain_has_all_four_actions(behaviour: Behaviour) -> None:
    rest, lance = behaviour.signs(REST), behaviour.signs(LANCE)

    assert lance.brow_bulge > rest.brow_bulge + 0.5
    assert lance.eye_squeeze > rest.eye_squeeze + 0.5
    assert lance.nasolabial_furrow > rest.nasolabial_furrow + 0.5
    assert lance.mouth_open > rest.mouth_open + 0.2


def test_an_infant_at_rest_does_not_cry(behaviour: Behaviour) -> None:
    assert behaviour.signs(REST).cry == 0.0


def test_squeezed_eyes_are_not_open(behaviour: Behaviour) -> None:
    assert behaviour.signs(LANCE).eye_open < 0.1


def test_limbs_move_more_in_pain(behaviour: Behaviour) -> None:
    still = np.std([behaviour.signs(t).arms for t in np.arange(5.0, 11.0, 0.1)])
    moving = np.std([behaviour.signs(t).arms for t in np.arange(15.0, 21.0, 0.1)])

    assert moving > 4 * still


def test_every_sign_stays_within_its_range(behaviour: Behaviour) -> None:
    for t in np.arange(0.0, 50.0, 0.25):
        signs = behaviour.signs(float(t))
        assert all(0.0 <= share <= 1.0 for share in (*astuple(signs)[:6], signs.limb_motion, signs.cry))
        assert -1.0 <= signs.head_turn <= 1.0
        assert -1.0 <= signs.head_roll <= 1.0


def test_the_mouth_opens_and_closes_with_the_breath(behaviour: Behaviour) -> None:
    mouth = [behaviour.signs(t).mouth_open for t in np.arange(16.0, 20.0, 0.05)]

    assert max(mouth) - min(mouth) > 0.2


def test_nothing_is_heard_in_the_pause_of_a_breath() -> None:
    assert CryRhythm(period_seconds=1.0, cry_share=0.7).effort(3.85) == 0.0


def test_the_same_infant_does_the_same_again(infant: SimulatedInfant, course: PainCourse) -> None:
    assert Behaviour(infant, Condition(course)).signs(LANCE) == Behaviour(infant, Condition(course)).signs(LANCE)
