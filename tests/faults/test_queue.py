"""The queue, whoever is killed: every job that was accepted ends, none runs twice at once, nothing stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from subprocess import Popen

import pytest

from faults.processes import children_of, go_on, is_stopped, kill, wait_until
from faults.queued import DisturbedHome, killed_at
from gristmill.faults import QUEUE_POINTS, RUNNER_POINTS


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DisturbedHome]:
    home = DisturbedHome(tmp_path)
    yield home
    home.clean_up()


@pytest.mark.parametrize("point", QUEUE_POINTS)
def test_a_command_that_is_killed_while_it_queues_a_job(point: str, home: DisturbedHome) -> None:
    killed_at(home.asking("j", point=f"{point}:1"), point)
    is_accepted = point not in ("submit.made", "submit.keyed")
    assert home.waiting() == (["j"] if is_accepted else [])

    home.ask("j")  # whoever got no answer asks again, under the same key

    home.wait_for("j")
    home.check_completed("j")
    assert [line[1:] for line in home.calls()] == [["call", name] for name in "abc"]
    home.check_nothing_left()


def test_a_job_that_was_accepted_begins_with_the_next_command(home: DisturbedHome) -> None:
    killed_at(home.asking("j", point="submit.accepted:1"), "submit.accepted")
    assert home.runners() == []

    home.look("job", "show", "j")

    home.wait_for("j")
    home.check_completed("j")


@pytest.mark.parametrize("point", RUNNER_POINTS)
def test_a_runner_or_a_slot_that_is_killed_at_a_named_point(point: str, home: DisturbedHome) -> None:
    asking = home.asking("j", point=f"{point}:1")
    asking.communicate(timeout=60)
    victim = home.stopped(point)
    home.ask("k")
    kill(victim)

    home.wait_for("j", "k")
    home.check_completed("j", "k")
    home.check_nothing_left()


def test_a_slot_ends_its_job_when_the_runner_is_killed(home: DisturbedHome) -> None:
    home.ask("j", "k")
    wait_until(lambda: bool(home.calls()), "the first call")
    kill(*home.runners())
    wait_until(lambda: not home.runners(), "the death of the runner")

    wait_until(lambda: home.status("j") == "Completed", "the end of the job that ran")
    assert [event["event"] for event in home.events("j")].count("started") == 1
    wait_until(lambda: not home.slots(), "the end of the slot")
    assert home.status("k") == "Queued"
    home.look()
    home.wait_for("k")
    home.check_completed("j", "k")


def test_a_job_that_ends_its_process_three_times_is_given_up(tmp_path: Path) -> None:
    home = DisturbedHome(tmp_path, call_s=600)
    home.ask("j")
    for number in (1, 2, 3):
        wait_until(lambda number=number: len(home.calls()) == number, f"call {number}")  # type: ignore[misc]
        kill(*home.slots())

    home.wait_for("j")
    job = home.job("j")
    assert job["status"] == "Failed"
    assert "has ended 3 times without finishing a mini-batch" in job["message"]
    assert [event["event"] for event in home.events("j")].count("slot_died") == 3
    home.clean_up()


def test_many_who_ask_at_the_same_instant_start_one_runner(home: DisturbedHome) -> None:
    names = [f"j{number:02d}" for number in range(20)]
    # A process for each name, held right before it rings, and all let go at once.
    asking = home.asking("together", *names, point="submit.indexed:1")
    wait_until(lambda: sum(map(is_stopped, children_of(asking.pid))) == 20, "everybody at the door")
    go_on(*children_of(asking.pid))
    assert sorted(answered(asking)) == names

    home.wait_for(*names)
    home.check_completed(*names)
    assert home.log().count(": begins") == 1
    assert len(home.calls()) == 60
    home.check_nothing_left()


@pytest.mark.parametrize(
    ("seed", "jobs", "at_once"),
    [
        (1, 15, 2),
        pytest.param(3, 200, 1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        pytest.param(4, 200, 3, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_kills_at_random(seed: int, jobs: int, at_once: int, tmp_path: Path) -> None:
    home = DisturbedHome(tmp_path, at_once=at_once)
    names = [f"j{number:03d}" for number in range(jobs)]
    try:
        disturbed(home, names, Random(seed))
        home.wait_for(*names)
        home.check_completed(*names)
        home.check_nothing_left()
    finally:
        home.clean_up()


def disturbed(home: DisturbedHome, names: list[str], chance: Random) -> None:
    """Ask for jobs, and kill whoever comes, until all are accepted and enough have been killed."""
    accepted: set[str] = set()
    asking: Popen[bytes] | None = None
    deadline = time.monotonic() + 4.0 * len(names)
    struck = 0
    while len(accepted) < len(names) or struck < len(names) // 3:
        assert time.monotonic() < deadline, f"{len(accepted)} accepted, {struck} killed"
        if asking is None or asking.poll() is not None:
            accepted |= answered(asking)
            missing = [name for name in names if name not in accepted][:10]
            asking = home.asking(*missing) if missing else None
        time.sleep(chance.uniform(0.05, 0.6))
        victims = VICTIMS[chance.choice(("runner", "runner", "slot", "slot", "asking", "looking"))]
        struck += victims(home, asking)
    if asking is not None:
        accepted |= answered(asking)
    home.ask(*(name for name in names if name not in accepted))


def answered(asking: Popen[bytes] | None) -> set[str]:
    return set(asking.communicate(timeout=60)[0].decode().split()) if asking is not None else set()


def kill_runner(home: DisturbedHome, _: Popen[bytes] | None) -> int:
    runners = home.runners()
    kill(*runners)
    return len(runners)


def kill_slot(home: DisturbedHome, _: Popen[bytes] | None) -> int:
    """Kill all slots; not those of a job of which two were killed already, at three it is given up."""
    busy = [name for name in home.waiting() if home.job(name).get("runner_starts", 0) >= 2]
    slots = home.slots() if not busy else []
    kill(*slots)
    return len(slots)


def kill_asking(_: DisturbedHome, asking: Popen[bytes] | None) -> int:
    if asking is None or asking.poll() is not None:
        return 0
    asking.kill()
    return 1


def kill_looking(home: DisturbedHome, _: Popen[bytes] | None) -> int:
    looking = home.looking()
    time.sleep(0.2)
    looking.kill()
    looking.communicate()
    return 1


VICTIMS: dict[str, Callable[[DisturbedHome, Popen[bytes] | None], int]] = {
    "runner": kill_runner,
    "slot": kill_slot,
    "asking": kill_asking,
    "looking": kill_looking,
}
