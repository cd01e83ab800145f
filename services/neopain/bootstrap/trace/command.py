"""The command: finds the messages, follows each, prints."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from neopain.bootstrap.dead_letters import on_bus
from neopain.bootstrap.looks import tell_look
from neopain.bootstrap.trace.found import Message, find_messages
from neopain.bootstrap.trace.told import Traced, as_fields, as_page, infants_told
from neopain.bootstrap.trace.windows import scores_on_bus, stretch_of, way_of
from neopain.bus.bus import Bus
from neopain.bus.streams import CENSUS, DRUGS, RECEIPTS, VITALS, StreamSpec
from neopain.charting.settings import ChartingSettings
from neopain.charting.tracing import ChartedStretch, Stretch, read_stretches
from neopain.domain.score import Score
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings

DATABASE = "NEOPAIN_CHARTING_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """Which message: ``source`` narrows to one sender, ``most`` to the newest so many of each; ``by`` reads it."""

    control_id: str
    source: str = ""
    most: int = 5
    by: str = ""
    as_json: bool = False


def run_trace(options: TraceOptions) -> int:
    """Prints the way of every message of that control id: patient data, and audited.

    ``ConfigurationError`` when nothing kept tells of one.

    Without ``NEOPAIN_CHARTING_DATABASE_URL`` charting is not asked, and it says so.
    """
    now = SystemClock().now()

    async def read(bus: Bus) -> list[tuple[Message, list[list[Score]]]]:
        messages = _chosen(await find_messages(bus, options.control_id), options)
        return [(one, [await scores_on_bus(bus, stored) for stored in one.vitals]) for one in messages]

    found = on_bus(read)
    if not found:
        raise ConfigurationError(_nothing(options))
    traced = _with_charting(found, now)
    told = [infant for one in traced for infant in infants_told(one)]
    on_bus(lambda bus: tell_look(bus, f"trace {options.control_id}", told, by=options.by))
    if options.as_json:
        print(json.dumps({"control_id": options.control_id, "messages": [as_fields(one, now) for one in traced]}))
    else:
        print("\n\n".join("\n".join(as_page(one, now)) for one in traced))
    return 0


def _chosen(messages: Sequence[Message], options: TraceOptions) -> list[Message]:
    of_source: defaultdict[str, list[Message]] = defaultdict(list)
    for one in messages:
        if not options.source or (one.source is not None and options.source in (str(one.source), one.source.name)):
            of_source[str(one.source)].append(one)
    return [one for own in of_source.values() for one in own[-options.most :]]


def _with_charting(found: Sequence[tuple[Message, list[list[Score]]]], now: datetime) -> list[Traced]:
    stretches = [stretch_of(stored) for message, _ in found for stored in message.vitals]
    charted = iter(_charted(stretches))
    return [
        Traced(
            message,
            tuple(
                way_of(stored, scores, next(charted), now)
                for stored, scores in zip(message.vitals, on_the_bus, strict=True)
            ),
        )
        for message, on_the_bus in found
    ]


def _charted(stretches: list[Stretch]) -> Sequence[ChartedStretch | None]:
    if not os.environ.get(DATABASE):
        return [None] * len(stretches)
    return list(read_stretches(read_settings(ChartingSettings).database_url, stretches))


def _nothing(options: TraceOptions) -> str:
    of_source = f" of {options.source}" if options.source else ""
    kept = ", ".join(f"{stream.name} {_hours(stream)}" for stream in (RECEIPTS, VITALS, CENSUS, DRUGS))
    return (
        f"no message with control id {options.control_id}{of_source} is known: it never came, or is no longer kept "
        f"({kept}, dead letters for ever)"
    )


def _hours(stream: StreamSpec) -> str:
    return f"{stream.retention.total_seconds() / 3600:g} h" if stream.retention is not None else "for ever"
