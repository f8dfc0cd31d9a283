"""All files below a folder, in one stable order: bytewise by relative path.

Within a folder, sub-folders sort as if their name ended in ``/``; a depth-first walk then gives exactly
``sorted(all relative paths)`` as a stream, the same order that an object store lists in. Names are raw
bytes. No file is asked for its size or dates: `os.scandir` tells files from folders by itself, and only
links are looked up. The order and the rules are those of the contract, section 4. This module must not
know what becomes of the names.
"""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gristmill.errors import InputError
from gristmill.plan.selection import BY_PATTERN, NOT_INCLUDED, Selection
from gristmill.plan.sorting import MEMORY_NAMES, RUN_NAMES, SortedNames

SLICE_ENTRIES = 2_048
"""Folder entries read between two pauses: one to two milliseconds."""

MARKERS = frozenset(
    {b"_SUCCESS", b"_SUCCESS.crc", b"_metadata", b"_common_metadata", b"_temporary/", b"_delta_log/"}
)
"""What Spark, Hadoop, Parquet and Delta leave beside the data; the last two are folders."""

MARKER_PREFIXES = (b"_committed_", b"_started_")
"""Files of Databricks' commit protocol begin so."""

LOOPS_TOLD = 10
"""Loops of links that are named one by one; further ones are only counted."""

_DANGLING = frozenset({errno.ENOENT, errno.ELOOP, errno.ENOTDIR})


class Listing:
    """The files below one root, in bytewise order of their relative paths.

    Links to files and to folders are followed; a link that leads nowhere is listed like a file, so that
    it fails visibly as an item. A folder that the walk is inside of already is a loop: it is noticed, not
    entered. Hidden names (a leading dot) and `MARKERS` are skipped and counted unless asked for, as are
    sockets, pipes and devices.

    Parameters
    ----------
    root
        The folder, or a single file, which is then the only item, whatever its name.
    scratch
        An existing folder for temporary files.
    recursive
        Whether sub-folders are searched.
    include_hidden
        Whether hidden names and markers are listed too.
    exclude
        Folders that are passed over where they lie below the root; they need not exist.
    selection
        What is wanted by patterns; None: everything. A single file is not asked about. A folder that is not
        wanted is not read.
    run_names, memory_names
        The allowance of `SortedNames` for one folder.

    Raises
    ------
    InputError
        When there is no such path, or it is neither a folder nor a file.
    """

    def __init__(
        self,
        root: Path,
        *,
        scratch: Path,
        recursive: bool = True,
        include_hidden: bool = False,
        exclude: Collection[Path] = (),
        selection: Selection | None = None,
        run_names: int = RUN_NAMES,
        memory_names: int = MEMORY_NAMES,
    ) -> None:
        asked = root.absolute()
        self._single = is_single_file(asked)
        self._only_name = os.fsencode(asked.name)
        self._scratch = scratch
        self._recursive = recursive
        self._include_hidden = include_hidden
        self._selection = selection
        self._run_names, self._memory_names = run_names, memory_names
        self._excluded = frozenset(os.fsencode(os.path.realpath(folder)) for folder in exclude)
        self.root: Path = asked.parent if self._single else asked
        """The absolute folder that the relative paths start from."""
        self._base = os.fsencode(self.root).rstrip(b"/") + b"/"
        self.skipped: dict[str, int] = dict.fromkeys(
            ("hidden", "markers", "special", "excluded", "loops", "folders", BY_PATTERN, NOT_INCLUDED), 0
        )
        """How many names were passed over, by reason; `folders` are those not searched without recursion."""
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
            When a folder cannot be read; nothing is passed over silently.
        PlanError
            When the scratch folder cannot be written.
        """
        if self._single:
            yield b"", [self._only_name]
            return
        frames = [self._enter(b"", os.path.realpath(self._base), through_link=False)]
        while frames:
            frame = frames[-1]
            part = next(frame.parts, None)
            if part is None:
                frames.pop()
                continue
            names, folder = part
            yield frame.prefix, names
            if folder:
                below = self._below(frames, folder)
                if below is not None:
                    frames.append(below)
        if self.skipped["loops"] > LOOPS_TOLD:
            self.notices.append(f"… and {self.skipped['loops'] - LOOPS_TOLD} more loops of links")

    def _enter(self, prefix: bytes, real: bytes, *, through_link: bool) -> _Frame:
        return _Frame(prefix, real.rstrip(b"/"), through_link, self._parts(prefix))

    def _below(self, frames: list[_Frame], folder: bytes) -> _Frame | None:
        """Step into a sub-folder, unless it is excluded or a loop.

        Where no link lies on the way, the real path is known without asking and a loop is impossible.
        """
        frame = frames[-1]
        is_link = folder.endswith(b"//")
        name = folder.rstrip(b"/")
        prefix = frame.prefix + name + b"/"
        real = os.path.realpath(self._base + prefix) if is_link else frame.real + b"/" + name
        if real in self._excluded:
            self.skipped["excluded"] += 1
            return None
        through_link = is_link or frame.through_link
        if through_link:
            for above in frames:
                if above.real == real.rstrip(b"/"):
                    self._tell_loop(prefix, above.prefix)
                    return None
        return self._enter(prefix, real, through_link=through_link)

    def _tell_loop(self, prefix: bytes, above: bytes) -> None:
        self.skipped["loops"] += 1
        if self.skipped["loops"] <= LOOPS_TOLD:
            target = f"the folder {_shown(above[:-1])}" if above else "the input folder itself"
            self.notices.append(
                f"{_shown(prefix[:-1])} leads back, through a link, to {target}; it is not listed again"
            )

    def _parts(self, prefix: bytes) -> Iterator[tuple[list[bytes], bytes]]:
        """Yield (files, the sub-folder that follows them, or nothing) of one folder, in order."""
        for names in self._sorted_names(prefix):
            if b"/" not in b"".join(names):
                yield names, b""
                continue
            folders = [index for index, name in enumerate(names) if name.endswith(b"/")]
            begin = 0
            for index in folders:
                if self._recursive:
                    yield names[begin:index], names[index]
                elif index > begin:
                    yield names[begin:index], b""
                begin = index + 1
            if not self._recursive:
                self.skipped["folders"] += len(folders)
            yield names[begin:], b""

    def _sorted_names(self, prefix: bytes) -> Iterator[list[bytes]]:
        """Yield the wanted names of one folder in order; folders end in ``/``, links to folders in ``//``."""
        with _opened(self._base + prefix) as scan:
            entries = _read_slice(self._base + prefix, scan)
            if len(entries) < SLICE_ENTRIES:
                yield self._wanted(prefix, entries)
                return
            sorter = SortedNames(self._scratch, run_names=self._run_names, memory_names=self._memory_names)
            try:
                while entries:
                    sorter.add(self._wanted(prefix, entries))
                    yield []
                    entries = _read_slice(self._base + prefix, scan)
                yield from sorter.merged()
            finally:
                sorter.close()

    def _wanted(self, prefix: bytes, entries: list[os.DirEntry[bytes]]) -> list[bytes]:
        """Sort the names of these entries, without those that are skipped.

        Sorted first: then hidden names, markers and the rest stand together and no name is looked at
        one by one.
        """
        try:
            names = [entry.name if entry.is_file() else self._key(entry) for entry in entries]
        except OSError:
            names = [self._key(entry) for entry in entries]
        names.sort()
        special = bisect_right(names, b"")
        if special:
            self.skipped["special"] += special
            del names[:special]
        if not self._include_hidden:
            self._drop_hidden(names)
        if self._selection is not None:
            names = self._selection.wanted(prefix, names, self.skipped)
        return names

    def _key(self, entry: os.DirEntry[bytes]) -> bytes:
        """Return the name to sort by: with ``/`` for a folder, empty for what cannot be read as a file."""
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            return name + b"/"
        if not entry.is_symlink():
            return name if entry.is_file(follow_symlinks=False) else b""
        if name.startswith(b".") and not self._include_hidden:
            return name
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            if error.errno in _DANGLING:
                return name
            raise InputError(
                f"the link {_shown(entry.path)} cannot be followed: {error.strerror}; "
                "give access to its target, or take the link out of the input"
            ) from error
        if stat.S_ISDIR(mode):
            return name + b"//"
        return name if stat.S_ISREG(mode) else b""

    def _drop_hidden(self, names: list[bytes]) -> None:
        begin = bisect_left(names, b".")
        end = bisect_left(names, b"/", begin)
        self.skipped["hidden"] += end - begin
        del names[begin:end]
        begin = bisect_left(names, b"_", begin)
        end = bisect_left(names, b"`", begin)
        if begin < end:
            kept = [name for name in names[begin:end] if not _is_marker(name)]
            self.skipped["markers"] += end - begin - len(kept)
            names[begin:end] = kept


