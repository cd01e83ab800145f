"""Where a stage stands, on disk: written whole or not at all, so that a kill loses little and breaks nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from neopain.errors import ConfigurationError
from neopain.models.torch_file import read_torch_file

FORMAT = "neopain stage 1"


def save_stage(path: Path, fields: dict[str, Any]) -> None:
    """Writes tensors, numbers and texts (in dicts and lists); what was there is replaced when they are on disk.

    ``ConfigurationError`` when it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save({"format": FORMAT, **fields}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}): free the place and go on") from error


def load_stage(path: Path) -> dict[str, Any] | None:
    """Reads what ``save_stage`` wrote, on the CPU; None where there is nothing yet.

    ``ConfigurationError`` when it is damaged or something else.
    """
    if not path.exists():
        return None
    fields = read_torch_file(path)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ConfigurationError(f"{path} is no '{FORMAT}': delete it, and the stage begins anew")
    return fields
