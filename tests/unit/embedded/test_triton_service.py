from __future__ import annotations

from pathlib import Path

import pytest

from neopain.embedded.triton_service import TritonSettings, run_triton, triton_of
from neopain.errors import ConfigurationError


def settings(root: Path, **more: object) -> TritonSettings:
    return TritonSettings.model_validate({"model_repository": root / "models", "folder": root / "run", **more})


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no model \(\*/config.pbtxt\)"):
        run_triton(settings(tmp_path))


def test_shared_memory_has_the_same_names_at_each_start_in_a_folder(tmp_path: Path) -> None:
    one, again = triton_of(settings(tmp_path)), triton_of(settings(tmp_path))
    other = triton_of(settings(tmp_path, folder=tmp_path / "other"))
    assert one.shm_prefix == again.shm_prefix
    assert one.shm_prefix != other.shm_prefix


def test_grpc_listens_where_it_is_told_and_nowhere_else(tmp_path: Path) -> None:
    arguments = triton_of(settings(tmp_path, http_host="0.0.0.0", grpc_port=9001))._arguments("backends")  # noqa: S104
    assert {"--grpc-address=127.0.0.1", "--grpc-port=9001", "--http-address=0.0.0.0"} <= set(arguments)
