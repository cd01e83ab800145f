"""Drugs as they lie on the bus: the stream of facts, and for each patient number a hash of those that still count."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

from neopain.bus import scripts
from neopain.bus.bus import Bus
from neopain.bus.connection import translated
from neopain.bus.streams import DRUGS
from neopain.domain.census import Infant
from neopain.domain.drugs import DrugFact, counting_for, periods
from neopain.domain.identity import PatientId
from neopain.wire.drugs import decode_drug, encode_drug

MARK_LIFE = timedelta(days=7)
"""How long a message is recognised as a repetition."""
HASH_LIFE = timedelta(days=90)
"""How long the drugs of a patient number are kept after the last one."""
KEPT = timedelta(days=7)
"""How long a fact is kept after its effect: what is told later than that of the same order finds it no more."""


async def write_drug(bus: Bus, fact: DrugFact, *, mark: str) -> bool:
    """Writes the fact once, to the stream and to the hash of each of its patient's numbers; whether it was new.

    A fact without a class lies on the stream only, unless it ends an order: what that order gave may have one.
    ``BusUnavailable`` when the bus does not answer.
    """
    known = counting_for(fact.processing, await read_drugs_of(bus, fact.patients))
    limit = fact.told - KEPT
    ended = [one.fact.id for one in periods(known) if one.until is not None and one.until < limit]
    over = [one for one in ended if one != fact.id]
    keys = [bus.key("mark", DRUGS.name, mark), bus.stream_key(DRUGS), *_hashes(bus, fact.patients)]
    counts = bool(fact.classes) or (fact.is_stop and bool(fact.order))
    lives = [str(int(life.total_seconds() * 1000)) for life in (MARK_LIFE, HASH_LIFE)]
    arguments = [*lives, fact.id, encode_drug(fact), "1" if counts else "0", *over]
    with translated("write drug"):
        return bool(await cast("Any", bus.durable.eval(scripts.DRUG_WRITE, len(keys), *keys, *arguments)))


async def read_drugs(bus: Bus, infants: Iterable[Infant]) -> tuple[DrugFact, ...]:
    """The facts that still count of these infants, under any of their numbers; also those that a merge has retired."""
    listed = list(infants)
    numbers = [number for one in listed for number in (*one.identifiers, *one.formerly)]
    found = await read_drugs_of(bus, numbers)
    return tuple(fact for fact in found if any(fact.is_of(one) for one in listed))


async def read_drugs_of(bus: Bus, numbers: Iterable[PatientId]) -> list[DrugFact]:
    """The facts that lie under these numbers, each once; the authority of a number is not compared."""
    keys = _hashes(bus, numbers)
    if not keys:
        return []
    with translated("read drugs"):
        async with bus.durable.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hvals(key)
            pages = cast("list[list[bytes]]", await pipe.execute())
    facts = [decode_drug(payload) for page in pages for payload in page]
    return list({fact.id: fact for fact in facts}.values())


def _hashes(bus: Bus, numbers: Iterable[PatientId]) -> list[str]:
    return [bus.key("drugs", "of", value) for value in dict.fromkeys(number.value for number in numbers)]
