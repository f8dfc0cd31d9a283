"""What every contestant shares: the same list of files, the same mini-batches, the same scoring script."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

SCRIPT = "BENCH_SCRIPT"  # the variable that tells every process, on whichever engine, where the script lies


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be done: score the files of a folder, write a line for each."""

    script: str  # init() and run(mini_batch), as for Gristmill
    folder: str
    output: str  # the file to write
    size: int  # files per run()
    workers: int
    setting: int  # what the tool calls chunks: mini-batches that travel together

    def batches(self) -> list[list[str]]:
        """List the folder and cut the list."""
        paths = list(listed(self.folder))
        return [paths[at : at + self.size] for at in range(0, len(paths), self.size)]

    def write(self, results: Iterable[Iterable[Any]]) -> None:
        """Write results as they come, a line each."""
        with open(self.output, "w", encoding="utf-8", errors="surrogateescape") as file:
            for result in results:
                file.writelines(f"{line}\n" for line in result)


class _Loaded(NamedTuple):
    run: Callable[[list[str]], list[Any]]


_loaded: list[_Loaded] = []


def load() -> None:
    """Load the script and call its init(), once in every process."""
    if not _loaded:
        spec = importlib.util.spec_from_file_location("bench_script", os.environ[SCRIPT])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "init"):
            module.init()
        _loaded.append(_Loaded(module.run))


def score(batch: list[str]) -> list[Any]:
    """Score one mini-batch in whatever process this is."""
    if not _loaded:
        load()
    return _loaded[0].run(batch)


def listed(folder: str) -> Iterator[str]:
    """Walk a folder in one stable order."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(here, name)
