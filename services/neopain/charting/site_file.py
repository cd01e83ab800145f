"""Reading a TOML file of the site, strictly: each fault is told with the file, the key and the rule."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from neopain.errors import ConfigurationError

LARGEST_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path, *, what: str) -> str:
    """The text of a file that is ``what``; ``ConfigurationError`` when it is too large or cannot be read."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"{path}: larger than {LARGEST_BYTES} bytes, which no {what} is")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} {path} cannot be read as UTF-8: {error}") from error


def parse(text: str, model: type[Model], *, file: str) -> Model:
    """The text as the model has it. Raises ``ConfigurationError``; ``file`` is its name there."""
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(_fault(one["loc"], one["type"], one["msg"]) for one in error.errors())
        raise ConfigurationError(f"{file}: {faults}") from error


def _fault(location: tuple[int | str, ...], kind: str, message: str) -> str:
    parts = [str(part + 1) if isinstance(part, int) else part for part in location]
    key = ".".join(part for part in parts if part != "[key]")
    return f"key {key}: {'not known' if kind == 'extra_forbidden' else message.removeprefix('Value error, ')}"
