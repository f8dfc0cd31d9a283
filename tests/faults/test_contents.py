"""The content store, with processes that are killed, that meet, and with a disk that is full."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.processes import is_stopped, wait_until
from gristmill.faults import CONTENT_POINTS, REMOVAL_POINTS
from gristmill.storage.contents import Contents
from gristmill.storage.incoming import remove_tree
from gristmill.storage.tree import everything_below

PUT = """
import sys
from pathlib import Path
from gristmill.errors import GristmillError
from gristmill.storage.contents import Contents
sys.stdin.readline()
try:
    print(Contents(Path(sys.argv[1])).put(Path(sys.argv[2])))
except GristmillError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
FILES = 3
FILE_BYTES = 400_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "layers").mkdir(parents=True)
    for number in range(FILES):
        (folder / "layers" / str(number)).write_bytes(os.urandom(FILE_BYTES))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Contents]:
    yield Contents(tmp_path / "contents")
    remove_tree(tmp_path / "contents")


def putting(store: Contents, model: Path, point: str = "") -> subprocess.Popen[str]:
    """Start a process that puts the model as soon as it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", PUT, store.folder, model],
        env={**os.environ, "GRISTMILL_FAULT_POINT": point},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def files_of(store: Contents) -> int:
    return sum(found.is_file for found in everything_below(str(store.folder)))


@pytest.mark.parametrize("point", CONTENT_POINTS)
def test_a_kill_leaves_a_whole_content_or_none(store: Contents, model: Path, point: str) -> None:
    victim = putting(store, model, f"{point}:{2 if point == 'content.after_file' else 1}")
    assert victim.stdin is not None
    victim.stdin.write("\n")
    victim.stdin.flush()
    wait_until(lambda: is_stopped(victim.pid), f"{point} is reached")
    victim.kill()
    victim.communicate()
    assert victim.returncode == -signal.SIGKILL
    found = list(store.keys())
    assert len(found) == (point == "content.after_rename")
    assert all(store.is_whole(key) for key in found)
    key = store.put(model)
    assert store.is_whole(key)
    assert list(store.keys()) == [key]
    assert files_of(store) == FILES  # nothing is left of the victim


def test_processes_that_put_the_same_at_once_all_succeed(store: Contents, model: Path) -> None:
    processes = [putting(store, model) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate() for process in processes]
    keys = {out.strip() for out, _ in ended}
    assert [err for _, err in ended] == [""] * 4
    assert len(keys) == 1
    assert store.is_whole(keys.pop())
    assert files_of(store) == FILES


CHANGING = """
import sys
from pathlib import Path
from gristmill.storage.contents import Contents
store, model = Contents(Path(sys.argv[1])), Path(sys.argv[2])
sys.stdin.readline()
for _ in range(60):
    if sys.argv[3] == "put":
        store.put(model)
    else:
        store.remove(sys.argv[4])
"""


def test_puts_and_removals_at_once_leave_whole_contents(store: Contents, model: Path) -> None:
    key = store.put(model)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHANGING, store.folder, model, what, key],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for what in ("put", "put", "remove")
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert store.put(model) == key
    assert store.is_whole(key)
    assert files_of(store) == FILES


def test_a_kill_while_a_content_is_removed_leaves_it_gone(store: Contents, model: Path) -> None:
    key = store.put(model)
    victim = subprocess.Popen(
        [sys.executable, "-c", CHANGING, store.folder, model, "remove", key],
        env={**os.environ, "GRISTMILL_FAULT_POINT": REMOVAL_POINTS[0]},
        stdin=subprocess.DEVNULL,
    )
    wait_until(lambda: is_stopped(victim.pid), "the content is taken out")
    victim.kill()
    victim.wait()
    assert not store.has(key)
    assert store.remove_leftovers() == 1
    assert files_of(store) == 0


def test_a_full_disk_leaves_nothing_half_and_room_helps(small_disk: Path, model: Path) -> None:
    store = Contents(small_disk / "contents")
    out, err = putting(store, model).communicate("\n")
    assert out == ""
    assert "HomeError" in err
    assert "No space left on device; nothing of it was kept; make room, or set GRISTMILL_HOME" in err
    assert list(store.keys()) == []
    assert files_of(store) == 0
    subprocess.run(["mount", "-o", "remount,size=5m", small_disk], check=True)
    assert store.is_whole(store.put(model))


def test_a_file_that_is_too_large_for_the_disk_leaves_nothing_half(store: Contents, model: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PUT, store.folder, model],
        input="\n",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES // 2, FILE_BYTES // 2)),
    )
    assert "File too large; nothing of it was kept; make room" in process.stderr
    assert list(store.keys()) == []
    assert files_of(store) == 0
    assert store.is_whole(store.put(model))
