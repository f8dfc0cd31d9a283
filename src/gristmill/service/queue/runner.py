"""The runner of a home: the one process that begins queued jobs in their turn, and ends when there are none.

It is started by whatever command needs it (`waking`), inherits the lock that says so, and belongs to no shell
and no terminal. Jobs run in its slots. Whatever is killed, the jobs' folders say where to go on: a job that
nobody works on any more is begun again. It must not know how a job is run.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from gristmill.errors import GristmillError, in_words
from gristmill.faults import reach
from gristmill.run.job_folder import JobFolder, utc_now
from gristmill.service.queue.dealing import deal
from gristmill.service.queue.doorbell import Doorbell
from gristmill.service.queue.indexing import Indexing
from gristmill.service.queue.line import Line, Waiter
from gristmill.service.queue.presence import Presence
from gristmill.service.queue.slots import Slot
from gristmill.service.queue.waking import LOCK_DESCRIPTOR
from gristmill.settings import Home, Settings

_LOOK_EVERY_S = 2.0
_LOOK_SOON_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LAST_WORDS_S = 5.0


class Runner:
    """Begins the queued jobs of one home."""

    def __init__(
        self,
        settings: Settings,
        presence: Presence,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over.

        Parameters
        ----------
        settings
            Of which home, and how many jobs run at once.
        presence
            The lock of the home's runner, held.
        log
            Is told what happens.
        clock
            Seconds that never go back.
        """
        self._settings = settings
        self._home = settings.home
        self._presence = presence
        self._log = log
        self._clock = clock
        self._line = Line(self._home)
        self._selector = selectors.DefaultSelector()
        self._slots: dict[int, Slot] = {}
        self._numbers = 0
        self._not_before: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._slot_pause_s = 0.0
        self._no_slot_before = 0.0
        self._waiters: list[Waiter] = []
        self._over: set[str] = set()
        self._busy_at = clock()
        self._is_asked_to_end = False
        self._indexing = Indexing(settings, log)

    def end_on(self, *numbers: signal.Signals) -> None:
        """End at these signals: jobs that run go on in their slots, others wait."""
        woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waking)  # else a signal would be seen at the end of a pause
        self._selector.register(woken, selectors.EVENT_READ, lambda: os.read(woken, 16))
        for number in numbers:
            signal.signal(number, self._end)

    def _end(self, number: int, frame: object) -> None:
        self._is_asked_to_end = True

    def serve(self) -> None:
        """Work until there is nothing to do, and nothing has come for a while."""
        while True:
            self._attend()
            reach("runner.idle")
            self._presence.release()
            reach("runner.unlocked")
            if self._is_asked_to_end or not self._line.look()[0]:
                break  # what comes from now on finds no runner, and starts one
            presence = Presence.held(self._home)
            if presence is None:
                break
            self._presence = presence
        self._indexing.close(_LAST_WORDS_S)

    def _attend(self) -> None:
        """Work as long as there is something to do, at the bell and at the slots."""
        self._presence.say(None)
        self._busy_at = self._clock()
        bell = self._hung_up()
        if bell is not None:
            self._selector.register(bell, selectors.EVENT_READ, bell.answer)
        self._open_slot()  # it loads what jobs need while we look who waits
        self._look()
        while self._goes_on():
            for key, _ in self._selector.select(self._pause_s()):
                key.data()
            self._look()
        if bell is not None:
            self._selector.unregister(bell)
            bell.take_down()
        for slot in list(self._slots.values()):
            self._close_slot(slot)

    def _hung_up(self) -> Doorbell | None:
        try:
            return Doorbell(self._home)
        except OSError as error:
            self._log(
                f"nobody can ring at {self._home.runner} ({in_words(error)}): new jobs are seen within "
                f"{_LOOK_EVERY_S:g} s"
            )
            return None

    def _goes_on(self) -> bool:
        """Say whether there is anything to wait for."""
        now = self._clock()
        if self._is_asked_to_end:
            self._log("asked to end; jobs that run go on, others wait for the next command")
            return False
        if not self._presence.is_valid:
            self._log(f"{self._home.runner} was removed, or has another runner")
            return False
        if self._waiters or any(slot.seat(now).warm or slot.job for slot in self._slots.values()):
            self._busy_at = now
        return now - self._busy_at < self._settings.runner_idle_s

    def _pause_s(self) -> float:
        """Say how long to wait for a ring: less where something is to be seen that does not ring."""
        idle_s = self._busy_at + self._settings.runner_idle_s - self._clock()
        is_soon = any(one.is_worked_on or one.name in self._not_before for one in self._waiters)
        return max(0.0, min(_LOOK_SOON_S if is_soon else _LOOK_EVERY_S, idle_s))

    # Whose turn it is

    def _look(self) -> None:
        """Look who waits, and begin what can begin."""
        self._waiters, over = self._line.look()
        for name in over:
            if name not in self._over:
                self._indexing.tell(name)
        self._over = set(over)
        now = self._clock()
        names = {one.name for one in self._waiters}
        self._not_before = {name: at for name, at in self._not_before.items() if name in names}
        self._pauses = {name: pause for name, pause in self._pauses.items() if name in names}
        seats = [slot.seat(now) for slot in self._slots.values()]
        for one in deal(self._waiters, seats, self._settings.max_running_jobs, self._not_before, now):
            slot = self._open_slot() if one.seat is None else self._slots[one.seat]
            if slot is None:
                break
            slot.begin(one.job)
            reach("runner.dealt")

    def _take_in(self, slot: Slot) -> None:
        """Hear what a slot says."""
        for words in slot.said():
            if words.get("ready"):
                slot.is_ready = True
                self._slot_pause_s = 0.0
            if "warm" in words:
                now = self._clock()
                slot.warm_until = {one: now + seconds for one, seconds in words["warm"].items()}
            if "began" in words:
                self._indexing.tell(words["began"])
            if "done" in words:
                self._done(slot, words["done"], words["trouble"])

    def _done(self, slot: Slot, name: str, trouble: str | None) -> None:
        """Take back a slot; a job that has not ended in it is tried again after a pause."""
        slot.job = None
        pause = self._pauses[name] = min(2 * self._pauses.get(name, 0.5), _LONGEST_PAUSE_S)
        self._not_before[name] = self._clock() + pause
        self._presence.say(trouble, name)
        if trouble is not None:
            self._log(f"job {name} is tried again in {pause:g} s: {trouble}")

    # The slots

    def _open_slot(self) -> Slot | None:
        """Start a slot; None where that is not possible just now."""
        if self._clock() < self._no_slot_before:
            return None
        self._numbers += 1
        try:
            slot = Slot(self._numbers)
        except OSError as error:
            self._no_slot(f"no process can be started: {in_words(error)}")
            return None
        self._slots[slot.number] = slot
        self._selector.register(slot.process, selectors.EVENT_READ, lambda: self._bury(slot))
        self._selector.register(slot.answers, selectors.EVENT_READ, lambda: self._take_in(slot))
        return slot

    def _bury(self, slot: Slot) -> None:
        """See to what a slot leaves that has died: its job is begun again where it was."""
        how = slot.death()
        if how is None or slot.number not in self._slots:
            return
        self._take_in(slot)
        self._log(f"slot {slot.number} {how}" + (f", in the middle of job {slot.job}" if slot.job else ""))
        if slot.job is not None:
            with suppress(GristmillError):
                JobFolder(self._home.jobs / slot.job).tell("slot_died", how=how)
        if not slot.is_ready:
            self._no_slot(f"a slot {how} before it was ready; {self._home.runner / 'runner.log'} says more")
        self._close_slot(slot)

    def _no_slot(self, trouble: str) -> None:
        self._slot_pause_s = min(max(1.0, 2 * self._slot_pause_s), _LONGEST_PAUSE_S)
        self._no_slot_before = self._clock() + self._slot_pause_s
        self._presence.say(trouble)
        self._log(f"{trouble}; the next try is in {self._slot_pause_s:g} s")

    def _close_slot(self, slot: Slot) -> None:
        self._selector.unregister(slot.process)
        self._selector.unregister(slot.answers)
        del self._slots[slot.number]
        slot.close()


def _log(text: str) -> None:
    """Write a line to the runner's log, which is its standard error; on a full disk nobody reads it."""
    with suppress(OSError):
        os.write(2, f"{utc_now()} runner {os.getpid()}: {text}\n".encode("utf-8", "backslashreplace"))


def main() -> int:
    """Be the runner of the home that the environment names."""
    os.chdir("/")
    presence = Presence.inherited(Home.from_environment(), LOCK_DESCRIPTOR)
    try:
        runner = Runner(Settings.from_environment(), presence, _log)
        signal.signal(signal.SIGHUP, lambda number, frame: None)  # it outlives every terminal
        runner.end_on(signal.SIGTERM, signal.SIGINT)
        _log("begins")
        runner.serve()
        _log("ends")
    except GristmillError as error:
        presence.say(str(error))
        _log(f"cannot begin: {error}")
        return 1
    except Exception as error:  # a mistake of ours: the log has it whole, and the next command its end
        presence.say(f"the runner has ended by a mistake ({error!r}); its log says more")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
