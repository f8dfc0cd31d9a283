"""The starts of workers: what follows when one is ready, and when one cannot load the script (contract, 5.4).

It applies what `policy` decides, and must not know what the workers are to run.
"""

from __future__ import annotations

from collections.abc import Callable

from gristmill.engine.contract import Engine, Ready, StartFailed
from gristmill.run import policy
from gristmill.run.ledger import Ledger
from gristmill.run.progress import End, Ending
from gristmill.run.records import Modules, Record

_LOST_AGAIN = (
    "{losses} workers in a row have died between two mini-batches while a library held a file in the output "
    "folder open, and what they had scored was lost each time. Close the file before run() returns; then "
    "start a new job"
)


class Starts:
    """Takes what engines tell of workers that start."""

    def __init__(self, engine: Engine, ledger: Ledger, record: Callable[[Record], None]) -> None:
        """Put the collaborators together; ``record`` writes a record down, and applies it to the ledger."""
        self._engine = engine
        self._ledger = ledger
        self._record = record
        self._ever_ready = False
        self._failures: dict[int, int] = {}
        """Worker → failed starts in a row."""
        self._losses = 0
        self.notices: list[str] = []
        """New sentences for the user; whoever tells them empties the list."""

    def take_ready(self, ready: Ready) -> Ending | None:
        """Take a worker that has loaded the script; return how the job ends where that is not the script it
        had loaded before.
        """
        self._ever_ready = True
        known = self._ledger.modules
        for path, digest in ready.modules:
            if known.get(path, digest) != digest:
                return Ending(
                    end=End.BROKEN,
                    message=f"{path} in the job's copy of the code has changed since the first worker "
                    "loaded it; results would not fit together. Start a new job",
                )
        new = tuple((path, digest) for path, digest in ready.modules if path not in known)
        if new:
            self._record(Modules(new))
        return None

    def take_answer(self, worker: int) -> None:
        """Take note that a worker has answered: its start was a good one."""
        self._failures.pop(worker, None)

    def take_loss(self) -> Ending | None:
        """Take note that a worker has died, and what it held is void; return how the job ends if that would
        go on for ever.
        """
        self._losses += 1
        if self._losses < policy.MOST_LOSSES:
            return None
        return Ending(end=End.BROKEN, message=_LOST_AGAIN.format(losses=self._losses))

    def forget_losses(self) -> None:
        """Take note of a result that counts, or of a failure that uses up a try: the job comes forward."""
        self._losses = 0

    def take_failure(self, failure: StartFailed) -> Ending | None:
        """Start a worker again, or give its slot up; return how the job ends where neither helps."""
        worker = failure.worker
        failures = self._failures[worker] = self._failures.get(worker, 0) + 1
        slots_left = self._engine.load().workers
        decision = policy.after_start_failure(self._ever_ready, failures, slots_left)
        if decision.what is policy.AfterStartFailure.START_AGAIN:
            self._engine.restart(worker, decision.pause_s)
            self.notices.append(
                f"worker {worker} could not start ({failure.message}); "
                f"it is started again in {decision.pause_s:g} s, try {failures} of {policy.START_TRIES}"
            )
            return None
        if decision.what is policy.AfterStartFailure.GIVE_UP_SLOT:
            self._engine.give_up(worker)
            self.notices.append(f"worker {worker} is given up: {failure.message}")
            return None
        text = failure.message
        if failure.traceback.strip() != text:
            text = f"{text}\n{failure.traceback}".rstrip()
        return Ending(end=End.CANNOT_START, message=text, log=failure.log)
