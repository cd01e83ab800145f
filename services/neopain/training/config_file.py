"""A training's config from a TOML file: a preset, and what differs from it.

Strict: a name or a type that is not known is refused, since a misspelt setting that is silently left out costs a night.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from neopain.errors import ConfigurationError
from neopain.models.log_mel import PATCHES
from neopain.training.config import PRESETS, VIDEO_PARTS, Steps, TrainConfig

PRESET_KEY = "preset"

Value = TypeVar("Value")


def read_config(path: Path | None) -> TrainConfig:
    """The config of a file; without one, the default preset.

    ``ConfigurationError`` names the file, the key, the value and the rule.
    """
    if path is None:
        return PRESETS["default"]()
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}): give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from error
    try:
        return parse_config(table)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def parse_config(table: dict[str, Any]) -> TrainConfig:
    """The preset that ``preset`` names (``default`` if none is), with the table's other values in their places."""
    preset = table.get(PRESET_KEY, "default")
    if preset not in PRESETS:
        raise ConfigurationError(f"{PRESET_KEY} is {preset!r}, expected one of {', '.join(PRESETS)}")
    changes = {name: value for name, value in table.items() if name != PRESET_KEY}
    config = _changed(PRESETS[preset](), changes, where="")
    _require_sense(config)
    return config


def _changed(value: Value, table: dict[str, Any], *, where: str) -> Value:
    """The dataclass with the table's values in place of its own, tables within it likewise."""
    known = {each.name for each in fields(value)}  # type: ignore[arg-type]
    changes = {}
    for name, given in table.items():
        place = f"{where}{name}"
        if name not in known:
            raise ConfigurationError(f"{place} is not known, expected one of {', '.join(sorted(known))}")
        old = getattr(value, name)
        if is_dataclass(old):
            if not isinstance(given, dict):
                raise ConfigurationError(f"{place} is {given!r}, expected a table [{place}]")
            changes[name] = _changed(old, given, where=f"{place}.")
        else:
            changes[name] = _converted(given, old, place)
    return replace(value, **changes)  # type: ignore[type-var]


def _converted(given: Any, old: Any, place: str) -> Any:
    match old, given:
        case bool(), bool():
            return given
        case int(), int() if not isinstance(old, bool) and not isinstance(given, bool):
            return given
        case float(), int() | float() if not isinstance(given, bool):
            return float(given)
        case str(), str():
            return given
        case tuple(), list() if len(given) == len(old) and all(type(one) is type(old[0]) for one in given):
            return tuple(given)
    raise ConfigurationError(f"{place} is {given!r}, expected something like {old!r}")


def _require_sense(config: TrainConfig) -> None:
    for name, share in (("tune", config.split.tune), ("fusion_only", config.split.fusion_only)):
        if not 0 <= share < 1:
            raise ConfigurationError(f"split.{name} is {share}, expected a share from 0 to below 1")
    if config.split.tune == 0 or config.split.tune + config.split.fusion_only >= 1:
        raise ConfigurationError("split leaves no infants to tune on or none to train on: tune > 0, both below 1")
    if config.video.trained_from not in VIDEO_PARTS:
        raise ConfigurationError(f"video.trained_from is {config.video.trained_from!r}, expected one of {VIDEO_PARTS}")
    if config.fusion.trials < 1 or config.readers < 1:
        raise ConfigurationError("fusion.trials and readers are counts: expected 1 or more")
    if not 1 <= config.audio.patches <= PATCHES:
        raise ConfigurationError(f"audio.patches is {config.audio.patches}, expected 1 to {PATCHES}")
    for name in ("face", "video", "audio"):
        if not 0 <= (share := getattr(config, name).disturbed) <= 1:
            raise ConfigurationError(f"{name}.disturbed is {share}, expected a share from 0 to 1")
    for name in ("face", "video", "audio", "vitals", "fusion"):
        _require_steps(getattr(config, name).plan, f"{name}.plan")


def _require_steps(plan: Steps, place: str) -> None:
    for name in ("batch", "accumulate", "check_every", "check_windows", "patience"):
        if getattr(plan, name) < 1:
            raise ConfigurationError(f"{place}.{name} is {getattr(plan, name)}, expected 1 or more")
    if plan.steps < 0 or plan.lr <= 0 or plan.minutes < 0:
        raise ConfigurationError(f"{place}: steps and minutes must be 0 or more, lr above 0")
    if not (0 <= plan.warmup < 1 and 0 <= plan.average < 1):
        raise ConfigurationError(f"{place}: warmup and average are shares from 0 to below 1")
