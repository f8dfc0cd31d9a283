"""The folder behind ``AZUREML_BI_OUTPUT_PATH``: private to the worker, and what of it is taken when (design,
D10).

After a successful ``run`` everything new in it belongs to the mini-batch. A *whole* file is moved aside under
the mini-batch's number, on the same file system. Of a file that is *appended* to, or kept open, the growth is
copied, and the file stays: scripts ask whether it exists before they write a header. After a failed try the
folder is put back to what it was. So a try that failed leaves nothing behind, and a retry duplicates nothing.

A file that a native library keeps open may hold back what was written; it is left alone until it is closed,
and until then the worker's outcomes are *held*: they count once it has said goodbye, or has closed the file.
"""

import errno
import os
import shutil
import stat
import time
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

from gristmill_worker.writes import APPENDED, WHOLE, News, Writes

#: A folder's mtime has the grain of the kernel's tick; within it a change cannot be seen.
_TICK_NS = 20_000_000
#: Appended files that are kept for scripts that come back to them.
_MOST_KEPT = 256
#: More folders than this are not kept for another job.
_MOST_FOLDERS = 256
_PROBE_BYTES = 4096
_AT_THE_END = "shutdown"


class Piece(NamedTuple):
    """What a mini-batch added to a file."""

    name: str
    """The file, relative to the output folder."""
    start: int
    """Where the piece begins in the worker's own file, in bytes."""
    end: int


class Takings(NamedTuple):
    """What was found in the folder."""

    files: int
    """Whole files that were set aside."""
    pieces: List[Piece]
    """What was added to files, to be copied by the caller, who then calls `Outbox.settle`."""
    held: bool
    """Whether a native library keeps a file open, so that nobody knows what is in it."""


class _Known(NamedTuple):
    """What has been taken of a file that stays."""

    size: int
    head: bytes
    tail: bytes
    """Its first and last bytes: they tell a file that grew from one that was written anew."""
    changed_ns: int
    """Its mtime, once later changes are sure to give it another."""


