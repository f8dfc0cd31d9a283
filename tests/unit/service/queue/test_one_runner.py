"""One runner for a home: its lock, its bell, and the files by which it knows of jobs."""

from __future__ import annotations

import os
import selectors
from pathlib import Path

import pytest

from gristmill.service.queue import waking
from gristmill.service.queue.doorbell import Doorbell, ring
from gristmill.service.queue.presence import Presence, said_by_runner, trouble_of
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "home")


def held(home: Home) -> Presence:
    presence = Presence.held(home)
    assert presence is not None
    return presence


def test_only_one_has_the_lock(home: Home) -> None:
    first = held(home)

    assert Presence.held(home) is None

    first.release()
    held(home).release()


def test_a_lock_that_is_handed_over_is_held_until_its_heir_lets_go(home: Home) -> None:
    first = held(home)
    heir = Presence.inherited(home, os.dup(first.descriptor))
    os.close(first.descriptor)

    assert Presence.held(home) is None

    heir.release()
    held(home).release()


def test_a_lock_of_a_home_that_was_removed_is_not_valid(home: Home) -> None:
    presence = held(home)
    assert presence.is_valid

    (home.runner / "lock").unlink()
    assert not presence.is_valid

    held(home).release()
    assert not presence.is_valid
    presence.release()


def test_trouble_of_one_job_is_not_that_of_another(home: Home) -> None:
    presence = held(home)

    presence.say("no room", "a")
    assert (trouble_of(home, "a"), trouble_of(home, "b")) == ("no room", None)

    presence.say("no slot")
    assert (trouble_of(home, "a"), trouble_of(home, "b")) == ("no slot", "no slot")

    presence.say(None)
    assert trouble_of(home, "a") is None
    presence.release()


@pytest.mark.parametrize("text", ["x", "ä" * 5_000, "\U0001f33e" * 5_000])
def test_trouble_is_said_in_the_room_that_the_file_has_from_the_beginning(text: str, home: Home) -> None:
    presence = held(home)
    before = (home.runner / "lock").stat().st_size

    presence.say(text)

    assert (home.runner / "lock").stat().st_size == before == 4096
    assert text.startswith(said_by_runner(home)["trouble"])
    presence.release()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff" * 4096])
def test_a_lock_file_that_is_damaged_says_nothing(damage: bytes, home: Home) -> None:
    held(home).release()
    (home.runner / "lock").write_bytes(damage)

    assert said_by_runner(home) == {}
    assert trouble_of(home, "a") is None


def test_who_rings_is_heard(home: Home) -> None:
    home.runner.mkdir(parents=True)
    assert not ring(home)

    bell = Doorbell(home)
    assert ring(home)
    assert ring(home)
    with selectors.DefaultSelector() as selector:
        selector.register(bell, selectors.EVENT_READ)
        assert selector.select(0)
        bell.answer()
        assert not selector.select(0)
    bell.take_down()

    assert not ring(home)
    assert list(home.runner.iterdir()) == []


def test_a_bell_that_was_left_is_replaced_and_not_heard_before(home: Home) -> None:
    home.runner.mkdir(parents=True)
    left = Doorbell(home)
    os.close(left.fileno())  # its process was killed
    assert not ring(home)

    bell = Doorbell(home)
    assert ring(home)
    bell.take_down()
    left._socket.detach()


def test_a_home_may_lie_as_deep_as_it_likes(tmp_path: Path) -> None:
    home = Home(path=tmp_path / "/".join(["deep" * 10] * 20))
    home.runner.mkdir(parents=True)

    bell = Doorbell(home)
    assert ring(home)
    bell.take_down()


def test_thousands_may_ring_before_somebody_answers(home: Home) -> None:
    home.runner.mkdir(parents=True)
    bell = Doorbell(home)

    assert all(ring(home) for _ in range(2_000))
    bell.answer()
    bell.take_down()


def test_who_waits_is_known_until_he_is_removed(home: Home) -> None:
    waiting = Waiting(home)
    assert waiting.names() == []

    waiting.add("b")
    waiting.add("a")
    waiting.add("a")

    assert sorted(waiting.names()) == ["a", "b"]
    assert waiting.has("a")
    waiting.remove("a")
    waiting.remove("a")
    assert waiting.names() == ["b"]
    assert not waiting.has("a")


def test_nobody_is_woken_where_nobody_waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "_start", lambda *_: pytest.fail("a runner was started"))

    waking.wake_if_needed(home)
    Waiting(home).add("a")
    Waiting(home).remove("a")
    waking.wake_if_needed(home)

    assert not (home.runner / "lock").exists()


def test_a_runner_that_is_just_starting_is_not_started_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "_start", lambda *_: pytest.fail("a second runner was started"))
    presence = held(home)

    waking.wake(home)

    presence.release()


def test_a_runner_that_cannot_be_started_leaves_the_lock_free(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no processes left")

    monkeypatch.setattr(waking, "_start", refuse)

    with pytest.raises(OSError, match="no processes left"):
        waking.wake(home)

    held(home).release()
