"""How many system calls a mini-batch takes, all processes together, counted by strace."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from _peers import HERE, Task, python, run_words, shell_words


def can_count() -> bool:
    """Tell whether there is an strace to count with."""
    return shutil.which("strace") is not None


def per_mini_batch(name: str, few: Task, many: Task, more: int) -> float:
    """Return the calls that `more` mini-batches add; what it takes to start drops out."""
    return (calls(name, many) - calls(name, few)) / more


def calls(name: str, task: Task) -> int:
    """Count the system calls of one whole run, of a contestant or of Gristmill from the shell."""
    with tempfile.TemporaryDirectory(prefix="gristmill-bench-") as place:
        table = Path(place) / "calls"
        output = Path(place) / "output" / "lines.txt"
        words = shell_words(task, Path(place))
        if name != "gristmill":
            output.parent.mkdir()
            given = [name, task.script, task.folder, output, task.size, task.workers, 1]
            words = [str(python()), str(HERE / "contestants"), *map(str, given)]
        counted = replace(task, variables=(*task.variables, ("GRISTMILL_HOME", f"{place}/home")))
        run_words(["strace", "-f", "-c", "-qq", "-o", str(table), *words], name, counted, 300.0)
        return total(table.read_text(encoding="utf-8"))


def total(table: str) -> int:
    """Read the sum from strace's table: percent, seconds, microseconds per call, calls, errors, "total".

    Raises
    ------
    ValueError
        The table has no such line.
    """
    for line in reversed(table.splitlines()):
        columns = line.split()
        if columns[-1:] == ["total"]:
            return int(columns[3])
    raise ValueError("strace wrote no table with a total")
