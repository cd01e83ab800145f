"""Filter criteria as texts: split here, since rules do no I/O and know no URLs, and read by the table of topics."""

from __future__ import annotations

from functools import lru_cache

from neopain.charting.api.question import read_pairs
from neopain.codecs.fhir.topics import Filter, Topic, read_filter


@lru_cache(maxsize=1024)
def filter_of(topic: Topic, text: str) -> tuple[Filter, ...]:
    """The conditions of one filter. ``Refused`` (400) for what the topic cannot be filtered by."""
    resource_type, _, query = text.partition("?")
    return read_filter(topic, resource_type, read_pairs(query))
