"""Triton Inference Server from the nvidia-pytriton wheel; only its binary, its Python backend and the stub are used.

The backend keeps its tensors in /dev/shm under names that start with ours, so that several Tritons live side by side
and what a killed one leaves behind can be told and removed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from neopain.embedded.libpython import find_libpython
from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.process import Command
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.embedded.wheels import wheel_file
from neopain.errors import ConfigurationError

SHM = Path("/dev/shm")  # noqa: S108 -- where the kernel keeps POSIX shared memory
SHM_BYTES = 8 * 1024 * 1024
"""First size of each model's region: a clip of 2.4 MB and its neighbours fit without growing."""
STUB_TIMEOUT_SECONDS = 120
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a Triton listens, and how the names of its shared memory begin."""

    grpc_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    grpc_host: str = HOST
    http_host: str = HOST
    """Of the HTTP service and of the metrics."""
    shm_prefix: str = field(default_factory=lambda: f"neopain-{secrets.token_hex(4)}-")


class Triton(Server):
    """One Triton, serving a model repository; without ``doors``, on free ports of loopback. It serves only when every
    model is loaded."""

    ready_seconds = 180.0
    """Compiling a net for this processor takes most of it."""

    def __init__(
        self,
        state: StateFolder,
        model_repository: Path,
        *,
        name: str = "triton",
        doors: Doors | None = None,
        extra_arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(name, state)
        self.model_repository = model_repository.resolve()
        self.doors = doors or Doors()
        self.shm_prefix = self.doors.shm_prefix
        self._extra_arguments = extra_arguments

    @property
    def url(self) -> str:
        """``host:port`` of the gRPC service, as tritonclient takes it."""
        return f"{HOST}:{self.doors.grpc_port}"

    @property
    def http_url(self) -> str:
        """Base URL of the HTTP service."""
        return f"http://{HOST}:{self.doors.http_port}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus metrics."""
        return f"http://{HOST}:{self.doors.metrics_port}/metrics"

    def prepare(self) -> Command:
        """Lay out the backend folder and return the server's command.

        The backend hands its paths to a shell without quotes: they are relative, so that a folder with spaces works.
        """
        self.remove_shared_memory()
        home = self.state.folder(self.name)
        backends = lay_out_backend(home)
        link(self.model_repository, home / "models")
        return Command(
            self.name,
            (str(wheel_folder() / "bin" / "tritonserver"), *self._arguments(backends.name)),
            env=self._environment(home),
            cwd=home,
            # It keeps nothing, and its own farewell to models that nobody asks takes three seconds.
            stop_signal=signal.SIGKILL,
            grace_seconds=15.0,
            remove=(f"{SHM}/{self.shm_prefix}*",),
        )

    def is_ready(self) -> bool:
        """Ask the readiness endpoint, which waits for all models."""
        return answers_ok(f"{self.http_url}/v2/health/ready")

    def stop(self) -> None:
        """Stop it and remove its shared memory."""
        super().stop()
        self.remove_shared_memory()

    def remove_shared_memory(self) -> None:
        """Remove what a killed backend of ours has left in /dev/shm."""
        for region in SHM.glob(f"{self.shm_prefix}*"):
            region.unlink(missing_ok=True)

    def _arguments(self, backends: str) -> tuple[str, ...]:
        python_backend = {
            "shm-region-prefix-name": self.shm_prefix,
            "shm-default-byte-size": SHM_BYTES,
            "shm-growth-byte-size": SHM_BYTES,
            "stub-timeout-seconds": STUB_TIMEOUT_SECONDS,
        }
        return (
            "--model-repository=models",
            f"--backend-directory={backends}",
            *(f"--backend-config=python,{key}={value}" for key, value in python_backend.items()),
            f"--grpc-address={self.doors.grpc_host}",
            *(f"--{service}-address={self.doors.http_host}" for service in ("http", "metrics")),
            f"--grpc-port={self.doors.grpc_port}",
            f"--http-port={self.doors.http_port}",
            f"--metrics-port={self.doors.metrics_port}",
            "--disable-auto-complete-config",  # config.pbtxt is the truth, and one stub less per model is started
            "--strict-readiness=true",
            "--exit-on-error=true",
            "--exit-timeout-secs=10",
            *self._extra_arguments,
        )

    def _environment(self, home: Path) -> dict[str, str]:
        """The stub finds its Python by ``python3`` on PATH, so this environment's folder comes first."""
        libraries = [wheel_folder().parents[1] / "nvidia_pytriton.libs"]
        libpython = find_libpython(self.state.folder("libpython"))
        if libpython is not None:
            libraries.append(link_library(libpython, home / "lib"))
        return {
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        }


def wheel_folder() -> Path:
    """Return the server's folder in the nvidia-pytriton wheel. ``ConfigurationError`` when it is missing."""
    return wheel_file("pytriton", "tritonserver/bin/tritonserver", instead="triton_url").parents[1]


def lay_out_backend(home: Path) -> Path:
    """Return a backend folder with the stub of the running Python, copied from the wheel.

    ``ConfigurationError`` when the wheel has no stub for this Python: use 3.11, 3.12 or 3.13.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheel = wheel_folder()
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise ConfigurationError(f"Triton's Python backend has no stub for Python {version}: use 3.11, 3.12 or 3.13")
    backends = home / f"backends-{version}"
    folder = backends / "python"
    folder.mkdir(parents=True, exist_ok=True)
    # pip, unlike uv, leaves a __pycache__ beside the files of the wheel.
    files = sorted(path for path in (wheel / "backends" / "python").iterdir() if path.is_file())
    for source in (*files, stub):
        copy_if_changed(source, folder / source.name)
    link(PACKAGE, folder / PACKAGE.name)  # the stub ignores PYTHONPATH, but looks into this folder
    return backends


def copy_if_changed(source: Path, target: Path) -> None:
    """Copy a file with its time; a target of the same size and time is left alone, a running one is replaced whole."""
    old, new = (path.stat() if path.exists() else None for path in (target, source))
    if old is not None and new is not None and (old.st_size, int(old.st_mtime)) == (new.st_size, int(new.st_mtime)):
        return
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    shutil.copy2(source, part)
    part.replace(target)


def link_library(library: Path, folder: Path) -> Path:
    """Put one library alone into a folder, so that its neighbours do not get into Triton's way."""
    folder.mkdir(exist_ok=True)
    link(library, folder / library.name)
    return folder


def link(target: Path, path: Path) -> None:
    """Make ``path`` a symbolic link to ``target``, in one step, whatever it was before."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    part.symlink_to(target)
    part.replace(path)
