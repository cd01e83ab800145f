"""Whether a FHIR resource is one, by three validators that nobody here wrote: fhir.resources (R4B), Medplum's
validateResource and npm ``fhir`` (both R4).

The last two run in one Node process for each process of tests, which starts with the first resource.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fhir.resources.R4B import get_fhir_model_class

from neopain.embedded.npm import node, run_npm_ci

from .ehr_packages import ehr_packages
from .once_per_run import once_per_run

SOURCES: Final = Path(__file__).with_name("fhir_validators")

Resource = dict[str, Any]

_VARYING = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.+Z-]*)?|[0-9a-f]*\d[0-9a-f]*")
"""Times, numbers and ids: what differs from one resource to another that was made alike."""


def _without(varying: re.Match[str]) -> str:
    """Its length alone; the whole where a validator may mind: a time that is none, and a zero."""
    told = varying[0]
    if told == "0" or (told[4:5] == "-" and not _is_time(told)):
        return told
    return "#" * len(told)


def _is_time(told: str) -> bool:
    try:
        return datetime.fromisoformat(told).tzinfo is not None or "T" not in told
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class New:
    """What of a resource was not shown before, and what is like it from then on."""

    resource: Resource
    kinds: set[str]


class Judge:
    """The Node process; ``state_dir`` is the state folder that the run shares."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._process: subprocess.Popen[str] | None = None
        self._known: set[str] = set()

    def unlike(self, resource: Resource) -> New | None:
        """What of it is new: the resource, of a bundle without what is like what they took before; None for nothing.

        What differs in the digits of times, numbers and ids alone is alike: they say the same of it.
        """
        kinds: set[str] = set()

        def is_new(part: Resource) -> bool:
            kind = _VARYING.sub(_without, json.dumps(part, sort_keys=True))
            if kind in self._known or kind in kinds:
                return False
            kinds.add(kind)
            return True

        if entries := resource.get("entry"):
            new = [one for one in entries if is_new(one)]
            resource = {**resource, "entry": new or entries[:1]}
        return New(resource, kinds) if is_new(resource) else None

    def took(self, new: New) -> None:
        """They had nothing against it: what is like it need not be shown again."""
        self._known |= new.kinds

    def problems(self, resource: Resource) -> list[str]:
        """What Medplum and npm ``fhir`` have against it, each with the validator's name and the place."""
        process = self._process or self._started()
        if process.stdin is None or process.stdout is None:
            raise ValueError("the judge has no pipes")
        process.stdin.write(json.dumps(resource) + "\n")
        process.stdin.flush()
        found: list[str] = json.loads(process.stdout.readline())
        return found

    def stop(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None:
            self._process.communicate()

    def _started(self) -> subprocess.Popen[str]:
        own = once_per_run(self._state_dir.parent, "fhir-validators", _install)
        argv = [str(node()), "judge.mjs", str(ehr_packages(self._state_dir))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, cwd=own, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
        return self._process


def _install(folder: Path) -> None:
    shutil.copytree(SOURCES, folder)
    run_npm_ci(folder)


_JUDGES: Final[list[Judge]] = []


@contextmanager
def judging(state_dir: Path) -> Iterator[Judge]:
    """Within it ``require_valid`` may be called."""
    judge = Judge(state_dir)
    _JUDGES.append(judge)
    try:
        yield judge
    finally:
        _JUDGES.remove(judge)
        judge.stop()


def require_valid(resource: Resource) -> None:
    """Fails unless all three take the resource, and every resource in it; what is like one they took is not shown."""
    judge = _JUDGES[-1]
    new = judge.unlike(resource)
    if new is None:
        return
    get_fhir_model_class(resource["resourceType"]).model_validate(new.resource)
    found = judge.problems(new.resource)
    assert not found, (found, resource)
    judge.took(new)
