"""Under which account PostgreSQL runs: it refuses root, and a checkout may lie where only root may go.

An ordinary user runs it directly. Root runs it in a user namespace in which it is somebody else; the files stay root's.
Where namespaces are forbidden, root hands binaries and data to an unprivileged account in a folder below /var/tmp,
since that account cannot pass through a folder that only root may enter.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from neopain.errors import ConfigurationError

SHARED_FOLDER = Path("/var/tmp")  # noqa: S108 -- the folder made in it is checked for its owner
PREFERRED_ACCOUNTS = ("nobody", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """How to run a PostgreSQL program: ``prefix`` before its arguments, programs in ``bin``, data below ``folder``."""

    prefix: tuple[str, ...]
    folder: Path
    bin: Path
    owner: int | None = None
    """User id to whom new files must be given; None when they may stay ours."""

    def own(self, path: Path) -> None:
        """Give a file of ours to the account."""
        if self.owner is not None:
            os.chown(path, self.owner, -1)


def choose_account(folder: Path, install: Path) -> Account:
    """Find a way in which PostgreSQL agrees to run on ``folder`` with the installation ``install``.

    ``ConfigurationError`` when there is none: run as an ordinary user, or give the URL of an existing database.
    """
    if os.geteuid() != 0:
        return Account((), folder, install / "bin")
    mapped = in_user_namespace(folder, install)
    return mapped if works(mapped) else as_other_user(folder, install)


def in_user_namespace(folder: Path, install: Path) -> Account:
    """Root's files, but another name for root: nothing has to be copied or given away."""
    uid = unprivileged().pw_uid
    return Account(("unshare", "--user", f"--map-user={uid}", "--"), folder, install / "bin")


def works(account: Account) -> bool:
    """Ask whether a program of the installation runs under the account and may write to the folder."""
    script = 'test -w "$1" && exec "$2" --version'
    command = [*account.prefix, "sh", "-c", script, "sh", str(account.folder), str(account.bin / "postgres")]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def as_other_user(folder: Path, install: Path) -> Account:
    """A real unprivileged account with a copy of the binaries in a folder of its own.

    ``ConfigurationError`` when that is refused as well.
    """
    user = unprivileged()
    home = handed_folder(folder, user)
    copy = copy_once(install, home)
    prefix = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    account = Account((*prefix, "--pdeathsig=KILL", "--"), home, copy / "bin", owner=user.pw_uid)
    if not works(account):
        raise ConfigurationError(
            "PostgreSQL refuses root, and neither a user namespace nor another account works here: "
            "start neopain as an ordinary user, or set database_url"
        )
    return account


def copy_once(install: Path, home: Path) -> Path:
    """Copy an installation and the libraries that its wheel keeps beside the package; return the copied one."""
    package, libraries = install.parent, install.parent.with_suffix(".libs")
    for part in (libraries, package):
        if not (home / part.name).exists() and part.exists():
            unfinished = home / f"{part.name}.part"
            shutil.copytree(part, unfinished, symlinks=True, dirs_exist_ok=True)
            unfinished.rename(home / part.name)
    return home / package.name / install.name


def handed_folder(folder: Path, user: pwd.struct_passwd) -> Path:
    """Return the account's folder for this state, made on first use; never one that somebody else has laid there."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    home = SHARED_FOLDER / f"neopain-{digest}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if home.is_symlink() or found.st_uid not in (0, user.pw_uid):
        raise ConfigurationError(f"{home} belongs to user id {found.st_uid}: remove it, PostgreSQL's data go there")
    os.chown(home, user.pw_uid, user.pw_gid)
    return home


def unprivileged() -> pwd.struct_passwd:
    """Return an account that is not root and has a name, which initdb insists on."""
    for name in PREFERRED_ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not others:
        raise ConfigurationError("PostgreSQL refuses root and this machine has no other account: set database_url")
    return others[0]
