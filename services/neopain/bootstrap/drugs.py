"""Drug codes that no table knows: ``neopain drugs unknown``."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

from neopain.bus.bus import Bus
from neopain.bus.streams import DRUGS
from neopain.domain.drugs import DrugFact
from neopain.runtime.settings import BusSettings, read_settings
from neopain.wire.drugs import decode_drug


def list_unknown_drugs(*, as_json: bool) -> int:
    """Prints each code that came in the last 30 days and no table knows, the most frequent first."""
    facts = asyncio.run(_facts())
    counts = Counter((one.system, one.code, one.text) for one in facts if one.is_unknown)
    for (system, code, text), count in counts.most_common():
        fields = {"system": system, "code": code, "text": text, "count": count}
        print(json.dumps(fields) if as_json else f"{count:6d}  {system or '-'}  {code or '-'}  {text}")
    return 0


async def _facts() -> list[DrugFact]:
    bus = Bus(read_settings(BusSettings).address())
    try:
        return [decode_drug(entry.payload) for entry in await bus.read_range(DRUGS)]
    finally:
        await bus.aclose()
