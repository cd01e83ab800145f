"""Who lies where in the simulated ward. Everybody who needs to know it can compute it: no running ward is asked."""

from __future__ import annotations

from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.segments import Cot

UNIT = "NICU"
ROOM = "R1"
FACILITY = "SIM"


def ward_infants(
    *, beds: int, seed: int, unit: str = UNIT, room: str = ROOM, facility: str = FACILITY
) -> list[tuple[SimulatedInfant, Cot]]:
    """The infants of the first beds of a room, bed 1 first."""
    return [(simulated_infant(seed, number), Cot(unit, room, str(number), facility)) for number in range(1, beds + 1)]
