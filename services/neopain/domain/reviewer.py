"""Who reviews: a person, as the one who vouches for her names her."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who reviews: the person's id under who vouches for it (the issuer of her token), and how she is called."""

    id: str
    issuer: str
    display: str
