"""What the devices at one bed of the ward see and hear."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neopain.client.stream import DeviceStream, Limits
from neopain.simulator.bedside import SimulatedBed, plain, send_in_any_case
from neopain.simulator.circumstances import Support, circumstances
from neopain.simulator.condition import Sedation
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import simulated_infant
from neopain.simulator.segments import Cot
from neopain.wire.v1 import device_pb2 as pb

RATE = 16_000
COT = Cot("NICU", "1", "1", "EAST")


def test_a_plain_cot_keeps_its_camera_and_microphone_but_nothing_covers_or_silences_the_infant() -> None:
    for number in range(40):
        drawn = circumstances(simulated_infant(3, number))
        found = plain(drawn)
        assert (found.support, found.sedation, found.ventilated_bpm) == (Support.NONE, Sedation.NONE, None)
        assert not found.camera.tube
        assert not found.camera.eye_mask
        assert found.microphone.ventilator == 0
        assert (found.camera.gain, found.camera.blur_px) == (drawn.camera.gain, drawn.camera.blur_px)
        assert (found.microphone.gain, found.microphone.hum) == (drawn.microphone.gain, drawn.microphone.hum)


@pytest.mark.parametrize("number", [1, 2, 7])
def test_whoever_lies_there_is_heard_when_it_hurts_and_the_room_is_never_silent(number: int) -> None:
    course = PainCourse()
    bed = SimulatedBed(simulated_infant(1, number), COT, course)
    lance = next(at for at in range(60) if course.pain(at) > 6.0)
    calm, crying = (bed.room.pcm(at * RATE, 4 * RATE).astype(float) for at in (0, lance))
    assert crying.std() > 3 * calm.std() > 3 * 10


def test_the_camera_sees_the_face_move_and_no_frame_twice() -> None:
    bed = SimulatedBed(simulated_infant(1, 1), COT, PainCourse())
    frames = [bed.view.frame(number, number / 7.5).rgb for number in range(4)]
    assert all(np.any(one != other) for one, other in pairwise(frames))


async def test_of_beats_that_wait_for_a_server_the_oldest_make_room() -> None:
    stream: DeviceStream[pb.DeviceVitals] = DeviceStream(
        lambda _: pytest.fail("nothing is sent here"), name="vitals", keeps=True, limits=Limits(held=2)
    )
    for _ in range(3):
        send_in_any_case(stream, pb.DeviceVitals(bed="NICU/R1/1@SIM"))
    assert (stream.held, stream.count.taken, stream.count.dropped) == (2, 3, 1)
