"""What an interrupt does while a job runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from gristmill.api.interrupts import Interrupts


@pytest.fixture(autouse=True)
def usual_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_first_interrupt_cancels_and_is_remembered() -> None:
    asked: list[str] = []
    with Interrupts(asked.append) as interrupts:
        interrupt()

    assert (asked, interrupts.is_interrupted) == (["cancelled by Ctrl-C"], True)


def test_second_interrupt_raises_at_once() -> None:
    asked: list[str] = []
    with Interrupts(asked.append):
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()

    assert asked == ["cancelled by Ctrl-C"]


def test_handler_that_was_there_is_put_back() -> None:
    with Interrupts(lambda why: None):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_that_are_ignored_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with Interrupts(lambda why: None) as interrupts:
        interrupt()

    assert not interrupts.is_interrupted
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_changes_nothing() -> None:
    seen: list[object] = []

    def work() -> None:
        with Interrupts(lambda why: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [signal.default_int_handler]
