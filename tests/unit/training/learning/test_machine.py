from __future__ import annotations

import pytest
import torch
from torch import nn

from neopain.errors import ConfigurationError
from neopain.training.machine import Machine, find_machine, half_name

CPU = torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="torch finds no GPU: give --device cpu"):
        find_machine("cuda")


def test_another_device_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--device is 'tpu', expected cpu or cuda"):
        find_machine("tpu")


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_precision_that_a_run_has_chosen_is_kept(name: str) -> None:
    assert half_name(find_machine("cpu", half=name)) == name


def test_half_precision_is_found_out_by_measuring() -> None:
    assert half_name(find_machine("cpu")) in {"float32", "bfloat16"}


def test_a_halved_part_computes_in_half_precision_and_gives_float32() -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(8, 8, 3)
    x = torch.randn(1, 8, 16, 16)
    exact = net(x)
    Machine(CPU, torch.bfloat16).halve(net)
    found = net(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, found.to(torch.bfloat16).to(torch.float32))
    assert 0 < (found - exact).abs().max().item() < 0.05


def test_only_float16_needs_its_gradients_scaled() -> None:
    assert [Machine(CPU, half).needs_scaling for half in (None, torch.bfloat16, torch.float16)] == [False, False, True]


def test_a_placed_net_computes_the_same() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        before = net(x)
        torch.testing.assert_close(Machine(CPU, None).place(net)(x), before)
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_seed_gives_the_numbers_that_it_gives_torch_and_leaves_no_note_behind() -> None:
    torch.manual_seed(7)
    wanted, notes = torch.rand(3), len(torch.cuda._queued_calls)
    Machine(CPU, None).seed(7)
    assert torch.equal(torch.rand(3), wanted)
    assert len(torch.cuda._queued_calls) == notes
