"""Bands of gestational age, by which margins, alerts and reports are told apart."""

from __future__ import annotations

GA_BANDS = ((28, "<28"), (32, "28-31"), (37, "32-36"))
"""Completed weeks below which a band ends, and its name."""
TERM = ">=37"
GA_UNKNOWN = "unknown"
GA_BAND_NAMES = (*(name for _, name in GA_BANDS), TERM, GA_UNKNOWN)


def ga_band(gestational_age_days: int | None) -> str:
    """The band of a gestational age: ``<28``, ``28-31``, ``32-36`` or ``>=37`` completed weeks, or ``unknown``."""
    if gestational_age_days is None:
        return GA_UNKNOWN
    weeks = gestational_age_days // 7
    return next((name for end, name in GA_BANDS if weeks < end), TERM)
