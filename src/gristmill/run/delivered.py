"""The log of files that scripts wrote themselves, read without keeping it: it may be as long as the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from gristmill.run.writers import ASSEMBLED, OUTDATED, UNFINISHED, Writer

#: Neither a finished file nor one that a script wrote alone: what is shown of a job that did not complete,
#: what was put together of pieces, and what a rerun is to replace.
_OF_NOBODY = (UNFINISHED, ASSEMBLED, OUTDATED)
#: A bit for each name, by its hash: names that share one are kept until the end, since they may be the same.
_MOST_BITS = 1 << 27
_FEWEST_BITS = 1 << 10

Moved = tuple[str, Writer, int | None]
"""A name below the output folder, who wrote it, and its size in bytes where it is known."""


def moved_files(log: Path) -> Iterator[Moved]:
    """Yield every file that was moved, in the order of the log; a name may come again, the last one holds."""
    if not log.exists():
        return
    with open(log, encoding="ascii", errors="replace") as lines:
        for line in lines:
            try:
                (first, second), name, *size = json.loads(line)
            except (ValueError, TypeError):
                continue  # torn by a crash: that file was not moved
            yield name, (first, second), size[0] if size else None


def delivered_files(log: Path) -> Iterator[tuple[str, int | None]]:
    """Yield each whole file that scripts wrote, once, with its size in bytes where it is known."""
    bits = _FEWEST_BITS
    size = log.stat().st_size if log.exists() else 0
    while bits < min(size, _MOST_BITS):
        bits *= 2
    seen, shared = bytearray(bits // 8), bytearray(bits // 8)
    for name, _, _ in moved_files(log):
        place, bit = divmod(hash(name) % bits, 8)
        if seen[place] >> bit & 1:
            shared[place] |= 1 << bit
        seen[place] |= 1 << bit
    last: dict[str, tuple[Writer, int | None]] = {}
    for name, writer, length in moved_files(log):
        place, bit = divmod(hash(name) % bits, 8)
        if shared[place] >> bit & 1:
            last[name] = writer, length
        elif writer not in _OF_NOBODY:
            yield name, length
    for name, (writer, length) in last.items():
        if writer not in _OF_NOBODY:
            yield name, length
