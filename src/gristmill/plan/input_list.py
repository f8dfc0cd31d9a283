"""The files that a list names, in the same order as a listing of the folder has them.

The list is a text file: a path a line, relative to the input folder or absolute below it; empty lines do not
count. Where it holds NUL characters, these end the paths instead of line ends, so that any name can be listed
(``find -print0``). It may be in any order and of any length: it is read in slices, sorted outside of memory
where it is large, and each path is looked up once. What is named is wanted, whether hidden, a marker or in a
sub-folder; only patterns can take it out again. This module must not know what becomes of the names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import BinaryIO

from gristmill.errors import InputError
from gristmill.plan.listing import is_single_file
from gristmill.plan.selection import BY_PATTERN, NOT_INCLUDED, Selection
from gristmill.plan.sorting import SortedNames

READ_BYTES = 32 * 1024
"""Bytes of the list read between two pauses: a few hundred to a few thousand paths."""

PROBLEMS_TOLD = 5
"""Wrong entries that are named one by one; further ones are only counted."""

_LONGEST_PATH = 16 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class InputList:
    """The files named in a list, in bytewise order of their relative paths; the counterpart of `Listing`.

    Parameters
    ----------
    root
        The input folder.
    file
        The list.
    scratch
        An existing folder for temporary files.
    exclude
        Folders of the job's own, from which nothing may be listed; they need not exist.
    selection
        What is wanted of the list by patterns; None: everything.
    original
        The file that the user wrote, which messages name; None: ``file`` itself, and not a copy.

    Raises
    ------
    InputError
        When the input is no folder, or the list cannot be read.
    """

    def __init__(
        self,
        root: Path,
        file: Path,
        *,
        scratch: Path,
        exclude: Collection[Path] = (),
        selection: Selection | None = None,
        original: Path | None = None,
    ) -> None:
        self.root: Path = root.absolute()
        """The absolute folder that the relative paths start from."""
        if is_single_file(self.root):
            raise InputError(
                f"the input {str(self.root)!r} is a file, and an input list needs a folder; "
                "name the folder that the paths in the list start from"
            )
        if not os.path.isfile(file):
            raise InputError(f"there is no input list {str(file)!r}; check its path")
        self._file = file
        self._name = repr(str(original if original is not None else file))
        self._scratch = scratch
        self._selection = selection
        self._base = _as_base(os.fsencode(self.root))
        self._real_base = _as_base(os.path.realpath(self._base))
        self._bases = (_as_base(os.path.normpath(self._base)), self._real_base)
        self._excluded = [os.fsencode(os.path.realpath(folder)) + b"/" for folder in exclude]
        self._is_own = lru_cache(4096)(self._is_own_folder)
        self._number = 0
        self._wrong = 0
        self._problems: list[str] = []
        self.skipped: dict[str, int] = {BY_PATTERN: 0, NOT_INCLUDED: 0}
        """How many paths were passed over, by reason."""
        self.notices: list[str] = []
        """Sentences that the user should see; complete when the walk is."""

    def walk(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the files in order, a bounded amount of work at a time.

        Yields
        ------
        tuple[bytes, list[bytes]]
            A folder's relative path with a final ``/`` (empty for the root) and the next names in it. The
            list is empty where there is only a moment to pause.

        Raises
        ------
        InputError
            When the list cannot be read, is empty, or names what is no file below the root.
        PlanError
            When the scratch folder cannot be written.
        """
        sorter = SortedNames(self._scratch, smallest_block=_LONGEST_PATH)
        try:
            for paths in self._checked():
                sorter.add(paths)
                yield b"", []
            if self._wrong:
                raise self._refusal()
            for paths in self._once(sorter.merged()):
                yield b"", []
                for prefix, names in groupby(paths, _folder_of):
                    found = [path[len(prefix) :] for path in names]
                    if self._selection is not None:
                        found = self._selection.wanted(prefix, found, self.skipped)
                    yield prefix, found
        finally:
            sorter.close()

    def _checked(self) -> Iterator[list[bytes]]:
        """Yield the relative paths as the list has them, a slice at a time; wrong ones are taken down."""
        try:
            with self._file.open("rb") as file:
                for entries in self._slices(file):
                    found = [self._path_of(entry) for entry in entries]
                    yield [path for path in found if path]
        except OSError as error:
            raise InputError(
                f"the input list {self._name} cannot be read: {error.strerror}; give yourself access"
            ) from error

    def _slices(self, file: BinaryIO) -> Iterator[list[bytes]]:
        data = file.read(READ_BYTES)
        if data.startswith(_UTF_16_MARKS):
            raise InputError(f"the input list {self._name} is in UTF-16; save it as UTF-8")
        data = data.removeprefix(_BYTE_ORDER_MARK)
        self._is_nul_separated = b"\0" in data
        end = b"\0" if self._is_nul_separated else b"\n"
        rest = b""
        while data:
            *entries, rest = (rest + data).split(end)
            if len(rest) > _LONGEST_PATH:
                raise InputError(
                    f"the input list {self._name} has no end of a path in its {len(rest)} bytes after "
                    f"{_entries(self._number + len(entries))}; give a text file with one path a line"
                )
            yield entries
            data = file.read(READ_BYTES)
        yield [rest] if rest else []

    def _path_of(self, entry: bytes) -> bytes:
        """Return the relative path that an entry stands for; nothing where it is empty or wrong."""
        self._number += 1
        if not self._is_nul_separated:
            entry = entry.removesuffix(b"\r")
        if not entry:
            return b""
        path = os.path.normpath(entry)
        if path.startswith(b"/"):
            path = b"/" + path.lstrip(b"/") + b"/"
            for base in self._bases:
                if path.startswith(base):
                    path = path[len(base) :].rstrip(b"/") or b"."
                    break
        problem = self._problem(path)
        if problem:
            self._wrong += 1
            if self._wrong <= PROBLEMS_TOLD:
                where = "entry" if self._is_nul_separated else "line"
                self._problems.append(f"{where} {self._number}: {_shown(entry)} {problem}")
            return b""
        return path

    def _problem(self, path: bytes) -> str:
        if path.startswith((b"/", b"../")) or path == b"..":
            return "is not below the input folder"
        full = self._base + path
        try:
            mode = os.stat(full).st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.islink(full):
                return "does not exist"
            mode = stat.S_IFREG  # a link that leads nowhere fails visibly as an item, as in a listing
        except ValueError:
            return "holds a NUL character"
        except OSError as error:
            if not os.path.islink(full):
                return f"cannot be looked up: {error.strerror}"
            mode = stat.S_IFREG
        if stat.S_ISDIR(mode):
            return "is a folder; list the files in it"
        if not stat.S_ISREG(mode):
            return "is neither a file nor a folder"
        return "is a file of the job's own" if self._is_own(_folder_of(path)) else ""

    def _is_own_folder(self, folder: bytes) -> bool:
        if not self._excluded:
            return False
        real = os.path.realpath(self._base + folder) + b"/"
        return any(real.startswith(own) and not self._real_base.startswith(own) for own in self._excluded)

    def _once(self, chunks: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
        """Yield sorted paths without those that come again, and tell how many these were."""
        last, again, example = b"", 0, b""
        for chunk in chunks:
            paths = list(dict.fromkeys(chunk))
            if paths[0] == last:
                del paths[0]
            if len(paths) < len(chunk):
                again += len(chunk) - len(paths)
                example = example or _first_twice([last, *chunk])
            last = chunk[-1]
            if paths:
                yield paths
        if not last:
            raise InputError(f"the input list {self._name} names no file; write one path a line")
        if again:
            self.notices.append(
                f"the input list names files more than once, such as {_shown(example)}; each is scored once, "
                f"and {_entries(again)} did not count"
            )

    def _refusal(self) -> InputError:
        more = self._wrong - len(self._problems)
        others = f"\n  … and {more} more" if more else ""
        told = "".join(f"\n  {problem}" for problem in self._problems)
        what = f"{_entries(self._wrong)} that cannot be scored"
        return InputError(
            f"the input list {self._name} has {what} from {str(self.root)!r}:{told}{others}\n"
            "Correct the list, or name the input folder that its paths start from"
        )


def _as_base(folder: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _folder_of(path: bytes) -> bytes:
    return path[: path.rfind(b"/") + 1]


def _first_twice(paths: list[bytes]) -> bytes:
    return next(one for one, other in pairwise(paths) if one == other)


def _shown(path: bytes) -> str:
    shown = repr(os.fsdecode(path))
    return shown if len(shown) <= 200 else shown[:199] + "…"
