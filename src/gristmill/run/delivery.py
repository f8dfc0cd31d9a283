"""Delivery: files that a script wrote into its output folder move to the output once their outcome is
recorded.

A worker sets them aside under its mini-batch. Moving is repeated after a crash until all are there. When
two mini-batches wrote the same name, the later one in plan order keeps it and the other becomes
``<name>.mini-batch-<number>`` (contract, section 1.3); a log of what was moved tells who wrote what.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from gristmill.engine.contract import Scored
from gristmill.errors import StorageError
from gristmill.faults import reach

_MOST_NOTICES = 5


class Delivery:
    """Moves set-aside files to the output folder and remembers which mini-batch each one is from."""

    def __init__(
        self, staging: Path, output: Path, log: Path, reserved: Collection[str] = frozenset()
    ) -> None:
        """Prepare.

        Parameters
        ----------
        staging
            The hidden folder in which workers set files aside.
        output
            Where they are to go.
        log
            The list of what was moved.
        reserved
            Names in the output folder that are not the script's to take.
        """
        self._staging = staging
        self._output = output
        self._log = log
        self._reserved = reserved
        self._mend = "\n" if log.exists() else ""
        """Ends a line that a crash has torn, before the first line of ours."""
        self._notices: list[str] = []
        self.conflicts = 0
        """Files that two mini-batches have written; one of the two was renamed."""

    def deliver(self, scored: Scored) -> None:
        """Move what a mini-batch left; safe to repeat.

        Raises
        ------
        StorageError
            The output folder is gone or full; what was not moved stays set aside.
        """
        aside = self._staging / "aside" / str(scored.part)
        folder = aside / f"{scored.span.first}-{scored.span.first_item}-{scored.attempt}"
        reach("files.before_move")
        try:
            for source in sorted(_files_below(folder)):
                self._move(source, str(source.relative_to(folder)), scored.span.first)
            _remove_empty(folder)
        except OSError as error:
            raise StorageError(
                f"files of mini-batch {scored.span.first} cannot be moved to {self._output}: {error}; "
                "they wait in "
                f"{folder}. Make room or repair the folder, then resume the job"
            ) from error
        reach("files.after_move")

    def withdraw(self, mini_batches: Collection[int]) -> None:
        """Remove what mini-batches left whose end state is void; safe to repeat.

        Raises
        ------
        StorageError
            A file cannot be removed.
        """
        writers = dict(self._moved()) if mini_batches else {}
        for name, writer in writers.items():
            if writer in mini_batches:
                try:
                    (self._output / name).unlink(missing_ok=True)
                except OSError as error:
                    raise StorageError(
                        f"{self._output / name}, of a mini-batch that is run again, cannot be removed: "
                        f"{error}; "
                        "remove it, then resume the job"
                    ) from error

    def _move(self, source: Path, name: str, mini_batch: int) -> None:
        if name in self._reserved:
            self.conflicts += 1
            taken, name = name, f"{name}.mini-batch-{mini_batch}"
            self._notice(f"{taken} is the job's own name; what mini-batch {mini_batch} wrote is {name}")
        target = self._output / name
        other = self._writer_of(name) if target.exists() else None
        if other is not None and other != mini_batch:
            self.conflicts += 1
            earlier, later = sorted((other, mini_batch))
            self._notice(
                f"mini-batches {earlier} and {later} both wrote {name}: the later one keeps the name, the "
                "other "
                f"is {name}.mini-batch-{earlier}"
            )
            if other > mini_batch:
                name = f"{name}.mini-batch-{mini_batch}"
            else:
                os.rename(target, self._output / f"{name}.mini-batch-{other}")
            target = self._output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log, "a", encoding="ascii") as log:
            log.write(self._mend + json.dumps([mini_batch, name]) + "\n")
        self._mend = ""
        os.rename(source, target)

    def take_notices(self) -> list[str]:
        """Return what the user should know since the last time."""
        notices, self._notices = self._notices, []
        return notices

    def _notice(self, text: str) -> None:
        if self.conflicts <= _MOST_NOTICES:
            self._notices.append(text)
        elif self.conflicts == _MOST_NOTICES + 1:
            self._notices.append(
                "more files have a name that is taken; delivered.jsonl in the job folder has all"
            )

    def _writer_of(self, name: str) -> int | None:
        """Return the mini-batch that wrote the file that stands in the output under this name."""
        writer = None
        for moved, mini_batch in self._moved():
            writer = mini_batch if moved == name else writer
        return writer

    def _moved(self) -> Iterator[tuple[str, int]]:
        """Yield (name, mini-batch) of every file that was moved, the latest last."""
        if self._log.exists():
            with open(self._log, encoding="ascii") as log:
                for line in log:
                    try:
                        mini_batch, name = json.loads(line)
                    except ValueError:
                        continue  # torn by a crash: that file was not moved
                    yield name, mini_batch


def _files_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        for name in files:
            yield Path(here, name)
        for name in folders:
            if os.path.islink(os.path.join(here, name)):
                yield Path(here, name)


def _remove_empty(folder: Path) -> None:
    for here, _, _ in os.walk(folder, topdown=False):
        os.rmdir(here)
