"""Where the arithmetic is done, and in which precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from neopain.errors import ConfigurationError

Net = TypeVar("Net", bound=nn.Module)
Batch = dict[str, Tensor]

CLEARLY_FASTER = 0.9
"""Half precision is taken on a CPU when it needs at most this share of the time."""
_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Machine:
    """A device, and the half precision of its convolutions; None where they are done in float32."""

    device: torch.device
    half: torch.dtype | None

    @property
    def needs_scaling(self) -> bool:
        """Whether gradients may vanish in the half precision: float16 has too few exponents for them."""
        return self.half is torch.float16

    def place(self, net: Net) -> Net:
        """The net on the device, its convolutions in the layout that their kernels want (cuDNN and oneDNN: NHWC)."""
        net.to(self.device)
        for parameter in net.parameters():
            if parameter.dim() in self._layouts:
                parameter.data = parameter.data.contiguous(memory_format=self._layouts[parameter.dim()])
        return net

    @property
    def _layouts(self) -> dict[int, torch.memory_format]:
        """By the number of a kernel's axes. Measured on two cores: the layout for 3D is the slower one there."""
        if self.device.type == "cpu":
            return {4: torch.channels_last}
        return {4: torch.channels_last, 5: torch.channels_last_3d}

    def seed(self, number: int) -> None:
        """Random numbers, of the CPU and of the device, begin here.

        ``torch.manual_seed`` notes, for every kind of device that might be used one day, who called it: without a GPU
        that takes a tenth of the time of small nets, and memory for as long as the process lives.
        """
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed_all(number)

    def put(self, batch: Batch) -> Batch:
        """The batch on the device."""
        if self.device.type == "cpu":
            return batch
        return {name: tensor.pin_memory().to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def halve(self, part: nn.Module) -> None:
        """From now on this part of a net computes in half precision and gives float32: meant for convolutions alone,
        since a score on 0..10 in bfloat16 has steps of 0.06."""
        if self.half is None:
            return
        whole, device, half = part.forward, self.device.type, self.half

        def forward(x: Tensor) -> Tensor:
            with torch.autocast(device, half):
                out: Tensor = whole(x)
            return out.to(torch.float32)

        part.forward = forward

    @property
    def told(self) -> str:
        """In words, for the person who waits."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        return f"{name}, convolutions in {str(self.half or torch.float32).removeprefix('torch.')}"


def find_machine(device: str, *, half: str | None = None) -> Machine:
    """The machine of that name, ``cpu`` or ``cuda``; ``half`` as ``half_name`` gave it, None to find out.

    ``ConfigurationError``: there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device cuda, but torch finds no GPU: give --device cpu, or install its driver")
    if device not in {"cpu", "cuda"}:
        raise ConfigurationError(f"--device is {device!r}, expected cpu or cuda")
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
    chosen = _best_half(device) if half is None else _HALVES[half]
    return Machine(torch.device(device), chosen)


_HALVES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def half_name(machine: Machine) -> str:
    """Name of the precision of the convolutions."""
    return str(machine.half or torch.float32).removeprefix("torch.")


def _best_half(device: str) -> torch.dtype | None:
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if not torch.cpu.get_capabilities().get("avx512_bf16", False):
        return None
    whole, half = _seconds(None), _seconds(torch.bfloat16)
    return torch.bfloat16 if half < CLEARLY_FASTER * whole else None


def _seconds(half: torch.dtype | None) -> float:
    """Shortest time of a few convolutions there and back, on the CPU."""
    net = nn.Sequential(*(nn.Conv2d(64, 64, 3, padding=1, bias=False) for _ in range(3)))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(8, 64, 28, 28).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", half or torch.bfloat16, enabled=half is not None):
            net(x).float().mean().backward()

    step()
    return min(_timed(step) for _ in range(_TRIALS))


def _timed(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
