"""The guard of a run, seen from the engine: started first, replaced when somebody kills it, let go last.

What the guard itself does stands in `guard`.
"""

from __future__ import annotations

import contextlib
import os
import selectors

from gristmill.engine.guard import CLEAN
from gristmill.engine.launch import Assignment
from gristmill.engine.process import Process, start_guard


class Guarding:
    """Keeps one guard for a run; its death shows in the engine's selector, as ``(None, "guard")``."""

    def __init__(self, assignment: Assignment, python: str, selector: selectors.BaseSelector) -> None:
        self._assignment = assignment
        self._python = python
        self._selector = selector
        self._guard: Process | None = None
        self._pipe = -1

    def start(self) -> None:
        """Start the guard.

        Raises
        ------
        OSError
            It cannot be started.
        """
        self._guard, self._pipe = start_guard(self._assignment.run_id, self._python, self._assignment.scratch)
        self._selector.register(self._guard, selectors.EVENT_READ, (None, "guard"))

    def replace(self) -> None:
        """Somebody killed the guard; without one, our own death would leave orphans."""
        self.close()
        self.start()

    def close(self, *, is_clean: bool = False) -> None:
        """Let the guard end, and wait for it.

        Parameters
        ----------
        is_clean
            Whether no process and no folder of the run is left: then the guard does not look, either.
        """
        if self._guard is not None:
            self._selector.unregister(self._guard)
            if is_clean:
                self._say_clean()
            os.close(self._pipe)
            self._guard.wait()
            self._guard.close()
            self._guard = None

    def _say_clean(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard, and it is all the same
            os.write(self._pipe, CLEAN)
