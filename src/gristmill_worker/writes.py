"""Which files below the output folder are being written, and how: what Python itself says of it.

Audit events tell of each ``open``, removal and renaming before it is done, whoever does it in Python: the
script, pandas, ``logging``. A file that is only opened for appending is *appended* to; one that is opened for
writing in another way is written *whole*. Of files that a native library or another program opens nothing is
said. What is opened by a relative path in the working folder is noted, too: it is lost when that is removed.
"""

import fcntl
import gc
import io
import os
import stat
import sys
import weakref
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

_WRITING = os.O_WRONLY | os.O_RDWR
_DESCRIPTORS = "/proc/self/fd"
#: What every file object of Python descends from. Types are compared by their own line of descent, since
#: `isinstance` would ask proxies what they stand for.
_BASE = io.IOBase.__mro__[1]
#: Files of these modules keep back what was written, or the end that makes it whole, until they are closed.
_KEEP_BACK = ("bz2", "gzip", "lzma")
#: How the names begin of what libraries, and scripts for the moment, put in a working folder.
PASSING = (".", "tmp", "temp", "pymp-", "torch_", "__pycache__")
#: So many files in the working folder are remembered; what matters is that there are any.
_MOST_RELATIVE = 100

APPENDED, WHOLE = "appended", "whole"


class News(NamedTuple):
    """What this process did in the folder since it was asked last."""

    opened: Dict[str, str]
    """By relative path, how each file was opened for writing: `APPENDED` only, or also `WHOLE`."""
    renamed: List[Tuple[str, Optional[str]]]
    """(from, to) of renamings, in their order; to None: it was removed, or has left the folder."""
    appended_somewhere: Set[str]
    """Bare names that were opened for appending by a path that cannot be followed."""


