"""How long measuring may take, and what of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """A span of time that has begun."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._end - self._clock())

    @property
    def end(self) -> float:
        """When it is over, in the clock's time."""
        return self._end

    def part(self, share: float) -> Budget:
        """Return a budget of a part of what is left, which begins now."""
        return Budget(self.left_s * share, self._clock)
