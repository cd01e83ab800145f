"""Many monitors at once: each sends one PCD-01 message, waits for its acknowledgement, and sends the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

START, END = b"\x0b", b"\x1c\r"
SENT_OBX = 25
BENCH_UNIT = "BENCH"
"""The unit of every bed."""
_ROWS = (
    ("147842", "MDC_ECG_HEART_RATE", "/min"),
    ("150456", "MDC_PULS_OXIM_SAT_O2", "%"),
    ("151562", "MDC_RESP_RATE", "/min"),
    ("149530", "MDC_PULS_OXIM_PULS_RATE", "/min"),
    ("150033", "MDC_PRESS_BLD_ART_SYS", "mm[Hg]"),
    ("150034", "MDC_PRESS_BLD_ART_DIA", "mm[Hg]"),
    ("150035", "MDC_PRESS_BLD_ART_MEAN", "mm[Hg]"),
    ("150021", "MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]"),
    ("150022", "MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]"),
    ("150023", "MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]"),
    ("150344", "MDC_TEMP", "Cel"),
    ("150488", "MDC_BLD_PERF_INDEX", "%"),
    ("188420", "MDC_TEMP_RECT", "Cel"),
)


@dataclass(slots=True)
class Sent:
    """What the monitors saw."""

    acknowledged: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    """From the last byte of a message to the last of its acknowledgement."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many monitors, for how long, and how many messages a second in all; without a rate as fast as answered.
    ``messages`` ends it earlier, when so many have been answered in all."""

    connections: int
    seconds: float
    rate: float | None = None
    messages: int | None = None

    def share(self, monitor: int) -> int | None:
        """How many messages that monitor sends at most."""
        if self.messages is None:
            return None
        return self.messages // self.connections + (monitor < self.messages % self.connections)


def message(monitor: int, number: int, now: datetime) -> bytes:
    """About 2 KB: 25 OBX of 13 kinds, each value its own."""
    sent = f"{now:%Y%m%d%H%M%S}.{now.microsecond // 1000:03d}+0000"
    lines = [
        f"MSH|^~\\&|MON{monitor}^0011^EUI-64|NICU|||{sent}||ORU^R01^ORU_R01|{monitor}-{number}|D|2.6|||NE|AL",
        f"PID|||{70000 + monitor}^^^HOSP^MR",
        f"PV1||I|{BENCH_UNIT}^1^{monitor}",
        f"OBR|1|{number}^MON|{number}^MON|182777000^monitoring of patient^SCT|||{sent}",
    ]
    for place in range(SENT_OBX):
        code, name, unit = _ROWS[place % len(_ROWS)]
        value = 50 + (monitor * 7 + number * 3 + place) % 45
        lines.append(f"OBX|{place + 1}|NM|{code}^{name}^MDC|1.1.1.{place + 1}|{value}.{number % 10}|{unit}|||||R")
    return "\r".join(lines).encode() + b"\r"


async def send(port: int, load: Load, sent: Sent | None = None) -> Sent:
    """Runs the load against a listener on loopback; ``sent``, if given, tells how far it is meanwhile.

    Raises ``OSError`` when a connection cannot be had or is lost.
    """
    sent = Sent() if sent is None else sent
    until = time.perf_counter() + load.seconds
    pause = load.connections / load.rate if load.rate else None
    async with asyncio.TaskGroup() as group:
        for monitor in range(load.connections):
            one = _Monitor(monitor, sent, _pacing(monitor, load, pause), load.share(monitor))
            group.create_task(one.run(port, until))
    return sent


def _pacing(monitor: int, load: Load, pause: float | None) -> Callable[[int], float]:
    begun = time.perf_counter()
    if pause is None:
        return lambda _: 0.0
    first = begun + pause * monitor / load.connections
    return lambda number: max(first + number * pause - time.perf_counter(), 0.0)


@dataclass(slots=True)
class _Monitor:
    name: int
    sent: Sent
    wait_before: Callable[[int], float]
    most: int | None

    async def run(self, port: int, until: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = 0
        while time.perf_counter() < until and number != self.most:
            wait = self.wait_before(number)
            if wait:
                await asyncio.sleep(wait)
            writer.write(START + message(self.name, number, datetime.now(UTC)) + END)
            begun = time.perf_counter()
            answer = await reader.readuntil(END)
            self.sent.seconds.append(time.perf_counter() - begun)
            if b"\rMSA|AA|" in answer or b"\rMSA|CA|" in answer:
                self.sent.acknowledged += 1
            else:
                self.sent.refused += 1
            number += 1
        writer.close()
