"""What an engine needs before it starts: interpreter, cores, model folder, archive, and the sweep."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.assignment import DEADLINE_S, settled
from gristmill.engine import machine
from gristmill.engine.archive import worker_archive
from gristmill.engine.environment import choose_interpreter
from gristmill.engine.machine import usable_cores
from gristmill.engine.process import exit_in_words
from gristmill.engine.staging import stage_model, unstage_model
from gristmill.engine.sweep import RUN_MARK, WORKER_MARK, marked, sweep
from gristmill.errors import InterpreterError


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# The interpreter


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 3", "returned non-zero exit status 3"),
        ("echo 'no such option' >&2; exit 2", "no such option"),
        ("echo >&2; exit 2", "does not run as a Python interpreter"),
        ("echo hello", "does not run as a Python interpreter"),
        ("echo 3", "does not run as a Python interpreter"),
        ("""echo '[[3, 7, 9], "cpython-37"]'""", "is Python 3.7; workers need 3.8 or newer"),
        ("""echo '[[2, 7, 18], null]'""", "is Python 2.7; workers need 3.8 or newer"),
    ],
)
def test_a_python_that_will_not_do_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    python = executable(tmp_path / "python", text)
    with pytest.raises(InterpreterError) as raised:
        choose_interpreter(python, {})
    assert message in str(raised.value)
    assert str(python) in str(raised.value)
    assert "--python" in str(raised.value)


def test_a_python_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match=r"there is no Python at .*gone"):
        choose_interpreter(tmp_path / "gone", {})


def test_a_file_that_cannot_be_executed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("text")
    with pytest.raises(InterpreterError, match=r"does not run as a Python interpreter: .*Permission denied"):
        choose_interpreter(tmp_path / "python", {})


def test_the_one_asked_for_wins_then_the_active_one_then_ours(tmp_path: Path) -> None:
    answers = {}
    for number, name in enumerate(("asked", "venv", "conda")):
        text = f"""echo '[[3, 12, {number}], "cpython-312"]'"""
        answers[name] = executable(tmp_path / name / "bin" / "python", text)
    active = {"VIRTUAL_ENV": str(tmp_path / "venv"), "CONDA_PREFIX": str(tmp_path / "conda")}
    assert choose_interpreter(tmp_path / "asked", active).path == answers["asked"]
    assert choose_interpreter(answers["asked"], active).version == (3, 12, 0)
    assert choose_interpreter(None, active).path == answers["venv"]
    assert choose_interpreter(None, {"CONDA_PREFIX": active["CONDA_PREFIX"]}).path == answers["conda"]
    assert choose_interpreter(None, {"VIRTUAL_ENV": str(tmp_path / "gone")}).path == Path(sys.executable)
    assert choose_interpreter(None, {}).version == sys.version_info[:3]


def test_a_link_to_an_interpreter_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(executable(tmp_path / "real", """echo '[[3, 12, 0], "cpython-312"]'"""))
    assert choose_interpreter(tmp_path / "venv", {}).path == link


# Cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "3200000 100000\n"}, 8),
        ({"cpu.max": "nonsense\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "300000\n"}, 8),
    ],
)
def test_usable_cores_follow_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


# The model


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(os.stat(here).st_mode) for here, _, _ in os.walk(folder)}


def test_a_model_file_is_the_one_entry_of_a_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("weights")
    folder = stage_model(tmp_path / "model.pkl", tmp_path / "job" / "model")
    assert [path.name for path in folder.iterdir()] == ["model.pkl"]
    assert (folder / "model.pkl").read_text() == "weights"
    assert modes(folder) == {0o555}


def test_a_model_folder_is_real_folders_of_linked_files(tmp_path: Path) -> None:
    model = tmp_path / "net"
    (model / "a" / "b").mkdir(parents=True)
    (model / "empty").mkdir()
    (model / "a" / "b" / "weights").write_text("w")
    (model / "config").write_text("c")
    (model / "linked").symlink_to(model / "a")
    folder = stage_model(model, tmp_path / "job" / "model")
    found = sorted(
        str(Path(here, name).relative_to(folder)) for here, _, names in os.walk(folder) for name in names
    )
    assert found == ["net/a/b/weights", "net/config", "net/linked/b/weights"]
    assert [path.name for path in folder.iterdir()] == ["net"]
    assert (folder / "net" / "empty").is_dir()
    assert not any(Path(here, name).is_symlink() for here, names, _ in os.walk(folder) for name in names)
    assert modes(folder) == {0o555}


def test_files_of_a_model_are_real_ones_and_take_no_room(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("weights")
    (tmp_path / "link.pkl").symlink_to("model.pkl")
    folder = stage_model(tmp_path / "link.pkl", tmp_path / "job" / "model")
    assert not (folder / "link.pkl").is_symlink()
    assert (folder / "link.pkl").samefile(tmp_path / "model.pkl")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_model_on_another_file_system_is_copied(tmp_path: Path, elsewhere: Path) -> None:
    (elsewhere / "model.pkl").write_text("weights")
    folder = stage_model(elsewhere / "model.pkl", tmp_path / "job" / "model")
    assert not (folder / "model.pkl").is_symlink()
    assert not (folder / "model.pkl").samefile(elsewhere / "model.pkl")
    assert (folder / "model.pkl").read_text() == "weights"


def test_a_very_large_model_on_another_file_system_is_linked_to(tmp_path: Path, elsewhere: Path) -> None:
    (elsewhere / "model.pkl").write_text("weights")
    folder = stage_model(elsewhere / "model.pkl", tmp_path / "job" / "model", largest_copy_bytes=6)
    assert (folder / "model.pkl").is_symlink()
    assert (folder / "model.pkl").read_text() == "weights"


def test_a_staged_model_can_be_removed_and_the_original_stays(tmp_path: Path) -> None:
    (tmp_path / "net" / "deep").mkdir(parents=True)
    (tmp_path / "net" / "deep" / "weights").write_text("w")
    folder = stage_model(tmp_path / "net", tmp_path / "job" / "model")
    unstage_model(folder)
    unstage_model(folder)
    assert not folder.exists()
    assert (tmp_path / "net" / "deep" / "weights").read_text() == "w"


def test_staging_a_model_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("weights")
    folder = stage_model(tmp_path / "model.pkl", tmp_path / "job" / "model")
    before = os.stat(folder).st_mtime_ns
    assert stage_model(tmp_path / "model.pkl", folder) == folder
    assert os.stat(folder).st_mtime_ns == before


def test_what_an_interrupted_staging_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "weights").write_text("w")
    half = tmp_path / "job" / "model.building" / "net" / "sub"
    half.mkdir(parents=True)
    (half / "old").symlink_to(tmp_path / "net" / "weights")
    half.parent.chmod(0o555)
    folder = stage_model(tmp_path / "net", tmp_path / "job" / "model")
    assert [path.name for path in (folder / "net").iterdir()] == ["weights"]
    assert (tmp_path / "net" / "weights").read_text() == "w"
    assert not half.exists()


# The archive


def test_the_archive_is_made_once(tmp_path: Path) -> None:
    first = worker_archive(tmp_path / "cache")
    before = os.stat(first)
    assert worker_archive(tmp_path / "cache") == first
    after = os.stat(first)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list((tmp_path / "cache").iterdir()) == [first]


def test_the_same_sources_give_the_same_archive(tmp_path: Path) -> None:
    first, second = worker_archive(tmp_path / "one"), worker_archive(tmp_path / "two")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_the_archive_works_compiled(tmp_path: Path) -> None:
    archive = worker_archive(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); "
        "import gristmill_worker.loop, azureml_user.parallel_run;"
        "print([sys.modules[n].__file__[-4:] for n in sys.modules if n.startswith(('gristmill', 'azureml'))])"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    endings = ast.literal_eval(said)
    assert len(endings) > 10
    assert set(endings) == {".pyc"}


def test_the_archive_holds_the_sources_of_the_worker_and_nothing_of_gristmill(tmp_path: Path) -> None:
    with zipfile.ZipFile(worker_archive(tmp_path)) as archive:
        names = archive.namelist()
    assert "gristmill_worker/loop.py" in names
    assert "azureml_user/parallel_run.py" in names
    assert [name for name in names if name.startswith("gristmill/")] == []


# The sweep


def started(environment: dict[str, str], *, new_session: bool) -> subprocess.Popen[bytes]:
    return settled(subprocess.Popen(["sleep", "60"], env=environment, start_new_session=new_session))


def test_a_sweep_finds_children_in_other_sessions_and_spares_others() -> None:
    ours = {RUN_MARK: "run-of-this-test", WORKER_MARK: "run-of-this-test.0.1"}
    children = [
        started(ours, new_session=True),
        started(ours, new_session=False),
        started({**ours, WORKER_MARK: "run-of-this-test.1.2"}, new_session=True),
        started({RUN_MARK: "run-of-this-test-2", "OTHER": f"{RUN_MARK}=run-of-this-test"}, new_session=True),
    ]
    try:
        assert sorted(marked(WORKER_MARK, "run-of-this-test.0.1")) == sorted(one.pid for one in children[:2])
        sweep(WORKER_MARK, "run-of-this-test.0.1")
        assert [one.wait(DEADLINE_S) for one in children[:2]] == [-9, -9]
        assert marked(RUN_MARK, "run-of-this-test") == [children[2].pid]
        sweep(RUN_MARK, "run-of-this-test")
        assert children[2].wait(DEADLINE_S) == -9
        assert children[3].poll() is None
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_the_dead_that_nobody_reaped_do_not_count() -> None:
    child = started({RUN_MARK: "run-of-the-dead"}, new_session=True)
    descriptor = os.pidfd_open(child.pid)
    child.kill()
    os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOWAIT)
    os.close(descriptor)
    assert marked(RUN_MARK, "run-of-the-dead") == []
    assert sweep(RUN_MARK, "run-of-the-dead") == 0
    assert child.wait() == -9


# Ends in words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (9, "was killed by signal 9 (SIGKILL; if nobody sent it, "
         "the machine or its container ran out of memory)"),
        (11 | 0x80, "was killed by signal 11 (SIGSEGV: a crash in native code)"),
        (1, "was killed by signal 1 (SIGHUP)"),
        (45, "was killed by signal 45 (a real-time signal)"),
        (3 << 8, "ended with status 3 (os._exit, or an exit in native code)"),
        (76 << 8, "ended with status 76 (it lost its channel: "
         "the script closed file descriptors that are not its own)"),
    ],
)  # fmt: skip
def test_how_a_process_ended_is_told_in_words(status: int, words: str) -> None:
    assert exit_in_words(status) == words
