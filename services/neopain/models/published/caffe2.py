"""Caffe2's checkpoints: a Python 2 pickle of numpy arrays, read without pickle's power to call anything.

What a pickle asks for by name is answered by stand-ins that accept only what an array of numbers needs, and rebuild it
here: no function of numpy or of anything else is called for the file.
"""

from __future__ import annotations

import math
import pickle
import re
from io import BytesIO
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

NUMBERS = re.compile(r"([<>|=]?)([fiu][1248]|b1)")
"""Codes of numpy's plain numbers with their order of bytes, as ``dtype`` is called with in a pickle."""

OPCODES = {code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]}
"""Without the one that fills memory by a length alone; arrays need none of them."""


def read_blobs(file: BinaryIO) -> dict[str, Array]:
    """Returns the arrays under ``blobs``.

    ``pickle.UnpicklingError`` when the pickle asks for more than arrays or has no blobs; what else broken pickles
    raise is in ``torch_file.BROKEN``.
    """
    content = _Restricted(BytesIO(file.read()), encoding="latin1").load()
    blobs = content.get("blobs") if isinstance(content, dict) else None
    if not isinstance(blobs, dict):
        raise pickle.UnpicklingError("a pickle without 'blobs'")
    return {str(name): _array(name, value) for name, value in blobs.items()}


def _array(name: object, value: object) -> Array:
    if not isinstance(value, _Array):
        raise pickle.UnpicklingError(f"blob {name!r} is a {type(value).__name__}, expected an array")
    return value.numbers()


class _Restricted(pickle._Unpickler):
    """In Python, not C, and on bytes in memory: else a damaged length makes room for gigabytes that never come."""

    dispatch = OPCODES

    def find_class(self, module: str, name: str) -> object:
        try:
            return STAND_INS[re.sub(r"^numpy\._core\.", "numpy.core.", module), name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no part of weights and could run code; it was not run"
            ) from None


class _Type:
    """Stands for ``numpy.dtype``: a code such as ``f4``, then a state with the order of bytes."""

    def __init__(self, code: str, _align: object = False, _copy: object = False) -> None:
        known = NUMBERS.fullmatch(code)
        if not known:
            raise pickle.UnpicklingError(f"arrays of {code!r}, expected numbers")
        self.order, self.code = known[1] or "=", known[2]

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order, *rest = state[1:5]
        if order not in tuple("<>|=") or rest != [None, None, None]:
            raise pickle.UnpicklingError(f"a number type with state {state!r}, expected plain numbers")
        self.order = str(order)

    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for ``numpy.ndarray``, empty until its state comes: shape, type, whether columns first, bytes."""

    def __init__(self) -> None:
        self.made: Array | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, kind, columns_first, data = state
        content = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(shape, tuple) or not isinstance(kind, _Type) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array that is not made of a shape, a number type and bytes")
        sizes = [int(size) for size in shape]
        dtype = kind.numpy()
        if min(sizes, default=0) < 0 or math.prod(sizes) * dtype.itemsize != len(content):
            raise pickle.UnpicklingError(f"an array of shape {sizes} with {len(content)} bytes of {dtype}")
        self.made = np.frombuffer(content, dtype).reshape(sizes, order="F" if columns_first else "C")

    def numbers(self) -> Array:
        if self.made is None:
            raise pickle.UnpicklingError("an array without content")
        return self.made


def _reconstruct(_kind: object, _shape: object, _code: object) -> _Array:
    """``numpy.core.multiarray._reconstruct``: an array whose state follows."""
    return _Array()


def _scalar(kind: object, data: object) -> _Array:
    """``numpy.core.multiarray.scalar``."""
    array = _Array()
    array.__setstate__((1, (), kind, False, data))
    return array


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """``_codecs.encode``: how Python 3 writes bytes in pickles of protocol 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding!r}, expected bytes as latin1")
    return text.encode("latin1")


STAND_INS: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}
