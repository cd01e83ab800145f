"""How many threads torch has while the tests of a file run, whatever ran before in their process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(*, at_most: int) -> Iterator[None]:
    """Fewer threads within; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, at_most))
    try:
        yield
    finally:
        torch.set_num_threads(before)
