"""What is read from published files, and that nothing in them is ever run."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from neopain.errors import ConfigurationError
from neopain.models.published.weights_file import read_published

from .published_layouts import write_python2_pickle

pytestmark = pytest.mark.torch


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_published(path)
    return str(refused.value)


class Runs:
    """Unpickled naively, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, protocol: int) -> None:
    content = {"blobs": {"conv1_w": np.zeros(2, np.float32), "conv1_b": Runs(tmp_path / "ran")}}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    assert "asks for posix.mkdir, which is no part of weights and could run code" in refusal(tmp_path / "a.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_file_is_not_run(tmp_path: Path, zipped: bool) -> None:
    content = {"model_state": {"w": torch.zeros(2)}, "epoch": Runs(tmp_path / "ran")}
    torch.save(content, tmp_path / "a.pyth", _use_new_zipfile_serialization=zipped)
    assert "asks for posix.mkdir, which is no part of weights and could run code" in refusal(tmp_path / "a.pyth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "module_and_name",
    ["builtins eval", "numpy load", "numpy.core.multiarray fromfile", "numpy dtype.type", "torch load"],
)
def test_functions_of_modules_that_arrays_come_from_are_refused_too(tmp_path: Path, module_and_name: str) -> None:
    module, name = module_and_name.split()
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02c" + f"{module}\n{name}\n".encode() + b".")
    assert f"asks for {module}.{name}" in refusal(tmp_path / "a.pkl")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_archive_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(tmp_path / "a.pt"))
    assert "is a TorchScript archive, that is a program, and is not read" in refusal(tmp_path / "a.pt")


def test_arrays_of_python_2_are_read(tmp_path: Path) -> None:
    write_python2_pickle(tmp_path / "a.pkl", {"conv1_w": torch.tensor([[1.5, -2.0, 3.0]]), "lr": torch.tensor([0.1])})
    read = read_published(tmp_path / "a.pkl")
    assert read["conv1_w"].tolist() == [[1.5, -2.0, 3.0]]
    assert read["lr"].tolist() == pytest.approx([0.1])


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]], dtype="<f4"),
        np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]], dtype=">f8"),
        np.asfortranarray(np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]], dtype="f4")),
        np.array(7, dtype="i8"),
        np.float64(0.25),
    ],
    ids=["little-endian", "big-endian", "columns first", "one number", "scalar"],
)
def test_arrays_of_python_3_are_read(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"blobs": {"w": array}}, protocol=protocol))
    assert read_published(tmp_path / "a.pkl")["w"].tolist() == array.tolist()


@pytest.mark.parametrize(
    ("blobs", "words"),
    [
        (np.array([None]), "arrays of 'O8', expected numbers"),
        (np.array(["text"]), "arrays of 'U4', expected numbers"),
        (np.zeros(2, dtype=[("a", "f4")]), "arrays of 'V4', expected numbers"),
        ("text", "blob 'w' is a str, expected an array"),
    ],
)
def test_arrays_of_anything_but_numbers_are_refused(tmp_path: Path, blobs: object, words: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"blobs": {"w": blobs}}, protocol=2))
    assert words in refusal(tmp_path / "a.pkl")


def test_an_array_with_fewer_bytes_than_its_shape_is_refused(tmp_path: Path) -> None:
    write_python2_pickle(tmp_path / "a.pkl", {"w": torch.zeros(3)})
    content = (tmp_path / "a.pkl").read_bytes()
    (tmp_path / "a.pkl").write_bytes(content.replace(b"J\x03\x00\x00\x00t", b"J\xff\xff\xff\x7ft"))
    assert "an array of shape [2147483647] with 12 bytes of float32" in refusal(tmp_path / "a.pkl")


def test_a_pickle_without_blobs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"weights": {}}, protocol=2))
    assert "a pickle without 'blobs'" in refusal(tmp_path / "a.pkl")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_pickle_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    write_python2_pickle(tmp_path / "a.pkl", {"w": torch.zeros(300)})
    whole = (tmp_path / "a.pkl").read_bytes()
    (tmp_path / "a.pkl").write_bytes(whole[: int(share * len(whole))])
    assert "a.pkl is no Caffe2 checkpoint that can be read" in refusal(tmp_path / "a.pkl")


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"\x89HDF\r\n"])
def test_what_is_neither_a_torch_file_nor_a_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pyth").write_bytes(content)
    assert "a.pyth is neither a torch file nor a pickle" in refusal(tmp_path / "a.pyth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "none.pyth cannot be read (No such file or directory)" in refusal(tmp_path / "none.pyth")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(2)], "holds a list, expected tensors by name"),
        ({}, "holds a dict, expected tensors by name"),
        ({"model_state": {"w": [1.0]}}, "has under 'w' a list, expected a dense tensor"),
        ({"w": torch.zeros(2, 2).to_sparse()}, "has under 'w' a Tensor, expected a dense tensor"),
        ({"w": torch.zeros(2, device="meta")}, "has under 'w' a Tensor, expected a dense tensor"),
    ],
)
def test_a_torch_file_without_tensors_by_name_is_refused(tmp_path: Path, content: object, words: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert words in refusal(tmp_path / "a.pth")


def test_standard_pickle_reads_our_python_2_files_as_the_same_arrays(tmp_path: Path) -> None:
    write_python2_pickle(tmp_path / "a.pkl", {"w": torch.tensor([[1.5, -2.0]])})
    content = (tmp_path / "a.pkl").read_bytes().replace(b"numpy.core.", b"numpy._core.")
    read = pickle.load(io.BytesIO(content), encoding="latin1")  # noqa: S301 (written above)
    assert read["blobs"]["w"].tolist() == [[1.5, -2.0]]
