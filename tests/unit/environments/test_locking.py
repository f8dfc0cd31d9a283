"""The lock of an environment, and the programs that inherit it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.environments.command import CommandFailedError, run_command
from gristmill.environments.lock import EnvironmentLock


def test_users_share_it_and_a_builder_has_it_alone(tmp_path: Path) -> None:
    one, other, third = (EnvironmentLock(tmp_path / "k.lock") for _ in range(3))

    assert one.together(wait=False)
    assert other.together(wait=False)
    assert not third.alone(wait=False)
    one.release()
    other.release()
    assert third.alone(wait=False)
    assert not one.together(wait=False)
    third.release()


def test_removed_lock_is_made_anew_by_the_next(tmp_path: Path) -> None:
    one, other = EnvironmentLock(tmp_path / "k.lock"), EnvironmentLock(tmp_path / "k.lock")
    one.alone(wait=False)
    one.remove()

    assert other.alone(wait=False)
    assert not one.alone(wait=False)
    other.release()


def test_program_that_lost_its_parent_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    lock, other = EnvironmentLock(tmp_path / "k.lock"), EnvironmentLock(tmp_path / "k.lock")
    lock.alone(wait=False)
    orphan = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor]
    )
    lock.release()

    assert not other.alone(wait=False)
    orphan.communicate()
    assert other.alone(wait=False)
    other.release()


def test_program_inherits_the_lock_and_its_words_are_passed_on(tmp_path: Path) -> None:
    lock = EnvironmentLock(tmp_path / "k.lock")
    lock.alone(wait=False)
    said: list[str] = []
    program = f"import os; os.fstat({lock.descriptor}); print('Resolved 2 packages'); print('and more')"
    lines = run_command(
        [sys.executable, "-c", program], {}, said.append, folder=tmp_path, inherited=lock.descriptor
    )
    lock.release()

    assert (said, lines) == (["  Resolved 2 packages"], ["Resolved 2 packages", "and more"])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("print('out'); import sys; sys.exit('what went wrong')", ("out", "what went wrong")),
        ("raise SystemExit(3)", ("it ended with status 3",)),
        ("import os; os.kill(os.getpid(), 9)", (f"it was killed by signal {signal.SIGKILL}",)),
    ],
)
def test_words_of_a_program_that_fails_are_kept(tmp_path: Path, program: str, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandFailedError) as caught:
        run_command([sys.executable, "-u", "-c", program], {}, print, folder=tmp_path, inherited=2)

    assert caught.value.words == words


def test_program_that_is_not_there_fails_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="no-such-program: No such file"):
        run_command(["/no-such-program"], {}, print, folder=tmp_path, inherited=2)
