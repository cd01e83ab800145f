"""Disturbances that go less far."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

How = TypeVar("How")


def gentler(how: How, share: float) -> How:
    """The disturbance with that share of each of its lengths and probabilities; whole numbers stay whole."""
    values = {each.name: getattr(how, each.name) for each in fields(how)}  # type: ignore[arg-type]
    return replace(how, **{name: type(value)(value * share) for name, value in values.items()})  # type: ignore[type-var]
