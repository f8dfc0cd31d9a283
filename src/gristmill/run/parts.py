"""The parts that workers have written, read by whoever puts the output together; few are open at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

_MOST_OPEN = 64


class Parts:
    """The parts of one job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[int, int] = OrderedDict()

    def descriptor(self, part: int) -> int:
        """Return a descriptor of a part, good until the next call.

        Raises
        ------
        OSError
            The part is gone.
        """
        descriptor = self._open.get(part)
        if descriptor is None:
            descriptor = os.open(self._folder / f"{part}.part", os.O_RDONLY | os.O_CLOEXEC)
            self._open[part] = descriptor
            if len(self._open) > _MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(part)
        return descriptor

    def close(self) -> None:
        """Close all; idempotent."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