class Writes:
    """Watches one folder for as long as the process lives; an audit hook cannot be taken away."""

    def __init__(
        self,
        folder: str,
        notes: str,
        working_folder: str = "",
        on_read: Callable[[Any], None] = lambda path: None,
    ) -> None:
        """Begin to watch.

        Parameters
        ----------
        folder
            The folder; absolute.
        notes
            A file outside it, in which forked children leave word of what they open.
        working_folder
            The folder from which relative paths lead, and which is removed in the end.
        on_read
            Called with the path of every file that is opened for reading alone; what it raises is dropped.
        """
        self.on_read = on_read
        self._real = os.path.realpath(folder) + "/"
        self._prefixes = tuple({folder.rstrip("/") + "/", self._real})
        self._notes = notes
        self._working = os.path.realpath(working_folder) + "/" if working_folder else ""
        self._relative: Set[str] = set()
        self._process = os.getpid()
        self._news = News({}, [], set())
        self._unbuffered: Set[str] = set()
        self._is_noting = False
        self._streams: Dict[int, List[Any]] = {}
        self._looked_at: Set[Tuple[str, int]] = set()
        sys.addaudithook(self._on_event)

    # What Python tells

    def _on_event(self, event: str, arguments: Any) -> None:
        """Take note of what changes the folder; called for every audit event, so it is short and never
        raises.
        """
        if event != "open" and event != "os.remove" and event != "os.rename":
            return
        try:
            if event == "open":
                path, mode, flags = arguments
                if flags & _WRITING:
                    if not isinstance(path, int):
                        self._on_open(os.fsdecode(path), mode, flags)
                else:
                    self.on_read(path)
            elif event == "os.remove":
                self._on_rename(self._name_of(arguments[0], arguments[1]), None)
            else:
                source, target, source_folder, target_folder = arguments
                if self._working and target_folder < 0 and not os.path.isabs(os.fsdecode(target)):
                    self._on_relative(os.fsdecode(target))
                self._on_rename(self._name_of(source, source_folder), self._name_of(target, target_folder))
        except Exception:  # whatever a strange path does here, it must not reach the script
            return

    def _on_open(self, path: str, mode: Optional[str], flags: int) -> None:
        if mode is not None and self._working and not os.path.isabs(path):
            self._on_relative(path)
        name = self._name_of(path)
        how = APPENDED if flags & os.O_APPEND else WHOLE
        if name is None:
            if mode is None and how == APPENDED and not os.path.isabs(path):
                self._news.appended_somewhere.add(os.path.basename(path))  # relative to a folder's descriptor
            return
        if os.getpid() != self._process:
            self._note(name, how)
            return
        _note_open(self._news.opened, name, how)
        if mode is None:  # `os.open`
            self._unbuffered.add(name)

    def _on_relative(self, path: str) -> None:
        path = os.path.abspath(path)
        if path.startswith(self._working) and len(self._relative) < _MOST_RELATIVE:
            self._relative.add(path[len(self._working) :])

    def _on_rename(self, source: Optional[str], target: Optional[str]) -> None:
        if os.getpid() != self._process:
            return
        if source is not None:
            how = self._news.opened.pop(source, None)
            self._news.renamed.append((source, target))
            if target is not None:
                self._news.opened[target] = how or WHOLE
        elif target is not None:
            self._news.renamed.append((target, None))
            self._news.opened[target] = WHOLE

    def _name_of(self, given: Any, folder: int = -1) -> Optional[str]:
        """Return the path relative to the folder that is watched; None where it leads elsewhere."""
        path: str = os.fsdecode(given)
        if not os.path.isabs(path) and folder >= 0:
            path = os.path.join(os.readlink("%s/%d" % (_DESCRIPTORS, folder)), path)
        path = os.path.abspath(path)
        for prefix in self._prefixes:
            if path.startswith(prefix):
                return path[len(prefix) :]
        above, name = os.path.split(path)
        path = os.path.join(os.path.realpath(above), name)
        return path[len(self._real) :] if path.startswith(self._real) else None

    def _note(self, name: str, how: str) -> None:
        """Leave word for the worker, from a child that it has forked."""
        if self._is_noting:
            return
        self._is_noting = True
        try:
            with open(self._notes, "ab") as notes:
                notes.write(b"%s %s\0" % (how.encode("ascii"), os.fsencode(name)))
        finally:
            self._is_noting = False

    # What the outbox asks

    def has_news(self) -> bool:
        """Say whether this process has done anything in the folder since `news` was asked last."""
        return bool(self._news.opened or self._news.renamed or self._news.appended_somewhere)

    def news(self) -> News:
        """Return what was done in the folder since this was asked last."""
        found, self._news = self._news, News({}, [], set())
        try:
            with open(self._notes, "rb") as notes:
                words = notes.read().split(b"\0")
            os.unlink(self._notes)
        except OSError:
            return found  # no child has left word
        for word in words:
            how, _, name = word.partition(b" ")
            if name:
                _note_open(found.opened, os.fsdecode(name), how.decode("ascii"))
        return found

    def forget_relative(self) -> None:
        """From here on only new files in the working folder count."""
        self._relative.clear()

    def left_behind(self) -> List[str]:
        """Return the files that Python code wrote into the working folder and that are still there.

        Hidden and temporary ones do not count, nor what was opened by an absolute path, as `tempfile` does.
        """
        return sorted(
            name
            for name in self._relative
            if not any(part.startswith(PASSING) for part in name.split("/"))
            and os.path.isfile(self._working + name)
        )

    def held(self) -> Dict[str, List[int]]:
        """Return the descriptors that this process holds open for writing, by relative path."""
        found: Dict[str, List[int]] = {}
        for entry in os.listdir(_DESCRIPTORS):
            try:
                path = os.readlink(_DESCRIPTORS + "/" + entry)
                if not path.startswith(self._real):
                    continue
                descriptor = int(entry)
                if not fcntl.fcntl(descriptor, fcntl.F_GETFL) & _WRITING:
                    continue
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and status.st_nlink:
                    found.setdefault(path[len(self._real) :], []).append(descriptor)
            except OSError:
                continue  # the descriptor that lists them, or one that was closed a moment ago
        return found

    def flush(self, held: Dict[str, List[int]]) -> Set[str]:
        """Flush the Python files among the open ones.

        Returns
        -------
        set of str
            The files of which all that was written is in the file now: Python's own, and those that Python
            opened without a buffer. What a library still keeps back of the others nobody knows.

        Raises
        ------
        OSError
            A file cannot be written: the disk is full.
        """
        open_now = {(name, descriptor) for name, ones in held.items() for descriptor in ones}
        self._looked_at = {one for one in self._looked_at & open_now if one[0] not in self._news.opened}
        flushed = self._flushed(open_now)
        if open_now - self._looked_at - flushed or not open_now <= self._looked_at:
            self._streams = _streams_of({descriptor for _, descriptor in open_now})
            self._looked_at = open_now
            flushed = self._flushed(open_now)
        missed = {name for name, _ in open_now - flushed}
        return {name for name in held if name not in missed}

    def _flushed(self, open_now: Set[Tuple[str, int]]) -> Set[Tuple[str, int]]:
        """Flush what is known to be a Python file, and return what has no buffer any more."""
        done = {(name, descriptor) for name, descriptor in open_now if name in self._unbuffered}
        for name, descriptor in open_now:
            streams = [reference() for reference in self._streams.get(descriptor, ())]
            for stream in streams:
                try:
                    if stream is not None and not stream.closed:
                        stream.flush()
                        done.add((name, descriptor))
                except ValueError:
                    continue  # its lower layer was taken off; that one is a file of its own
            if any(type(stream).__module__ in _KEEP_BACK for stream in streams):
                done.discard((name, descriptor))
        return done


def _note_open(opened: Dict[str, str], name: str, how: str) -> None:
    """Once a file was opened in another way than for appending, it is whole."""
    opened[name] = WHOLE if how == WHOLE else opened.get(name, how)


def _streams_of(descriptors: Set[int]) -> Dict[int, List[Any]]:
    """Return weak references to the Python files over these descriptors, which the garbage collector knows.

    Text files come before the binary ones below them, so that flushing in this order leaves nothing behind.
    """
    found: Dict[int, List[Any]] = {descriptor: [] for descriptor in descriptors}
    for thing in gc.get_objects():
        if _BASE not in type(thing).__mro__:
            continue
        try:
            descriptor = thing.fileno()
            if descriptor in found and thing.writable():
                found[descriptor].append(weakref.ref(thing))
        except Exception:  # closed, over no descriptor, or a class of the script's own with ideas of its own
            continue
    for references in found.values():
        references.sort(key=lambda reference: _rank(type(reference())))
    return found


def _rank(kind: type) -> int:
    """Order the layers of a file from the outside: text, then what packs, then Python's own buffers."""
    if issubclass(kind, io.TextIOBase):
        return 0
    return 2 if kind in (io.BufferedWriter, io.BufferedRandom, io.FileIO) else 1


def flush_libraries() -> None:
    """Let the C library write what it keeps back for others, as it does when a process ends."""
    try:
        import ctypes  # some Pythons come without it

        ctypes.CDLL(None).fflush(None)
    except (ImportError, OSError, AttributeError):
        pass
