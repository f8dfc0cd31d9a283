"""The guard of a run, seen from the engine: started first, replaced when somebody kills it, let go last.

What the guard itself does stands in `guard`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from pathlib import Path

from gristmill.engine.guard import CLEAN
from gristmill.engine.process import Process, start_guard


class Guarding:
    """Keeps one guard for a run."""

    def __init__(self, run_id: str, scratch: Path, python: str) -> None:
        """Start nothing yet.

        Parameters
        ----------
        run_id
            The mark of the run.
        scratch
            The run's temporary folder.
        python
            Our own interpreter.
        """
        self._run_id = run_id
        self._scratch = scratch
        self._python = python
        self._selector: selectors.BaseSelector | None = None
        self._guard: Process | None = None
        self._pipe = -1

    def start(self) -> None:
        """Start the guard.

        Raises
        ------
        OSError
            It cannot be started.
        """
        self._guard, self._pipe = start_guard(self._run_id, self._python, self._scratch)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Let a selector tell of the guard's death, as ``(None, "guard")``."""
        if self._guard is not None:
            self._selector = selector
            selector.register(self._guard, selectors.EVENT_READ, (None, "guard"))

    def unwatch(self) -> None:
        """Let no selector tell of it any more; idempotent."""
        if self._selector is not None and self._guard is not None:
            self._selector.unregister(self._guard)
        self._selector = None

    def replace(self) -> None:
        """Somebody killed the guard; without one, our own death would leave orphans."""
        selector = self._selector
        self.close()
        self.start()
        if selector is not None:
            self.watch(selector)

    def look(self) -> None:
        """Replace the guard if it is dead, where no selector tells."""
        if self._guard is not None and self._guard.reap() is not None:
            self.replace()

    def close(self, *, is_clean: bool = False) -> None:
        """Let the guard end, and wait for it.

        Parameters
        ----------
        is_clean
            Whether no process and no folder of the run is left: then the guard does not look, either.
        """
        if self._guard is not None:
            self.unwatch()
            if is_clean:
                self._say_clean()
            os.close(self._pipe)
            self._guard.wait()
            self._guard.close()
            self._guard = None

    def _say_clean(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard, and it is all the same
            os.write(self._pipe, CLEAN)
