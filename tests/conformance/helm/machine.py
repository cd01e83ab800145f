"""What a cluster does with a pod, done on this machine by hand.

Names of Services become ports of this machine, secrets become values and files, volumes become folders, ``$(NAME)`` is
put in place. Nothing else of what the chart renders is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from neopain.embedded.loopback import HOST, free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder

from .conftest import ROOT, Object, containers_of

OF_THE_IMAGE = {"PYTHONPATH": str(ROOT / "services"), "NEOPAIN_ROOT": str(ROOT)}
"""What the Dockerfiles set."""


@dataclass(frozen=True, slots=True)
class Process:
    """One container, running."""

    child: Child
    container: Object
    """As the chart renders it."""
    probes: Mapping[str, Object]
    ports: Mapping[str, int]
    """On this machine, by the container's names for them."""
    grace_seconds: float

    def answers(self, kind: str) -> bool:
        """Asks as a kubelet would: ``startupProbe``, ``livenessProbe`` or ``readinessProbe``."""
        probe = self.probes[kind]
        if "exec" in probe:
            command = probe["exec"]["command"]
            env = {**os.environ, **self.child.command.env}
            return subprocess.run(command, check=False, env=env, capture_output=True, timeout=10).returncode == 0
        asked = probe["httpGet"]
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.ports[asked['port']]}{asked['path']}", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@dataclass
class Machine:
    """Stands in for a cluster with one release on it."""

    folder: Path
    programs: Path
    """Folder of programs that images have and this machine has not."""
    secrets: Mapping[tuple[str, str], str]
    """Values by secret and key."""
    files: Mapping[str, Path]
    """Folders by the name of a secret."""
    elsewhere: Mapping[str, str]
    """What addresses and folders outside the release are here."""
    config_maps: Mapping[str, Object]
    processes: dict[str, Process] = field(default_factory=dict)
    _ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def port(self, component: str, number: int) -> int:
        """The port of this machine for one of a pod's."""
        return self._ports.setdefault((component, number), free_port())

    def run(self, component: str, pod: Object) -> list[Process]:
        """Starts every container of a pod, sidecars first; none need be ready when this returns."""
        started = [self._start(component, pod, container) for container in containers_of(pod)]
        self.processes.update({one.child.command.name: one for one in started})
        return started

    def _start(self, component: str, pod: Object, container: Object) -> Process:
        place = _Place(self, component, self._mounts(component, pod, container))
        env = {**OF_THE_IMAGE, "PATH": f"{self.programs}:{os.environ['PATH']}", "POD_NAME": component}
        for variable in container["env"]:
            env[variable["name"]] = self._value(variable, place, env)
        argv = tuple(place.local(part) for part in container["command"])
        command = Command(
            name=f"{component}.{container['name']}",
            argv=(sys.executable, *argv[1:]) if argv[0] == "python" else argv,
            env=env,
            cwd=ROOT,
            grace_seconds=pod.get("terminationGracePeriodSeconds", 30),
        )
        child = Child(command, StateFolder(self.folder / "state"))
        child.start()
        ports = {one["name"]: self.port(component, one["containerPort"]) for one in container.get("ports", [])}
        probes = {kind: place.local_probe(container[kind]) for kind in container if kind.endswith("Probe")}
        return Process(child, container, probes, ports, command.grace_seconds)

    def _value(self, variable: Object, place: _Place, env: Mapping[str, str]) -> str:
        match variable.get("valueFrom"):
            case None:
                return re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], place.local(variable["value"]))
            case {"secretKeyRef": wanted}:
                return self.secrets[wanted["name"], wanted["key"]]
            case {"fieldRef": {"fieldPath": "metadata.name"}}:
                return place.component
        raise AssertionError(f"{variable} comes from where no test knows")

    def _mounts(self, component: str, pod: Object, container: Object) -> dict[str, Path]:
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        found = {}
        for mount in container["volumeMounts"]:
            if mount["mountPath"] != "/dev/shm":  # noqa: S108 - the kernel's own is used
                found[mount["mountPath"]] = self._volume(component, mount["name"], volumes.get(mount["name"], {}))
        return found

    def _volume(self, component: str, name: str, volume: Object) -> Path:
        if "secret" in volume:
            return self.files[volume["secret"]["secretName"]]
        folder = self.folder / "volumes" / component / name
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            place = _Place(self, component, self._written_by(component))
            for file, text in (self.config_maps[volume["configMap"]["name"]].get("data") or {}).items():
                (folder / file).write_text(place.local(text))
        return folder

    def _written_by(self, component: str) -> dict[str, Path]:
        """The folders that a configuration file of a server names."""
        volumes = self.folder / "volumes" / component
        return {"/run/valkey": volumes / "run", "/data": volumes / "data"}


@dataclass(frozen=True, slots=True)
class _Place:
    """What a container calls things, and where they are here."""

    machine: Machine
    component: str
    mounts: Mapping[str, Path]

    def local(self, text: str) -> str:
        """A text of the container as it is here; each place in it is replaced once."""
        if re.fullmatch(r"\d{4,5}", text):  # a setting that is a port; no other setting of the chart has that form
            return str(self.machine.port(self.component, int(text)))
        text = re.sub(r"(127\.0\.0\.1:|^port |(?<=\n)port |-p )(\d+)", self._of_own, text)
        text = re.sub(r"neopain-(bus|media)(?:-\d\.neopain-media)?:6379", self._of_server, text)
        known = {path: str(folder) for path, folder in self.mounts.items()} | dict(self.machine.elsewhere)
        longest_first = "|".join(re.escape(path) for path in sorted(known, key=len, reverse=True))
        return re.sub(rf"(?<![\w.])(?:{longest_first})(?![\w-])", lambda found: known[found[0]], text)

    def local_probe(self, probe: Object) -> Object:
        """A probe with its command as it is here."""
        if "exec" not in probe:
            return probe
        return {"exec": {"command": [self.local(part) for part in probe["exec"]["command"]]}}

    def _of_server(self, found: re.Match[str]) -> str:
        return f"{HOST}:{self.machine.port(found[1], 6379)}"

    def _of_own(self, found: re.Match[str]) -> str:
        return f"{found[1]}{self.machine.port(self.component, int(found[2]))}"
