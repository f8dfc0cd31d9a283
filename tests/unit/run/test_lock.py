"""One process works on a job at a time, and says who it is."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.errors import JobLockedError, StorageError
from gristmill.run import lock as lock_module
from gristmill.run.lock import HEARTBEAT_LIMIT_S, JobLock, is_held

HOLDER = (
    "import sys; from pathlib import Path; from gristmill.run.lock import JobLock; "
    "lock = JobLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "job-7").mkdir()
    return tmp_path / "job-7" / "lock"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "_BETWEEN_TRIES_S", 0.0)


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock in another process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def on_network(monkeypatch: pytest.MonkeyPatch, *, pid: int = 4711, host: str = "elsewhere") -> bytes:
    monkeypatch.setattr(lock_module, "is_network", lambda folder: True)
    return json.dumps({"pid": pid, "host": host}).encode()


def test_another_process_that_holds_the_lock_is_named(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(JobLockedError, match=f"process {holder.pid} on {socket.gethostname()}"):
        JobLock(path).acquire()
    assert is_held(path)


def test_the_refusal_names_the_job_and_what_to_do(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(JobLockedError, match=r"job job-7 .*gristmill job show job-7.*gristmill job cancel"):
        JobLock(path).acquire()


def test_the_lock_of_a_killed_process_is_free(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert not is_held(path)
    lock = JobLock(path)
    lock.acquire()
    assert json.loads(path.read_bytes())["pid"] == os.getpid()
    lock.release()


def test_a_holder_that_is_just_writing_its_name_is_another_process(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(b'{"pid": 12')
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(JobLockedError, match="by another process"):
            JobLock(path).acquire()


def test_a_released_lock_is_free_and_says_nobody(path: Path) -> None:
    lock = JobLock(path)
    lock.acquire()
    assert is_held(path)
    lock.release()
    assert not is_held(path)
    assert path.read_bytes() == b""


def test_a_lock_can_be_taken_again(path: Path) -> None:
    lock = JobLock(path)
    lock.acquire()
    lock.release()
    lock.acquire()
    assert is_held(path)
    lock.release()


def test_releasing_twice_is_allowed(path: Path) -> None:
    lock = JobLock(path)
    lock.acquire()
    lock.release()
    lock.release()


def test_a_refused_process_leaves_the_holders_name(path: Path) -> None:
    first = JobLock(path)
    first.acquire()
    with pytest.raises(JobLockedError):
        JobLock(path).acquire()
    assert json.loads(path.read_bytes())["pid"] == os.getpid()
    first.release()


def test_somebody_who_only_looks_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, refusals = fcntl.flock, iter(range(3))

    def flock(file: int, operation: int) -> None:
        if next(refusals, None) is not None:
            raise BlockingIOError(errno.EAGAIN, "looked at")
        original(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = JobLock(path)
    lock.acquire()
    monkeypatch.undo()
    assert is_held(path)
    lock.release()


def test_children_do_not_inherit_the_lock(path: Path) -> None:
    lock = JobLock(path)
    lock.acquire()
    script = "print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        lock.release()
        assert not is_held(path)
        child.kill()


def test_where_there_is_no_lock_nobody_holds_it(path: Path) -> None:
    assert not is_held(path)


def test_a_job_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be locked"):
        JobLock(tmp_path / "gone" / "lock").acquire()


def test_a_lock_that_may_not_be_written_asks_for_access(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, operation: int) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="Permission denied; give yourself access"):
        JobLock(path).acquire()


def test_a_file_system_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="set GRISTMILL_HOME to a folder on a local disk"):
        JobLock(path).acquire()


def test_a_disk_that_is_full_is_told_and_leaves_no_lock(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    lock = JobLock(path)
    try:
        with pytest.raises(StorageError):
            lock.acquire()
        assert not is_held(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        lock.release()


def test_on_a_network_a_lock_that_was_touched_lately_is_held(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(on_network(monkeypatch))
    with pytest.raises(JobLockedError, match="process 4711 on elsewhere"):
        JobLock(path).acquire()
    assert json.loads(path.read_bytes())["pid"] == 4711


def test_on_a_network_a_lock_that_nobody_touches_any_more_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(on_network(monkeypatch))
    old = time.time() - HEARTBEAT_LIMIT_S - 1
    os.utime(path, (old, old))
    lock = JobLock(path)
    lock.acquire()
    assert json.loads(path.read_bytes())["pid"] == os.getpid()
    lock.release()


def test_on_a_network_this_machines_own_lock_is_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(on_network(monkeypatch, host=socket.gethostname()))
    lock = JobLock(path)
    lock.acquire()
    lock.release()


def test_on_a_local_disk_the_kernel_alone_decides(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(on_network(monkeypatch))
    monkeypatch.setattr(lock_module, "is_network", lambda folder: False)
    lock = JobLock(path)
    lock.acquire()
    lock.release()


def test_the_heartbeat_touches_the_file_every_ten_seconds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_network(monkeypatch)
    lock = JobLock(path)
    lock.acquire()
    touched: list[Path] = []
    clock = iter([100.0, 105.0, 109.9, 110.1, 111.0])
    monkeypatch.setattr(os, "utime", touched.append)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    for _ in range(5):
        lock.keep()
    monkeypatch.undo()
    lock.release()
    assert len(touched) == 2


def test_on_a_local_disk_there_is_no_heartbeat(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = JobLock(path)
    lock.acquire()
    touched: list[Path] = []
    monkeypatch.setattr(os, "utime", touched.append)
    lock.keep()
    monkeypatch.undo()
    lock.release()
    assert touched == []
