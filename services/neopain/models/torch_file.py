"""Files written by ``torch.save``, read without running code that may be in them."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import torch

from neopain.errors import ConfigurationError

BROKEN = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)
"""What unpicklers raise on bytes that they cannot use: the documentation of ``pickle`` promises no closed list."""

TORCHSCRIPT = (
    "is a TorchScript archive, that is a program, and is not read: where you trust it, load it, save its state_dict()"
    " with torch.save, and give that file"
)


def read_torch_file(path: Path) -> object:
    """Returns what the file holds, on the CPU: tensors, numbers, texts, and lists and dicts of them.

    ``ConfigurationError``: it cannot be read, is cut off, is a TorchScript archive, or asks for anything else.
    """
    with opened(path) as file:
        try:
            if _is_torchscript(file):
                raise ConfigurationError(f"{path} {TORCHSCRIPT}")
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # about pickles of other protocols; these are refused
                return torch.load(file, map_location="cpu", weights_only=True)
        except BROKEN as error:
            raise ConfigurationError(f"{path} {_reason(error)}") from error


def opened(path: Path) -> BufferedReader:
    """The file to read from; ``ConfigurationError`` when it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): give a file that exists and may be read"
        ) from error


def _is_torchscript(file: BinaryIO) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.split("/", 1)[-1] == "constants.pkl" for name in archive.namelist())


def _reason(error: Exception) -> str:
    """Torch's message without its advice to load the file trustingly."""
    text = str(error)
    if wanted := re.search(r"GLOBAL ([\w.]+)", text):
        return (
            f"asks for {wanted[1]}, which is no part of weights and could run code; it was not run:"
            " give a file that holds only tensors, numbers and texts"
        )
    told = re.search(r"WeightsUnpickler error: (.*)", text)
    line = told[1] if told else (text.strip().splitlines() or [type(error).__name__])[0]
    return f"holds no weights that torch can read ({line}): it is damaged or something else; fetch or write it again"
