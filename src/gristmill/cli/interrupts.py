"""Ctrl-C, SIGTERM and SIGHUP while a job runs (contract, section 5.9).

The first Ctrl-C or SIGTERM cancels the job; it ends in order, and what is finished is kept. The second ends
this process at once: nothing that was recorded is lost, and the guard ends the workers. SIGHUP changes
nothing, so that a job outlives its terminal; by a handler, since workers would inherit ``SIG_IGN``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import tell_now

STOPPING = "stopping; what is finished is kept (again to stop at once)"
_WHY = {signal.SIGINT: "cancelled by Ctrl-C", signal.SIGTERM: "cancelled by SIGTERM"}


class Cancellable(Protocol):
    """What can be cancelled: a running job."""

    @property
    def name(self) -> str: ...

    def cancel(self, why: str) -> None:
        """Ask it to end; safe in a signal handler."""
        ...


class Interrupts:
    """In force from ``with`` to its end; the handlers that were there before are put back."""

    def __init__(
        self, tell: Callable[[str], None] = tell_now, end: Callable[[int], object] = os._exit
    ) -> None:
        self._tell = tell
        self._end = end
        self._job: Cancellable | None = None
        self._is_stopping = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number, handler in (
            (signal.SIGINT, self._stop),
            (signal.SIGTERM, self._stop),
            (signal.SIGHUP, self._go_on),
        ):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup, or behind a shell's &
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def watch(self, job: Cancellable) -> None:
        """From now on cancel this job; until now there was nothing to cancel, only something to leave."""
        self._job = job

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._job is None:
            raise KeyboardInterrupt
        if not self._is_stopping:
            self._is_stopping = True
            self._job.cancel(_WHY[signal.Signals(number)])
            self._tell(STOPPING)
            return
        self._tell(
            f"stopped at once; what is finished is kept. It goes on with: gristmill resume {self._job.name}"
        )
        self._end(ExitStatus.CANCELED)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        pass