class Outbox:
    """The private output folder of one worker."""

    def __init__(self, folder: str, aside: str, writes: Writes) -> None:
        self.folder = folder
        self._aside = aside
        self._writes = writes
        os.makedirs(folder, exist_ok=True)
        self._seen_ns = 0
        """The folder's mtime when it was last seen empty, once later changes are sure to give it another."""
        self._taken: Dict[str, _Known] = {}
        """What has been taken of each file that stays; the latest last."""
        self._settling: Dict[str, _Known] = {}
        self._folders: Set[str] = set()
        """Folders that are there; a script may remember which it has made, so none is ever removed."""
        self._empty: Dict[str, int] = {}
        """Their mtimes, of those that were empty when they were last looked into."""
        self._of_init: Dict[str, int] = {}
        self._folders_of_init: Set[str] = set()
        self._opened_in_init: Dict[str, str] = {}
        self._has_content = False
        self.foreign: List[str] = []
        """Files that a native library kept open when they were last looked for."""

    def begin(self) -> None:
        """Remember what ``init()`` left: it belongs to the first mini-batch that returns."""
        os.makedirs(self.folder, exist_ok=True)
        self._opened_in_init = self._writes.news().opened
        self._writes.forget_relative()
        self._of_init = {name: status.st_size for name, status in self._files()}
        self._folders_of_init = set(self._folders)
        self._has_content = bool(self._of_init or self._folders)

    def is_touched(self) -> bool:
        """Say whether anything may be new in the folder (one ``stat`` in the usual case)."""
        if self._has_content or self._writes.has_news():
            return True
        try:
            changed_ns = os.stat(self.folder).st_mtime_ns
            if changed_ns == self._seen_ns:
                return False
            now_ns = time.time_ns()
            if os.listdir(self.folder):
                return True
        except OSError:
            return True
        self._seen_ns = changed_ns if now_ns - changed_ns > _TICK_NS else 0
        return False

    def take(self, first: int, first_item: int, attempt: int) -> Takings:
        """Set whole files aside under the mini-batch, and say what was added to others.

        Raises
        ------
        OSError
            The disk is full, or somebody removed the folder.
        """
        return self._take("%d-%d-%d" % (first, first_item, attempt), is_last=False)

    def missed(self) -> List[str]:
        """Return what the script wrote, since `begin`, into its working folder rather than here."""
        return self._writes.left_behind()

    def has_files_of_init(self) -> bool:
        """Say whether ``init()`` left a file here."""
        return bool(self._of_init)

    def has_many_folders(self) -> bool:
        """Say whether there are so many folders that looking for files takes long."""
        return len(self._folders) > _MOST_FOLDERS

    def clear(self) -> None:
        """Remove every file; folders stay, since a script may remember which it has made.

        Raises
        ------
        OSError
            A file cannot be removed.
        """
        os.makedirs(self.folder, exist_ok=True)
        for name, _ in list(self._files()):
            os.unlink(os.path.join(self.folder, name))
        self._writes.news()
        self._writes.forget_relative()

    def has_open(self) -> bool:
        """Say whether this process still holds a file open for writing."""
        return bool(self._writes.held())

    def take_last(self) -> Takings:
        """Take everything that is left, open or not: the script has been told to shut down.

        Raises
        ------
        OSError
            The disk is full, or somebody removed the folder.
        """
        return self._take(_AT_THE_END, is_last=True)

    def _take(self, label: str, is_last: bool) -> Takings:
        os.makedirs(self.folder, exist_ok=True)  # a script may have removed it
        held = self._writes.held()
        flushed = self._writes.flush(held) if held else set()
        news = self._writes.news()
        self._follow(news)
        self.foreign = [] if is_last else sorted(name for name in held if name not in flushed)
        target = os.path.join(self._aside, label)
        pieces, files = [], 0
        for name, status in list(self._files()):
            size, is_regular = status.st_size, stat.S_ISREG(status.st_mode)
            if name in self.foreign:
                continue
            is_open = name in held and not is_last
            known = self._taken.get(name)
            if known is not None and not self._is_as_known(name, known, status):
                news.opened[name] = WHOLE  # it was written anew through a handle that is open
            if is_regular and self._is_appended(name, size, news, is_open):
                start = known.size if known is not None else 0
                if size > start or known is None:
                    pieces.append(Piece(name, start, size))
                    self._settling[name] = self._known(name, size)
            elif not is_open or known is None or size != known.size or news.opened.get(name) == WHOLE:
                self._set_aside(name, size, target, is_open)
                files += 1
        return Takings(files, pieces, bool(self.foreign))

    def _is_appended(self, name: str, size: int, news: News, is_open: bool) -> bool:
        """Say whether a file grows piece by piece, rather than being written whole by this mini-batch."""
        opened = news.opened.get(name)
        if name in self._taken:
            return opened != WHOLE
        if opened is None:
            opened = self._opened_in_init.get(name)
        if opened is None and os.path.basename(name) in news.appended_somewhere:
            opened = APPENDED
        return opened == APPENDED or is_open

    def _follow(self, news: News) -> None:
        """What was removed begins anew when it comes back; what was renamed is known under its new name."""
        for source, target in news.renamed:
            known = self._taken.pop(source, None)
            self._opened_in_init.pop(source, None)
            if target is not None:
                self._taken.pop(target, None)
                if known is not None:
                    self._taken[target] = known
                    news.opened.pop(target, None)

    def _known(self, name: str, size: int) -> "_Known":
        """Return what a file looks like of which so many bytes are taken."""
        with open(os.path.join(self.folder, name), "rb", buffering=0) as file:
            head = os.pread(file.fileno(), min(size, _PROBE_BYTES), 0)
            tail = os.pread(file.fileno(), min(size, _PROBE_BYTES), max(0, size - _PROBE_BYTES))
            changed_ns = os.fstat(file.fileno()).st_mtime_ns
        is_settled = time.time_ns() - changed_ns > _TICK_NS
        return _Known(size, head, tail, changed_ns if is_settled else 0)

    def _is_as_known(self, name: str, known: "_Known", status: os.stat_result) -> bool:
        """Say whether what was taken of a file is still there, as far as its first and last bytes tell."""
        if status.st_size == known.size and status.st_mtime_ns == known.changed_ns:
            return True
        return status.st_size >= known.size and self._known(name, known.size)[:3] == known[:3]

    def _set_aside(self, name: str, size: int, target: str, is_open: bool) -> None:
        source, moved = os.path.join(self.folder, name), os.path.join(target, name)
        os.makedirs(os.path.dirname(moved), exist_ok=True)
        if is_open:  # what it holds now is the mini-batch's; what comes later is a piece
            shutil.copyfile(source, moved)
            self._settling[name] = self._known(name, size)
        else:
            _move(source, moved)
            self._taken.pop(name, None)

    def settle(self) -> None:
        """The pieces are copied: from now on what comes after them is new."""
        for name, known in self._settling.items():
            self._taken.pop(name, None)
            self._taken[name] = known
        self._settling = {}
        self._of_init = {}
        self._opened_in_init = {}
        self._seen_ns = 0
        self._drop_the_oldest()
        self._has_content = bool(self._taken or self._folders or self.foreign)

    def put_back(self) -> List[str]:
        """Remove what a failed try left.

        Returns
        -------
        list of str
            Files that this process still holds open for writing. Nobody can put these back: it must end.
        """
        os.makedirs(self.folder, exist_ok=True)  # a script may have removed it
        held = self._writes.held()
        news = self._writes.news()
        self._follow(news)
        self._settling = {}
        for name, status in list(self._files()):
            size, known = status.st_size, self._taken.get(name)
            keep = known.size if known is not None else self._of_init.get(name)
            path = os.path.join(self.folder, name)
            if keep is None or size < keep or news.opened.get(name) == WHOLE:
                os.unlink(path)
                self._taken.pop(name, None)
                self._of_init.pop(name, None)
            elif size > keep:
                os.truncate(path, keep)
        self._seen_ns = 0
        self._has_content = bool(self._taken or self._of_init or self._folders)
        return sorted(held)

    def _drop_the_oldest(self) -> None:
        """Keep few files and folders: all of them are looked at after every mini-batch."""
        if len(self._taken) > _MOST_KEPT:
            held = self._writes.held()
            for name in [name for name in self._taken if name not in held][: len(self._taken) // 2]:
                del self._taken[name]
                try:
                    os.unlink(os.path.join(self.folder, name))
                except OSError:
                    continue  # the script has removed it, or its folder

    def _files(self) -> Iterator[Tuple[str, os.stat_result]]:
        """Yield all files, with their relative path; note the folders.

        A folder that was empty and has the same mtime is not looked into: scripts may make many.
        """
        self._folders = set()
        empty, self._empty = self._empty, {}
        now_ns = time.time_ns()
        below = [("", 0)]
        while below:
            above, changed_ns = below.pop()
            is_empty = True
            with os.scandir(os.path.join(self.folder, above)) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    is_empty = False
                    name, status = above + entry.name, entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode):
                        yield name, status
                        continue
                    self._folders.add(name)
                    if empty.get(name) == status.st_mtime_ns:
                        self._empty[name] = status.st_mtime_ns
                    else:
                        below.append((name + "/", status.st_mtime_ns))
            if is_empty and above and now_ns - changed_ns > _TICK_NS:
                self._empty[above[:-1]] = changed_ns


def _move(source: str, target: str) -> None:
    """Rename a file; where the output is on another file system than the folders of workers that are kept,
    copy it.
    """
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target)
