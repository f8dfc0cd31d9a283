"""A real PostgreSQL server for the tests: of its own user, in a temporary folder, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "tester"
# What was committed outlives a kill of the server all the same, though not a loss of power.
FAST = "-c fsync=off -c full_page_writes=off -c shared_buffers=16MB"


def programs() -> Path | None:
    """Return the folder of the server's programs, the newest one, where there is one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class PostgresqlServer:
    """A server that listens on a socket in its folder only."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder = folder
        self._bin = bin_folder
        self._databases: set[str] = set()
        self._runs = False

    def make(self) -> None:
        options = ["-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        self._call("initdb", "-D", str(self.folder / "data"), *options)

    def start_again(self) -> None:
        """Start it, unless it runs."""
        if not self._runs:
            self.start()

    def start(self) -> None:
        options = f"-c listen_addresses= -k {self.folder} {FAST}"
        self._control("-w", "-l", str(self.folder / "log"), "-o", options, "start")
        self._runs = True

    def stop(self, mode: str = "immediate") -> None:
        self._runs = False
        self._control("-m", mode, "stop")

    def url(self, database: str) -> str:
        """Return the URL of a database, which is made if need be."""
        if database not in self._databases:
            self._call("createdb", "-h", str(self.folder), "-U", USER, database)
            self._databases.add(database)
        return f"postgresql://{USER}:secret@/{database}?host={self.folder}"

    def _control(self, *args: str) -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-s", *args)

    def _call(self, program: str, *args: str) -> None:
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*become, str(self._bin / program), *args],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(args)}: see {self.folder / 'log'}"


# Waits until the other end of its stdin is closed, also by a kill; then ends the server, and removes it all.
GUARD = """
pid() { head -1 "$1/data/postmaster.pid" 2>/dev/null; }
cat >/dev/null
kill -QUIT "$(pid "$1")"
while kill -0 "$(pid "$1")"; do sleep 0.1; done
rm -rf "$1"
"""


@contextlib.contextmanager
def server() -> Iterator[PostgresqlServer]:
    """Start a server; the tests are skipped where none is installed. A guard ends it, and removes it all."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("no PostgreSQL server is installed (Debian and Ubuntu: the package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="gristmill-pg-"))  # short: the path of a socket is limited
    guard = subprocess.Popen(
        ["sh", "-c", GUARD, "guard", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        running = PostgresqlServer(folder, bin_folder)
        running.make()
        running.start()
        yield running
    finally:
        guard.communicate()
