"""What tells a home from all others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.errors import HomeError
from gristmill.settings import Home
from gristmill.storage.identity import identity_of

ASKS = """
import sys
from pathlib import Path
from gristmill.settings import Home
from gristmill.storage.identity import identity_of
sys.stdin.readline()
print(identity_of(Home(path=Path(sys.argv[1]))))
"""


def test_it_is_made_once_and_stays_when_the_home_is_moved(tmp_path: Path) -> None:
    first = identity_of(Home(path=tmp_path / "a"))

    assert identity_of(Home(path=tmp_path / "a")) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert identity_of(Home(path=tmp_path / "b")) == first
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["id"]


def test_homes_of_one_path_are_two(tmp_path: Path) -> None:
    first = identity_of(Home(path=tmp_path / "a"))
    (tmp_path / "a" / "id").unlink()

    assert identity_of(Home(path=tmp_path / "a")) != first


def test_one_that_was_emptied_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("")

    made = identity_of(Home(path=tmp_path))

    assert len(made) == 32
    assert identity_of(Home(path=tmp_path)) == made


def test_processes_that_ask_at_once_hear_the_same(tmp_path: Path) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASKS, str(tmp_path / "home")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    heard = {process.communicate()[0] for process in asking}

    assert heard == {f"{identity_of(Home(path=tmp_path / 'home'))}\n"}


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(HomeError, match="set GRISTMILL_HOME to a folder that you can write"):
        identity_of(Home(path=tmp_path / "home"))
