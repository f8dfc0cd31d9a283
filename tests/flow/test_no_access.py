"""Files and folders that may not be read or written, for a user who is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.bad_input import ABC, check_kept, check_refused, made
from flow.mill import Mill


class PlainMill(Mill):
    """Commands are typed by a user who may not read everything, as root may."""

    POWERS = "-dac_override,-dac_read_search"

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        without_powers = ["setpriv", f"--bounding-set={self.POWERS}", f"--inh-caps={self.POWERS}"]
        return subprocess.Popen(
            [*(without_powers if os.geteuid() == 0 else []), sys.executable, "-m", "gristmill", *words],
            cwd=self.root,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[PlainMill]:
    """A mill of a user without root's powers; everything can be removed again in the end."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and setpriv, which would take that away, is not to be had")
    yield PlainMill(tmp_path)
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path], check=True)


def test_an_unreadable_file_costs_itself(plain: PlainMill) -> None:
    made(plain)
    (plain.root / "in/b").chmod(0)

    ended = plain.run()

    check_kept(plain, ended, ABC, failed=["b"])
    assert f"PermissionError: [Errno 13] Permission denied: '{plain.root}/in/b'" in ended.err


# What is locked, and how → what is typed besides, and what the message must hold.
LOCKED = {
    "folder in the input": (
        "in/sub",
        0,
        [],
        ["/in/sub' cannot be listed: Permission denied", "take it out of"],
    ),
    "input": ("in", 0, [], ["/in' cannot be listed: Permission denied", "make it readable"]),
    "home": (
        "new-home",
        0o500,
        [],
        ["/new-home cannot be used: Permission denied", "set GRISTMILL_HOME to a folder"],
    ),
    "jobs": ("home/jobs", 0o500, [], ["/home/jobs/j cannot be made", "set GRISTMILL_HOME to a folder"]),
    "output": ("out", 0o500, [], ["/out cannot be used: Permission denied", "--output-path"]),
    "place of the output": (
        "up",
        0o500,
        ["--output-path", "up/out"],
        ["/up/out cannot be used", "--output-path"],
    ),
    "script": (
        "code/score.py",
        0,
        [],
        ["/code/score.py cannot be read: Permission denied", "give yourself access"],
    ),
    "folder in the code": (
        "code/sub",
        0,
        [],
        ["/code/sub cannot be read: Permission denied", "give yourself access"],
    ),
    "model": (
        "model",
        0,
        ["--model", "model"],
        ["/model cannot be read: Permission denied", "give yourself access"],
    ),
    "place of the model": (
        "up",
        0,
        ["--model", "up/model"],
        ["--model up/model: cannot be looked up"],
    ),
    "input list": (
        "list",
        0,
        ["--input-list", "list"],
        ["the input list ", "/list cannot be read", "check its path"],
    ),
    "place of the input": ("up", 0, ["--input", "up/in"], ["the input up/in", "Permission denied"]),
    "output that cannot be looked into": ("out", 0, [], ["/out", "Permission denied", "--output-path"]),
    "place of the output that cannot be looked into": (
        "up",
        0,
        ["--output-path", "up/out"],
        ["/up/out", "Permission denied", "--output-path"],
    ),
    "home with jobs": ("home", 0o500, [], ["/home", "Permission denied", "set GRISTMILL_HOME to a folder"]),
}


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=name) for name, case in LOCKED.items()),
    ],
)
def test_what_may_not_be_touched_is_refused_with_the_remedy(
    plain: PlainMill, case: tuple[str, int, list[str], list[str]]
) -> None:
    locked, mode, words, told = case
    made(plain)
    for name in ("in/sub/d", "code/sub/labels.txt", "model/weights", "up/in/a", "up/model/weights", "list"):
        plain.write(name, "a")
    for name in ("out", "home/jobs", "new-home"):
        (plain.root / name).mkdir(parents=True)
    (plain.root / locked).chmod(mode)
    home = "new-home" if locked == "new-home" else "home"

    ended = plain.run(*words, GRISTMILL_HOME=str(plain.root / home))

    check_refused(plain, ended, told)


def test_a_home_that_may_only_be_read_is_named(plain: PlainMill) -> None:
    plain.write("home/catalog.db", "")
    (plain.home / "catalog.db").chmod(0o400)
    plain.home.chmod(0o500)

    ended = plain.type("model", "list")

    assert (ended.status, ended.out) == (1, "")
    assert f"the catalog {plain.home}/catalog.db cannot be opened: Permission denied" in ended.err
    assert "set GRISTMILL_HOME to a folder that you can write" in ended.err


def test_a_job_that_may_not_be_removed_is_named(plain: PlainMill) -> None:
    plain.write("home/jobs/j/job.json", "{")
    (plain.home / "jobs").chmod(0o500)

    ended = plain.type("job", "delete", "j", "--yes")

    assert (ended.status, ended.out) == (2, "")
    assert (
        f"job j cannot be removed: something in it cannot be removed; give yourself access to {plain.home}"
        in (ended.err)
    )
