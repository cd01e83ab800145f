"""Waveforms over MLLP: their beats are on the bus when they are acknowledged, each once, whatever is killed between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from neopain.domain.identity import PatientId, SourceId
from neopain.domain.vitals import Processing, Validity, VitalKind

RATE_HZ = 125
BEATS = 0.3 + 0.42 * np.arange(28)


def samples(first: int, count: int, *, kind: str = "ecg") -> str:
    times = np.arange(first, first + count) / RATE_HZ
    width, after = (0.012, 0.0) if kind == "ecg" else (0.05, 0.12)
    values = sum(1000 * np.exp(-0.5 * ((times - beat - after) / width) ** 2) for beat in BEATS)
    return "^".join(str(round(float(value))) for value in values)


def message(second: int, start: datetime, *, value: str = "", flags: str = "", processing: str = "P") -> bytes:
    """One second of lead II and pleth beside a heart rate; the start is the message's own."""
    at = f"{start + timedelta(seconds=second):%Y%m%d%H%M%S.%f}+0000"
    first = second * RATE_HZ
    lines = [
        rf"MSH|^~\&|MON|NICU|||{at}||ORU^R01^ORU_R01|{second}|{processing}|2.6",
        "PID|||77^^^HOSP^MR",
        "PV1||I|NICU^1^3",
        f"OBR|1||||||{at}",
        "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||142|/min|||||R",
        f"OBX|2|NA|150452^MDC_PULS_OXIM_PLETH^MDC|2|{samples(first, RATE_HZ, kind='pleth')}|||{flags}|||R",
        f"OBX|3|NM|0^MDC_ATTR_SAMP_RATE^MDC|2.1|{RATE_HZ}|Hz|||||R",
        f"OBX|4|NA|131330^MDC_ECG_ELEC_POTL_II^MDC|1|{value or samples(first, RATE_HZ)}|||{flags}|||R",
        f"OBX|5|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1|{RATE_HZ}|Hz|||||R",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


def recently() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=1)


async def intervals(door: Any) -> list[Any]:
    batches = [batch for batch in await door.batches() if batch.source.kind == "hl7-waveform"]
    return [sample for batch in batches for sample in batch.samples]


async def test_beats_of_an_acknowledged_waveform_are_on_the_bus_apart_from_the_numerics(door: Any) -> None:
    start = recently()
    for second in range(4):
        assert (await door.ask(message(second, start)))[1] == f"MSA|AA|{second}"
    numerics, *_ = batches = await door.batches()
    waves = [batch for batch in batches if batch.source == SourceId("hl7-waveform", "MON/NICU")]
    assert {sample.kind for sample in numerics.samples} == {VitalKind.HEART_RATE}
    assert {(batch.patient, batch.processing) for batch in waves} == {(PatientId("77", "HOSP"), Processing.PRODUCTION)}
    told = [sample for batch in waves for sample in batch.samples]
    np.testing.assert_allclose([one.value for one in told], 420.0, atol=0.2)
    assert {(one.kind, one.code, one.validity) for one in told} == {
        (VitalKind.RR_INTERVAL, "131330", Validity.GOOD),
    }
    found = [(one.timing.source - start).total_seconds() for one in told]
    np.testing.assert_allclose(found, BEATS[1:8], atol=0.005)


async def test_listeners_that_remember_nothing_and_messages_sent_again_lose_and_double_no_beat(
    opening: Any, address: Any
) -> None:
    start = recently()
    for seconds in ((0, 1, 2, 3), (3, 4, 4), (5, 6, 7)):
        async with opening(address) as door:
            for second in seconds:
                assert (await door.ask(message(second, start)))[1] == f"MSA|AA|{second}"
            told = await intervals(door)
    np.testing.assert_allclose([one.value for one in told], 420.0, atol=0.2)
    found = [(one.timing.source - start).total_seconds() for one in told]
    np.testing.assert_allclose(found, BEATS[1:18], atol=0.005)


async def test_two_connections_of_one_monitor_take_turns_without_losing_a_beat(door: Any) -> None:
    start = recently()
    connections = [await door.connect(), await door.connect()]
    for second in range(8):
        await connections[second % 2].ask(message(second, start))
    assert len(await intervals(door)) == 17


async def test_samples_that_the_device_calls_test_data_give_no_interval(door: Any) -> None:
    start = recently()
    for second in range(6):
        await door.ask(message(second, start, flags="TEST"))
    assert await intervals(door) == []


async def test_training_waveforms_are_flagged_and_never_joined_to_an_infant_s(door: Any) -> None:
    start = recently()
    for second in range(8):
        await door.ask(message(second, start, processing="T" if second < 4 else "P"))
    batches = [batch for batch in await door.batches() if batch.source.kind == "hl7-waveform"]
    training = [one for batch in batches if batch.processing is Processing.TRAINING for one in batch.samples]
    real = [one for batch in batches if batch.processing is Processing.PRODUCTION for one in batch.samples]
    assert all(one.timing.source < start + timedelta(seconds=4) for one in training)
    assert all(one.timing.source - timedelta(seconds=0.42) > start + timedelta(seconds=4) for one in real)
    assert (len(training), len(real)) == (7, 8)


async def test_the_pleth_stands_in_while_the_lead_is_off_and_the_lead_comes_back(door: Any) -> None:
    start = recently()
    off = "^".join(["32767"] * RATE_HZ)
    for second in range(11):
        await door.ask(message(second, start, value=off if second < 6 else ""))
    codes = [one.code for one in await intervals(door)]
    assert codes.index("131330") > 0
    assert set(codes[: codes.index("131330")]) == {"150452"}
    assert set(codes[codes.index("131330") :]) == {"131330"}


async def test_a_waveform_without_a_bed_is_refused(door: Any) -> None:
    only = b"\r".join(line for line in message(0, recently()).split(b"\r") if not line.startswith((b"PV1", b"OBX|1|")))
    assert (await door.ask(only))[1].startswith("MSA|AE|0|PV1-3")
