"""The launcher in small checkouts of its own, whose locks name one tiny package each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHOWS_SIX = "import sys, six; print('six', six.__version__, *sys.argv[1:])\n"


def locked(package: str) -> str:
    """The entry of one package in the real lock, with its hashes."""
    lines = (ROOT / "requirements.lock").read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{package}=="))
    end = next(number for number in range(start, len(lines)) if not lines[number].endswith("\\\n"))
    return "".join(lines[start : end + 1])


def lay_out(root: Path) -> Path:
    """Make a checkout with nothing in it but a launcher, a lock and a command."""
    package = root / "services" / "neopain"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SHOWS_SIX)
    shutil.copy(ROOT / "neopain", root)
    (root / "requirements.lock").write_text(locked("six"))
    return root


def lay_environment(venv: Path) -> None:
    """Make an environment that works in its place, and has a pip and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (pip,) = venv.glob("lib/python*/site-packages")
    (pip / "pip").mkdir()
    (pip / "pip" / "__main__.py").write_text("print('pip 0')\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout below a path that needs quoting."""
    return lay_out(tmp_path / "it's a check out")


@dataclass(frozen=True, slots=True)
class FirstUse:
    """Of a checkout, by two at once: what each said."""

    checkout: Path
    outs: tuple[str, str]
    told: str


@pytest.fixture(scope="module")
def first_use(tmp_path_factory: pytest.TempPathFactory) -> FirstUse:
    """Once for all, of a checkout that was moved: making an environment takes seconds."""
    elsewhere = lay_out(tmp_path_factory.mktemp("used") / "elsewhere")
    lay_environment(elsewhere / ".venv")
    checkout = elsewhere.rename(elsewhere.with_name("a checkout"))
    both = [start(checkout, "score", "a b") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    return FirstUse(checkout, (said[0][0], said[1][0]), said[0][1] + said[1][1])


@pytest.fixture
def used_checkout(first_use: FirstUse) -> Path:
    """A checkout whose environment is complete."""
    launch(lay_out(first_use.checkout))
    return first_use.checkout


def start(checkout: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [checkout / "neopain", *arguments],
        env={**os.environ, "NEOPAIN_PYTHON": sys.executable, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def launch(checkout: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    with start(checkout, *arguments, **environment) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_two_first_uses_at_once_make_one_environment(first_use: FirstUse) -> None:
    assert first_use.outs == ("six 1.17.0 score a b\n",) * 2
    assert first_use.told.count("making the environment") == 1


def test_the_environment_of_a_checkout_that_was_moved_is_made_anew(first_use: FirstUse) -> None:
    assert f"making the environment {first_use.checkout}/.venv" in first_use.told
    # What is installed is told with its place: of another place it counts as missing.
    installed = (first_use.checkout / ".venv" / "neopain-installed").read_text()
    assert installed.endswith(f" {first_use.checkout}/.venv")


def test_a_second_use_installs_nothing(used_checkout: Path) -> None:

    assert launch(used_checkout, "demo") == (0, "six 1.17.0 demo\n", "")


def test_it_is_found_through_a_link(used_checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "neopain").symlink_to(used_checkout / "neopain")

    assert launch(tmp_path / "bin")[:2] == (0, "six 1.17.0\n")


def test_a_changed_lock_is_installed(used_checkout: Path) -> None:
    (used_checkout / "requirements.lock").write_text(locked("six") + locked("idna"))
    (used_checkout / "services" / "neopain" / "__main__.py").write_text("import idna; print('idna')")

    code, out, err = launch(used_checkout)

    assert (code, out) == (0, "idna\n")
    assert "making the environment" not in err


def test_an_interrupted_installation_is_repaired(used_checkout: Path) -> None:
    (used_checkout / ".venv" / "neopain-unfinished").touch()
    six = next(used_checkout.glob(".venv/lib/python*/site-packages/six.py"))
    six.unlink()  # it may be a hard link into uv's cache: written in place, it would break other environments
    six.write_text("half a fi")

    assert launch(used_checkout)[:2] == (0, "six 1.17.0\n")


def test_another_checkouts_environment_behind_a_link_is_left_alone(used_checkout: Path, checkout: Path) -> None:
    (checkout / ".venv").symlink_to(used_checkout / ".venv")

    code, _, err = launch(checkout)

    assert code == 1
    assert "is a link to an environment that was not made here: remove the link" in err
    assert launch(used_checkout)[:2] == (0, "six 1.17.0\n")


def test_a_package_that_does_not_match_its_hash_is_refused(used_checkout: Path) -> None:
    name = locked("certifi").split()[0]
    (used_checkout / "requirements.lock").write_text(f"{locked('six')}{name} --hash=sha256:{'0' * 64}\n")

    code, out, err = launch(used_checkout)

    assert (code, "six 1.17.0" in out.splitlines()) == (1, False)
    assert "could not be installed: see above" in err.splitlines()[-1]
    # So the next use with a lock that is good unpacks everything again.
    assert (used_checkout / ".venv" / "neopain-unfinished").exists()
    assert launch(lay_out(used_checkout))[:2] == (0, "six 1.17.0\n")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("exit 1", "is not a Python 3.11, 3.12 or 3.13: name another or unset it"),
        (
            'case "$2" in *ensurepip*) exit 1 ;; *venv*) echo python3.11-venv ;; esac',
            "lacks its venv module: sudo apt-get install python3.11-venv",
        ),
    ],
)
def test_a_python_that_will_not_do_is_told_in_one_line(checkout: Path, answers: str, message: str) -> None:
    python = checkout / "python"
    python.write_text(f"#!/bin/sh\n{answers}\n")
    python.chmod(0o755)

    code, _, err = launch(checkout, NEOPAIN_PYTHON=str(python))

    assert code == 1
    assert err.endswith(f"{message}\n")
    assert err.count("\n") == 1


def system_python_is(place: Path, checkout: Path) -> None:
    """For this checkout's launcher the system's own Python is here."""
    launcher = checkout / "neopain"
    launcher.write_text(launcher.read_text().replace("SYSTEM_PYTHON=/usr/bin/python3", f"SYSTEM_PYTHON='{place}'"))


def python_at(place: Path, name: str, *, makes_venv: bool = True) -> None:
    """A Python that goes by a name, and whose environments fail."""
    place.parent.mkdir()
    lacks = "" if makes_venv else "*ensurepip*) exit 1 ;;"
    answers = f'--version) echo {name} ;; "-m venv"*) exit 1 ;; {lacks} *) exec {sys.executable} "$@" ;;'
    place.write_text(f'#!/bin/sh\ncase "$*" in {answers} esac\n')
    place.chmod(0o755)


@pytest.mark.parametrize(("makes_venv", "taken"), [(True, "the system's"), (False, "the one on PATH")])
def test_the_systems_own_python_is_taken_before_one_on_path_if_it_makes_environments(
    checkout: Path, tmp_path: Path, *, makes_venv: bool, taken: str
) -> None:
    python_at(tmp_path / "system" / "python3", '"the system\'s"', makes_venv=makes_venv)
    python_at(tmp_path / "path" / "python3", '"the one on PATH"')
    system_python_is(tmp_path / "system" / "python3", checkout)

    path = f"{tmp_path / 'path'}{os.pathsep}{os.environ['PATH']}"
    code, _, err = launch(checkout, NEOPAIN_PYTHON="", PATH=path)

    assert code == 1
    assert err.splitlines()[0] == f"neopain: making the environment {checkout}/.venv with {taken}"


def test_a_machine_without_python_is_told_what_to_install(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "readlink", "dirname", "cksum", "grep"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    system_python_is(tools / "python3", checkout)

    assert launch(checkout, NEOPAIN_PYTHON="", PATH=str(tools)) == (
        1,
        "",
        "neopain: no Python 3.11, 3.12 or 3.13 found: "
        "sudo apt-get install python3 python3-venv (or set NEOPAIN_PYTHON)\n",
    )


def test_a_path_with_a_colon_is_refused(checkout: Path) -> None:
    code, _, err = launch(checkout.rename(checkout.with_name("a:b")))

    assert code == 1
    assert "holds a colon" in err


def test_an_unknown_extra_is_told(checkout: Path) -> None:
    assert launch(checkout, "install", "everything") == (1, "", "neopain: install what? training or test\n")
