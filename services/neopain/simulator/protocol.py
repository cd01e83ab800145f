"""What happens to an infant of a cohort in one session, and at which moments raters look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neopain.simulator.condition import Condition, Event, EventKind, Sedation
from neopain.simulator.course import PainCourse, Phase, Procedure
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import generator

TIME_SCALE = 2.5
"""Pain in a cohort comes and goes this much more slowly than in a course of its shortest form."""
PROCEDURES = "procedures"
LEAD_SECONDS = 60.0
"""Before this no window ends: it needs 30 s and something to compare with."""

PAINFUL = (Procedure.HEEL_LANCE, Procedure.VENEPUNCTURE, Procedure.IMMUNISATION, Procedure.LUMBAR_PUNCTURE)

# How many moments of each kind raters look at.
BASELINE_LOOKS, PROCEDURE_LOOKS, RECOVERY_LOOKS = 2, 6, 4
OTHER_LOOKS = {EventKind.HUNGER: 2, EventKind.HANDLING: 1, EventKind.APNOEA: 1}


@dataclass(frozen=True, slots=True)
class Session:
    """One session: the condition of the infant, and the ends of the windows that are rated, in order."""

    name: str
    condition: Condition
    looks: tuple[float, ...]
    length_seconds: float


def procedure_session(infant: SimulatedInfant, sedation: Sedation) -> Session:
    """Baseline, one painful procedure and its recovery, another one, and between them hunger, handling, apnoea."""
    rng = generator(infant.seed, "session", infant.number)
    phases, others = _phases(rng)
    scaled = tuple(Phase(phase.procedure, phase.seconds / TIME_SCALE) for phase in phases)
    course = PainCourse(
        phases=scaled,
        repeats=False,
        resting_pain=float(rng.uniform(0.0, 0.9)),
        time_scale=TIME_SCALE,
        sensitivity=float(rng.uniform(0.4, 1.1)),
    )
    events = [*others, *_happenings(rng, sum(phase.seconds for phase in phases), phases)]
    looks = sorted(_looks(rng, phases, others))
    return Session(PROCEDURES, Condition(course, tuple(events), sedation), tuple(looks), course.length_seconds)


def _phases(rng: np.random.Generator) -> tuple[list[Phase], list[Event]]:
    """The phases in real seconds, and the events that have a phase of their own."""
    phases = [Phase(Procedure.BASELINE, 150.0)]
    events: list[Event] = []
    blocks: list[EventKind | Procedure] = [*OTHER_LOOKS, *(PAINFUL[int(i)] for i in rng.integers(0, len(PAINFUL), 2))]
    for index in rng.permutation(len(blocks)):
        block, start = blocks[int(index)], sum(phase.seconds for phase in phases)
        if isinstance(block, Procedure):
            phases += [Phase(block, float(rng.uniform(20, 60))), Phase(Procedure.RECOVERY, float(rng.uniform(80, 140)))]
            continue
        seconds = float(rng.uniform(35, 80)) if block is not EventKind.APNOEA else float(rng.uniform(15, 25))
        events.append(Event(block, start + 5.0, seconds, float(rng.uniform(0.5, 1.0)), rise_seconds=6.0))
        phases.append(Phase(_PHASE_OF[block], seconds + 10.0))
        phases.append(Phase(Procedure.RECOVERY, float(rng.uniform(40, 70))))
    return phases, events


_PHASE_OF = {
    EventKind.HUNGER: Procedure.FEEDING_DUE,
    EventKind.HANDLING: Procedure.HANDLING,
    EventKind.APNOEA: Procedure.BASELINE,
}


def _happenings(rng: np.random.Generator, length: float, phases: list[Phase]) -> list[Event]:
    """What comes at any time: yawns, bright light, alarms, hands, a neighbour that cries; hands during procedures."""
    often = {
        EventKind.YAWN: (5, 3.0, 6.0),
        EventKind.BRIGHT_LIGHT: (2, 20.0, 60.0),
        EventKind.ALARM: (4, 6.0, 25.0),
        EventKind.NEIGHBOUR_CRIES: (2, 20.0, 70.0),
        EventKind.HAND_IN_PICTURE: (4, 4.0, 15.0),
    }
    events = [
        Event(kind, float(rng.uniform(0, length)), float(rng.uniform(short, long)), float(rng.uniform(0.5, 1.0)), 1.0)
        for kind, (count, short, long) in often.items()
        for _ in range(int(rng.poisson(count)))
    ]
    start = 0.0
    for phase in phases:
        if phase.procedure in PAINFUL and rng.random() < 0.4:
            events.append(Event(EventKind.HAND_IN_PICTURE, start + float(rng.uniform(0, 15)), 12.0, 0.8, 1.0))
        if phase.procedure in PAINFUL:
            events.append(Event(EventKind.HANDLING, start - 4.0, 10.0, float(rng.uniform(0.2, 0.5)), 3.0))
        start += phase.seconds
    return events


def _looks(rng: np.random.Generator, phases: list[Phase], others: list[Event]) -> list[float]:
    looks = [float(x) for x in rng.uniform(LEAD_SECONDS, phases[0].seconds, BASELINE_LOOKS)]
    for event in others:
        low, high = event.start_seconds + 8.0, event.start_seconds + event.seconds
        looks += [float(x) for x in rng.uniform(low, max(high, low + 4.0), OTHER_LOOKS[event.kind])]
    start = 0.0
    procedures = [phase for phase in phases if phase.procedure in PAINFUL]
    for index, phase in enumerate(phases):
        if phase.procedure in PAINFUL:
            share = _shared(PROCEDURE_LOOKS, procedures.index(phase), len(procedures))
            looks += [float(x) for x in rng.uniform(start + 4.0, start + phase.seconds, share)]
            share = _shared(RECOVERY_LOOKS, procedures.index(phase), len(procedures))
            after = start + phase.seconds
            looks += [float(x) for x in after + rng.uniform(2.0, min(phases[index + 1].seconds, 60.0), share)]
        start += phase.seconds
    return looks


def _shared(count: int, index: int, parts: int) -> int:
    """How many of ``count`` the part of that index gets."""
    return count // parts + (index < count % parts)
