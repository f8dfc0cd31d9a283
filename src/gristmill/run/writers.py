"""Who wrote a file of the output folder, as a value that can be ordered: the later one keeps a name."""

from __future__ import annotations

import os

from gristmill.engine.contract import Farewell, Scored

Writer = tuple[int, int]
"""Who wrote a file, in the order in which the later one keeps a name: what is not complete yet, mini-batches
(with the first item of the range), the ends of workers (with the part), what was put together.
"""
UNFINISHED: Writer = (-1, 0)
OUTDATED: Writer = (-2, 0)
"""Of a range that is scored again, until it has been: whoever writes a file of that name replaces it."""
_FAREWELL = 1 << 60
ASSEMBLED: Writer = (1 << 61, 0)
_LONGEST_NAME_BYTES = 255


def writer_of(outcome: Scored | Farewell) -> Writer:
    """Return who wrote the files that an outcome left."""
    if isinstance(outcome, Farewell):
        return _FAREWELL, outcome.part
    return outcome.span.first, outcome.span.first_item


def is_farewell(writer: Writer) -> bool:
    """Say whether it is a worker at its end."""
    return _FAREWELL <= writer[0] < ASSEMBLED[0]


def is_of_range(writer: Writer) -> bool:
    """Say whether it is a mini-batch, or a part of one."""
    return 0 <= writer[0] < _FAREWELL


def who(writer: Writer | None) -> str:
    """Say in words who it is; None: nobody of this job."""
    if writer is None:
        return "somebody else"
    if writer in (ASSEMBLED, UNFINISHED):
        return "several mini-batches together"
    return f"mini-batch {writer[0]}" if writer[0] < _FAREWELL else "a worker's shutdown()"


def suffix_of(writer: Writer) -> str:
    """Return what tells a file of this writer from one of the same name."""
    if writer in (ASSEMBLED, UNFINISHED):
        return ".appended"
    return f".mini-batch-{writer[0]}" if writer[0] < _FAREWELL else f".shutdown-{writer[1]}"


def with_suffix(name: str, suffix: str) -> str:
    """Lengthen a name; a long one is cut to what a file system takes."""
    folder, own = os.path.split(name)
    kept = os.fsencode(own)[: _LONGEST_NAME_BYTES - len(suffix)]
    return os.path.join(folder, os.fsdecode(kept) + suffix)
