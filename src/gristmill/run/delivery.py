"""Delivery: files that a script wrote into its output folder move to the output once their outcome is
recorded.

A worker sets them aside under its mini-batch. Moving is repeated after a crash until all are there. When
two mini-batches wrote the same name, the later one in plan order keeps it and the other becomes
``<name>.mini-batch-<number>`` (contract, section 1.3); a log of what was moved tells who wrote what.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.errors import StorageError, in_words
from gristmill.faults import reach
from gristmill.run import delivered
from gristmill.run.writers import (
    ASSEMBLED,
    OUTDATED,
    UNFINISHED,
    Writer,
    is_farewell,
    is_of_range,
    suffix_of,
    who,
    with_suffix,
    writer_of,
)
from gristmill.storage.publish import sync_file_system

_MOST_NOTICES = 5
#: So many contested names are looked up in the log one by one; then all of it is kept in memory.
_MOST_LOOKUPS = 32


class Delivery:
    """Moves set-aside files to the output folder and remembers which mini-batch each one is from."""

    def __init__(
        self,
        staging: Path,
        output: Path,
        log: Path,
        reserved: Collection[str] = frozenset(),
        *,
        may_replace: bool = True,
        is_rerun: bool = False,
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
        may_replace
            Whether a file that was there before the job may be replaced.
        is_rerun
            Whether failed items of a published job are scored again: what workers leave at their ends then
            does not take the name of what others had left at theirs, which is of most of the input.
        """
        self._staging = staging
        self._output = output
        self._log = log
        self._reserved = reserved
        self._may_replace = may_replace
        self._is_rerun = is_rerun
        self._mend = "\n" if log.exists() else ""
        """Ends a line that a crash has torn, before the first line of ours."""
        self._notices: list[str] = []
        self._contested: dict[str, Writer | None] = {}
        """Who wrote the files of which the name was taken."""
        self._knows_all = False
        self._placed: set[str] = set()
        """Names of files that were put together and placed by this process."""
        self.conflicts = 0
        """Files that two mini-batches have written; one of the two was renamed."""

    def deliver(self, outcome: Scored | Farewell) -> None:
        """Move what a mini-batch, or a worker at its end, left; safe to repeat.

        Raises
        ------
        StorageError
            The output folder is gone or full; what was not moved stays set aside.
        """
        folder = self._aside(outcome)
        writer = writer_of(outcome)
        reach("files.before_move")
        try:
            for source in sorted(_files_below(folder)):
                self._move(source, str(source.relative_to(folder)), writer)
            _remove_empty(folder)
        except OSError as error:
            raise StorageError(
                f"files of {who(writer)} cannot be moved to {self._output}: {in_words(error)}; they "
                "wait in "
                f"{folder}. Make room or repair the folder, then resume the job"
            ) from error
        reach("files.after_move")

    def sync(self) -> None:
        """Make what is set aside survive a loss of power.

        Raises
        ------
        StorageError
            The disk does not take it.
        """
        try:
            sync_file_system(self._staging)
        except OSError as error:
            raise StorageError(
                f"files in {self._staging} cannot be made durable: {in_words(error)}; repair the disk, "
                "then resume the "
                "job"
            ) from error

    @property
    def has_moved(self) -> bool:
        """Whether any file was moved to the output, by this process or an earlier one."""
        return next(self._moved(), None) is not None

    def lost(self, outcomes: Iterable[Scored]) -> list[Scored]:
        """Return the outcomes whose files are neither set aside nor delivered: a loss of power took them."""
        doubtful = [scored for scored in outcomes if scored.files]
        if not doubtful:
            return []
        delivered = Counter(
            writer for name, writer in dict(self._moved()).items() if os.path.lexists(self._output / name)
        )
        return [
            scored
            for scored in doubtful
            if delivered[writer_of(scored)] + sum(1 for _ in _files_below(self._aside(scored))) < scored.files
        ]

    def withdraw(self, spans: Iterable[Span]) -> None:
        """Remove what ranges left whose end state is void; safe to repeat.

        Raises
        ------
        StorageError
            A file cannot be removed.
        """
        parts: set[Writer] = set()
        whole: set[int] = set()
        for span in spans:
            if span.items:
                parts.add((span.first, span.first_item))
            else:
                whole.update(range(span.first, span.first + span.batches))
        self._remove(lambda writer: writer in parts or writer[0] in whole)

    def outdate(self, spans: Iterable[Span]) -> None:
        """Note that what these ranges left is to be replaced: it stays until the job is complete again.

        Safe to repeat, as long as none of them has been scored again.
        """
        writers = {(span.first, span.first_item) for span in spans}
        if writers:
            self.outdate_files([name for name, writer in dict(self._moved()).items() if writer in writers])

    def outdate_files(self, names: Iterable[str]) -> None:
        """Note that these files are to be replaced, or removed in the end."""
        for name in names:
            self._note(OUTDATED, name, 0)

    def withdraw_unrecorded(self, is_recorded: Callable[[int, int], bool]) -> None:
        """Remove what ranges left of which the journal knows nothing; safe to repeat.

        Parameters
        ----------
        is_recorded
            Whether a range is in an end state: its mini-batch, and its first item in that.

        Raises
        ------
        StorageError
            A file cannot be removed.
        """
        self._remove(lambda writer: is_of_range(writer) and not is_recorded(*writer))

    def place(self, source: Path, name: str) -> str:
        """Give a file that was put together its final name; safe to repeat after a crash.

        Returns
        -------
        str
            The name, relative to the output folder: another one where the name is the job's own.

        Raises
        ------
        OSError
            The output folder is gone or full.
        """
        placed = self._move(source, name, ASSEMBLED)
        self._placed.add(placed)
        return placed

    def place_unfinished(self, source: Path, name: str) -> None:
        """Show a file that is not complete yet as ``<stem>.partial<suffix>``.

        Raises
        ------
        OSError
            The output folder is gone or full.
        """
        path = Path(name)
        self._move(source, str(path.with_name(f"{path.stem}.partial{path.suffix}")), UNFINISHED)

    def remove_unfinished(self) -> None:
        """Remove what `place_unfinished` showed, and what is out of date; safe to repeat.

        Raises
        ------
        StorageError
            A file cannot be removed.
        """
        self._remove(lambda writer: writer in (UNFINISHED, OUTDATED))

    def take_notices(self) -> list[str]:
        """Return what the user should know since the last time."""
        notices, self._notices = self._notices, []
        return notices

    def _aside(self, outcome: Scored | Farewell) -> Path:
        aside = self._staging / "aside" / str(outcome.part)
        if isinstance(outcome, Farewell):
            return aside / "shutdown"
        return aside / f"{outcome.span.first}-{outcome.span.first_item}-{outcome.attempt}"

    def _remove(self, is_meant: Callable[[Writer], bool]) -> None:
        for name, writer in dict(self._moved()).items():
            if is_meant(writer):
                try:
                    (self._output / name).unlink(missing_ok=True)
                except OSError as error:
                    raise StorageError(
                        f"{self._output / name}, of {who(writer)} and out of date, cannot be removed: "
                        f"{in_words(error)}; remove it, then resume the job"
                    ) from error
                if writer != UNFINISHED:
                    self._note(UNFINISHED, name, 0)  # nobody's any more, and nobody misses it

    def _move(self, source: Path, name: str, writer: Writer) -> str:
        if name in self._reserved or name.startswith(".gristmill-"):
            taken, name = name, self._free(name.lstrip("."), writer)
            self._conflict(f"{taken} is the job's own name; what {who(writer)} wrote is {name}")
        name = self._with_folders(name, writer)
        if os.path.lexists(self._output / name):
            name = self._settled(name, writer)
        target = self._output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self._note(writer, name, os.lstat(source).st_size)
        os.rename(source, target)
        return name

    def _with_folders(self, name: str, writer: Writer) -> str:
        """Return the name for a file of which a folder above may have the name of another file."""
        for folder in _folders_above(name):
            path = self._output / folder
            if not os.path.lexists(path) or path.is_dir():
                continue
            other = self._writer_of(folder)
            if other is None and not self._may_replace:
                ours = self._free(folder, writer) + name[len(folder) :]
                self._conflict(f"{folder} was there before the job; what {who(writer)} wrote is {ours}")
                return ours
            renamed = self._free(folder, other or writer)
            self._conflict(
                f"{folder} is a file of {who(other)} and a folder of {who(writer)}: the folder keeps "
                f"the name, the file is {renamed}"
            )
            self._note(other or writer, renamed, os.lstat(path).st_size)
            os.rename(path, self._output / renamed)
        return name

    def _settled(self, name: str, writer: Writer) -> str:
        """Return the name for a file where another has it: the later writer keeps the name."""
        path = self._output / name
        is_folder = path.is_dir() and not path.is_symlink()
        other = None if is_folder else self._writer_of(name)
        if not is_folder and (other in (writer, OUTDATED) or (other is None and self._may_replace)):
            return name
        if other is None:
            ours = self._free(name, writer)
            there = "is a folder of another mini-batch" if is_folder else "was there before the job"
            self._conflict(f"{name} {there}; what {who(writer)} wrote is {ours}")
            return ours
        if self._is_rerun and is_farewell(other) and is_farewell(writer):
            renamed = self._free(name, writer)
            self._conflict(f"{name} stays as it was; what {who(writer)} wrote now is {renamed}")
            return renamed
        earlier, later = sorted((other, writer))
        renamed = self._free(name, earlier)
        self._conflict(
            f"{who(earlier)} and {who(later)} both wrote {name}: the later one keeps the name, the "
            f"other is {renamed}"
        )
        if other > writer:
            return renamed
        self._note(other, renamed, os.lstat(path).st_size)
        os.rename(path, self._output / renamed)
        return name

    def _free(self, name: str, writer: Writer) -> str:
        """Return a name that nobody has, for a file whose own is taken."""
        suffixes = chain([suffix_of(writer)], (f"{suffix_of(writer)}-{number}" for number in count(2)))
        names = (with_suffix(name, suffix) for suffix in suffixes)
        return next(
            one for one in names if not os.path.lexists(self._output / one) or self._is_again(one, writer)
        )

    def _is_again(self, name: str, writer: Writer) -> bool:
        """Say whether this is what an earlier start put together under this name, or out of date: it is made
        anew.
        """
        if self._writer_of(name) == OUTDATED:
            return True
        if writer not in (ASSEMBLED, UNFINISHED) or name in self._placed:
            return False
        return self._writer_of(name) == writer

    def _conflict(self, text: str) -> None:
        self.conflicts += 1
        if self.conflicts <= _MOST_NOTICES:
            self._notices.append(text)
        elif self.conflicts == _MOST_NOTICES + 1:
            self._notices.append(
                "more files have a name that is taken; delivered.jsonl in the job folder has all"
            )

    # The log

    def _note(self, writer: Writer, name: str, size: int) -> None:
        with open(self._log, "a", encoding="ascii") as log:
            log.write(self._mend + json.dumps([writer, name, size]) + "\n")
        self._mend = ""
        if self._knows_all or name in self._contested:
            self._contested[name] = writer

    def _writer_of(self, name: str) -> Writer | None:
        """Return who wrote the file that stands in the output under this name; None: it was there before."""
        if name not in self._contested and not self._knows_all:
            self._knows_all = len(self._contested) >= _MOST_LOOKUPS
            for moved, writer in self._moved():
                if self._knows_all or moved == name:
                    self._contested[moved] = writer
        return self._contested.setdefault(name, None)

    def _moved(self) -> Iterator[tuple[str, Writer]]:
        """Yield (name, writer) of every file that was moved, the latest last."""
        return ((name, writer) for name, writer, _ in delivered.moved_files(self._log))


def _folders_above(name: str) -> Iterator[str]:
    """Yield the folders that a file lies in, the outermost first."""
    pieces = name.split("/")[:-1]
    for number in range(1, len(pieces) + 1):
        yield "/".join(pieces[:number])


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
