"""Triton in the foreground, as a container runs it: the same layout and arguments as in the demo, at set addresses."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Doors, Triton
from neopain.errors import ConfigurationError


class TritonSettings(BaseSettings):
    """``NEOPAIN_TRITON_*``: what ``neopain triton serve`` reads."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_TRITON_")

    model_repository: Path = Field(description="Folder of the models: one folder each, with its config.pbtxt")
    folder: Path = Field(
        description="Writable folder for the Python backend and links; one for each Triton; it may be empty"
    )
    grpc_host: str = Field("127.0.0.1", description="Where Triton's gRPC service listens; it has no TLS")
    grpc_port: int = Field(8001, ge=1, le=65535, description="Port of the gRPC service")
    http_host: str = Field("127.0.0.1", description="Where Triton's probes (/v2/health) and metrics listen")
    http_port: int = Field(8000, ge=1, le=65535, description="Port of the HTTP service with the probes")
    metrics_port: int = Field(8002, ge=1, le=65535, description="Port of /metrics")
    threads: int = Field(
        0, ge=0, description="Most threads of each net; 0 is as config.pbtxt says: for encoders, every processor seen"
    )
    device: Literal["", "cpu", "cuda"] = Field(
        "", description="What the nets run on; empty is as config.pbtxt says. This release serves on cpu only"
    )


def run_triton(settings: TritonSettings) -> NoReturn:
    """Becomes Triton: signals and the exit code are its own.

    ``ConfigurationError`` when there are no models, or a part of Triton is not installed.
    """
    if not any(settings.model_repository.glob("*/config.pbtxt")):
        raise ConfigurationError(
            f"{settings.model_repository} holds no model (*/config.pbtxt): set NEOPAIN_TRITON_MODEL_REPOSITORY"
        )
    command = triton_of(settings).prepare()
    os.chdir(command.cwd)
    os.execve(command.argv[0], command.argv, {**os.environ, **command.env, **_engine_variables(settings)})  # noqa: S606


def triton_of(settings: TritonSettings) -> Triton:
    """The Triton of the settings. Its shared memory has the same names at each start in a folder, so that what a killed
    one has left is removed."""
    folder = settings.folder.resolve()
    doors = Doors(
        grpc_port=settings.grpc_port,
        http_port=settings.http_port,
        metrics_port=settings.metrics_port,
        grpc_host=settings.grpc_host,
        http_host=settings.http_host,
        shm_prefix=f"neopain-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}-",
    )
    return Triton(StateFolder(folder), settings.model_repository, doors=doors)


def _engine_variables(settings: TritonSettings) -> dict[str, str]:
    """What the backend's processes are told; they read these names (``neopain.models.triton_shell``)."""
    told = {"NEOPAIN_ENGINE_THREADS": str(settings.threads or ""), "NEOPAIN_ENGINE_DEVICE": settings.device}
    return {name: value for name, value in told.items() if value}