def is_single_file(path: Path) -> bool:
    """Say whether an input is a file rather than a folder.

    Parameters
    ----------
    path
        The input, absolute.

    Returns
    -------
    bool
        Whether it is a file.

    Raises
    ------
    InputError
        It does not exist, cannot be looked up, or is neither.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in _DANGLING:
            raise InputError(f"there is no file or folder {str(path)!r}; check the input path") from error
        raise InputError(
            f"the input {str(path)!r} cannot be read: {error.strerror}; give yourself access to it"
        ) from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise InputError(f"the input {str(path)!r} is neither a folder nor a file; name a folder or a file")
    return stat.S_ISREG(mode)


class _Frame(NamedTuple):
    """One folder that the walk is inside of."""

    prefix: bytes
    real: bytes
    through_link: bool
    parts: Iterator[tuple[list[bytes], bytes]]


def _is_marker(name: bytes) -> bool:
    if name.endswith(b"/"):
        return name.rstrip(b"/") + b"/" in MARKERS
    return name in MARKERS or name.startswith(MARKER_PREFIXES)


def _opened(folder: bytes) -> os._ScandirIterator[bytes]:
    try:
        return os.scandir(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _read_slice(folder: bytes, scan: Iterator[os.DirEntry[bytes]]) -> list[os.DirEntry[bytes]]:
    try:
        return list(islice(scan, SLICE_ENTRIES))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: bytes, error: OSError) -> InputError:
    return InputError(
        f"the folder {_shown(folder.rstrip(b'/') or b'/')} cannot be listed: {error.strerror}; "
        "make it readable, or take it out of the input"
    )


def _shown(path: bytes) -> str:
    """Return a path as it may stand in a message: quoted, line breaks and odd bytes escaped."""
    return repr(os.fsdecode(path))
