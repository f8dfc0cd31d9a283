"""What a worker was doing when its time was up: seen before it is killed, and nothing else waits for it."""

from __future__ import annotations

import time
from pathlib import Path

from gristmill.engine.contract import Event, Failed
from gristmill.engine.kernel import Look, activity_between, look_at, waiting_for
from gristmill.engine.launch import Assignment
from gristmill.engine.stack_request import StackRequest, spy_program
from gristmill.engine.stacks import in_words, place_in

#: However little is known by then, the worker is killed this long after its time was up.
LIMIT_S = 1.0
#: The first look, with which the one at the end is compared, is this long before it at most.
_FIRST_LOOK_S = 1.0


class Inquest:
    """Follows what a worker runs up to its deadline, and asks for its stacks there."""

    def __init__(self, assignment: Assignment, process: int, worker: int, answers: Path) -> None:
        """Prepare; nothing is looked at yet.

        Parameters
        ----------
        assignment
            What the workers do.
        process
            The worker's process.
        worker
            Its slot, from 0.
        answers
            The file in which it writes down its stacks.
        """
        self._assignment = assignment
        self._process = process
        self._worker = worker
        self._answers = answers
        self._looked: tuple[int, Look] | None = None
        self._request: StackRequest | None = None
        self._begun_at = 0.0
        self._waiting = ""
        self.activity = ""
        """``computing`` or ``waiting``; empty before `begin`."""

    def is_over(self, what: int, spent_s: float, limit_s: float) -> bool:
        """Say whether something has taken longer than its limit; shortly before, take the first look at it.

        Parameters
        ----------
        what
            Its number, by which it is told from what was run before.
        spent_s
            How long it has taken so far.
        limit_s
            How long it may take.
        """
        is_near = spent_s > max(limit_s - _FIRST_LOOK_S, limit_s / 2)
        if is_near and (self._looked is None or self._looked[0] != what):
            self._looked = (what, look_at(self._process))
        return spent_s > limit_s

    def begin(self, now: float) -> str:
        """Time is up: see what the worker is doing, and ask for its stacks; return that in words."""
        self._begun_at = now
        last = look_at(self._process)
        self.activity = activity_between(self._looked[1] if self._looked is not None else None, last)
        if self.activity == "waiting":
            self._waiting = waiting_for(self._process)
        self._request = StackRequest(self._process, self._answers, spy_program(), now)
        return "its time was up"

    @property
    def has_begun(self) -> bool:
        """Whether time is up."""
        return self._request is not None

    def is_closed(self, now: float) -> bool:
        """Say whether all is known that is going to be: then the worker can be killed."""
        assert self._request is not None, "it has not begun"
        if not self._request.poll(now) and now - self._begun_at < LIMIT_S:
            return False
        self._request.close()
        return True

    @property
    def stacks(self) -> str:
        """The stacks in words; what is known without them, where they did not come."""
        found = self._request.stacks if self._request is not None else None
        return in_words(found, self._assignment.code) if found is not None else ""

    def verdict(self, *, is_start: bool) -> str:
        """Say that time was up, of a start or of ``run()``, and what the worker did then. It is dead."""
        if self._request is not None:
            self._request.close()
        found = self._request.stacks if self._request is not None else None
        place = place_in(found, self._assignment.code) if found is not None else ""
        doing = " ".join(filter(None, (self.activity, self._waiting, f"({place})" if place else "")))
        if is_start:
            limit_s = self._assignment.init_timeout_s
            return (
                f"the worker did not finish loading and init() within {limit_s:g} s and was killed while it "
                f"was {doing}; raise init_timeout if it needs longer"
            )
        limit_s = self._assignment.timeout_s
        return f"run() did not return within {limit_s:g} s (timeout) and was {doing}; its worker was killed"

    def complete(self, events: list[Event]) -> None:
        """Add to the failed try, with which the events end, what was found out; where time was up."""
        failed = events[-1]
        if self._request is None or not isinstance(failed, Failed):
            return
        head = f"mini-batch {failed.span.first}, try {failed.attempt}\n{failed.message}"
        log = self.noted(head) or failed.log
        events[-1] = failed._replace(traceback=self.stacks, activity=self.activity, log=log)

    def noted(self, message: str) -> str:
        """Append to the worker's error log, as the worker itself does with a traceback.

        Returns
        -------
        str
            The log, relative to the job folder, with the position; empty where it cannot be written, and
            where time was not up.
        """
        if self._request is None:
            return ""
        path = self._assignment.log_path("error", self._worker, ".txt")
        try:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                position = file.tell()
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                file.write(f"{moment} {message}\n{self.stacks}\n")
        except OSError:
            return ""
        return f"{path.relative_to(self._assignment.logs.parent.parent)}:{position}"
