"""The queue where the ground moves: a full disk, a home that goes, a catalog that is away, a broken job."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.processes import kill, wait_until
from faults.queued import DisturbedHome, killed_at


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DisturbedHome]:
    home = DisturbedHome(tmp_path)
    yield home
    home.clean_up()


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[DisturbedHome]:
    """Return one whose home is a disk of its own, of 20 MB."""
    place = tmp_path / "home"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("a small disk cannot be mounted here: there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    home = DisturbedHome(tmp_path)
    yield home
    home.clean_up()
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to the last byte; return what fills it."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def test_a_job_waits_until_there_is_room_and_says_so(small_home: DisturbedHome) -> None:
    home = small_home
    (home.root / "in" / "a").write_text("a", encoding="ascii")
    home.ask("first")
    home.wait_for("first")
    wait_until(lambda: not home.waiting(), "the index")
    kill(*home.runners())
    wait_until(lambda: not home.runners() and not home.slots(), "the death of the runner")
    killed_at(home.asking("second", point="submit.indexed:1"), "submit.indexed")  # nobody has rung yet
    filling = fill(home.home)

    wait_until(lambda: "it cannot begin: " in home.look("job", "show", "second"), "the words")
    assert "No space left on device" in home.look("job", "show", "second")
    assert home.status("second") == "Queued"

    filling.unlink()
    home.wait_for("second")
    home.check_completed("first", "second")


def test_a_job_that_is_asked_for_where_there_is_no_room_leaves_nothing(small_home: DisturbedHome) -> None:
    home = small_home
    home.ask("first")
    home.wait_for("first")
    fill(home.home)

    said, wrong = home.asking("second").communicate(timeout=60)

    assert said == b""
    assert b"CatalogError: " in wrong or b"HomeError: " in wrong
    assert home.waiting() == [] or home.waiting() == ["first"]
    assert not (home.home / "jobs" / "second").exists()


def test_the_runner_of_a_home_that_is_removed_ends(tmp_path: Path) -> None:
    home = DisturbedHome(tmp_path, idle_s=600)
    home.ask("j")
    home.wait_for("j")
    assert home.runners()

    home.home.rename(tmp_path / "removed")

    wait_until(lambda: not home.runners() and not home.slots(), "the end of runner and slots")


def _garbage(path: Path) -> Callable[[], None]:
    """Put something else where the catalog is; return what puts it back."""
    kept = path.with_name("kept")
    path.rename(kept)
    for beside in path.parent.glob("catalog.db-*"):
        beside.unlink()
    path.write_bytes(b"no database at all " * 100)

    def put_back() -> None:
        path.unlink()
        kept.rename(path)

    return put_back


def test_jobs_run_while_the_catalog_is_away_and_it_is_told_afterwards(tmp_path: Path) -> None:
    home = DisturbedHome(tmp_path, call_s=0.2)
    home.ask("j", "k")
    kill(*home.runners())
    wait_until(lambda: not home.runners() and not home.slots(), "the death of the runner")
    put_back = _garbage(home.home / "catalog.db")

    home.look()
    home.wait_for("j", "k")
    home.check_completed("j", "k")
    wait_until(lambda: not home.runners(), "the end of the runner")
    assert home.waiting() == ["j", "k"]
    assert "the catalog is not told how jobs stand until it is there again" in home.log()

    put_back()
    home.look()
    wait_until(lambda: home.waiting() == [], "the index")
    home.check_nothing_left()


def test_a_job_that_cannot_be_read_is_in_nobodys_way(home: DisturbedHome) -> None:
    killed_at(home.asking("broken", point="submit.indexed:1"), "submit.indexed")
    (home.home / "jobs" / "broken" / "job.json").write_text("{", encoding="ascii")

    home.ask("j")

    home.wait_for("j")
    home.check_completed("j")
    home.check_nothing_left()


def test_a_job_whose_folder_is_removed_while_it_waits_is_in_nobodys_way(home: DisturbedHome) -> None:
    killed_at(home.asking("gone", point="submit.indexed:1"), "submit.indexed")
    shutil.rmtree(home.home / "jobs" / "gone")

    home.ask("j")

    home.wait_for("j")
    home.check_completed("j")
    home.check_nothing_left()


def test_resume_begins_a_job_that_waits_here_and_now(home: DisturbedHome) -> None:
    killed_at(home.asking("j", point="submit.indexed:1"), "submit.indexed")

    home.look("resume", "j")

    assert "Completed: all 3 items" in home.said
    home.check_completed("j")
    home.look()  # and the runner takes it out of the line
    home.check_nothing_left()


def test_a_runner_that_cannot_begin_says_why(home: DisturbedHome) -> None:
    killed_at(home.asking("j", point="submit.indexed:1"), "submit.indexed")

    def shown() -> str:
        return home.look("job", "show", "j", GRISTMILL_MAX_RUNNING_JOBS="none")

    words = "it cannot begin: GRISTMILL_MAX_RUNNING_JOBS: must be a whole number"
    wait_until(lambda: words in shown(), "the words")
    assert "cannot begin: GRISTMILL_MAX_RUNNING_JOBS" in home.log()

    home.wait_for("j")
    home.check_completed("j")
