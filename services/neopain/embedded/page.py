"""The dashboard's page, built on this machine: npm ci from the committed lock, then the package's own ``build``.

Each build is a folder of its own, named by a digest of its sources; ``page`` is a link to the newest, put there whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neopain.embedded.npm import run_npm, run_npm_ci
from neopain.errors import ConfigurationError

OUT = "NEOPAIN_PAGE_OUT"
LINK = "page"
LOCK_FILE = "package-lock.json"
NOT_SOURCES = ("node_modules", "dist")
KEPT_BUILDS = 2
"""The newest, and the one that a dashboard may be reading meanwhile."""


def is_built(sources: Path, folder: Path) -> bool:
    """Whether the newest build in the folder is that of these sources."""
    link = folder / LINK
    return link.is_symlink() and link.readlink().name == _name(sources) and (link / "index.html").exists()


def build(sources: Path, folder: Path) -> bool:
    """Build, unless the newest build is of these sources; return whether it did. Two at once: one waits.

    ``ConfigurationError`` without sources, and with npm's last lines when its packages or the build fail.
    """
    if not (sources / LOCK_FILE).exists():
        raise ConfigurationError(f"there are no sources of the page in {sources}")
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        if is_built(sources, folder):
            return False
        work, out = _copied(sources, folder / "work"), folder / _name(sources)
        shutil.rmtree(out, ignore_errors=True)
        _install(work)
        run_npm(work, "run", "build", why="see above", env={OUT: str(out)})
        if not (out / "index.html").exists():
            raise ConfigurationError(f"the build of the page in {work} left no index.html in {out}")
        _put_in_place(out, folder / LINK)
        _forget_old(folder)
        return True


def _name(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in _source_files(sources):
        digest.update(f"{path.relative_to(sources).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"page-{digest.hexdigest()[:16]}"


def _source_files(sources: Path) -> list[Path]:
    kept = (path for path in sources.rglob("*") if not set(NOT_SOURCES) & set(path.relative_to(sources).parts))
    return sorted(path for path in kept if path.is_file())


def _copied(sources: Path, work: Path) -> Path:
    """The sources in a folder that npm may write to; packages of the last build stay."""
    work.mkdir(exist_ok=True)
    for path in work.iterdir():
        if path.name not in ("node_modules", "installed"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in _source_files(sources):
        target = work / path.relative_to(sources)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return work


def _install(work: Path) -> None:
    stamp = work / "installed"
    digest = hashlib.sha256((work / LOCK_FILE).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    # What checks the sources is not needed to build them.
    run_npm_ci(work, "--omit=dev")
    stamp.write_text(digest)


def _put_in_place(out: Path, link: Path) -> None:
    beside = link.with_name(f"{LINK}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(out.name)
    beside.replace(link)


def _forget_old(folder: Path) -> None:
    builds = sorted(folder.glob("page-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in builds[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
