"""Ctrl-C, and the interrupt of a notebook's kernel, while a job runs.

The first cancels the job, which ends in order; the second raises `KeyboardInterrupt` at once, and the job is
left as if it had been killed: nothing that was recorded is lost. Only the main thread can be interrupted, so
that elsewhere nothing is changed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """In force from ``with`` to its end; the handler that was there before is put back."""

    def __init__(self, cancel: Callable[[str], None]) -> None:
        self.is_interrupted = False
        """Whether somebody asked for the end."""
        self._cancel = cancel
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        # A handler that is None was not set from Python and could not be put back.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) not in (
            signal.SIG_IGN,
            None,
        ):
            self._before = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True
        self._cancel("cancelled by Ctrl-C")
