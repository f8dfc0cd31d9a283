"""The content store: files and folders by what is in them, so that the same again costs nothing.

    contents/incoming/<anything>/      what is being put together just now, or was when a process was killed
    contents/<key[:2]>/<key>/<name>    a content: one file or folder, read-only, whole, never changed

A content appears by one rename when all of its bytes are on the disk; there is never half of one. This module
must not know what contents are for.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from gristmill.errors import HomeError, RequestError, in_words
from gristmill.faults import reach
from gristmill.storage.content_key import Piece, chunks_of, key_of, pieces_of, read_digest
from gristmill.storage.incoming import Incoming, remove_leftovers
from gristmill.storage.publish import sync_file_system, sync_folder
from gristmill.storage.tree import Found, everything_below

LARGE_BYTES = 1_000_000_000
"""More than this takes seconds."""
_KEY = re.compile(r"[0-9a-f]{64}")


class Contents:
    """The contents below one folder. Any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Name the store's folder; it is made by the first `put`.

        Parameters
        ----------
        folder
            It lies in a folder that is ours as a whole, the home: no content can hold that.
        """
        self.folder = folder

    def put(
        self,
        path: Path,
        *,
        selection: Iterable[Found] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Keep a file or folder; safe to repeat, and the same again copies nothing.

        Parameters
        ----------
        path
            What is to be kept. Links in it are followed, loops of links left out.
        selection
            What of the folder is kept, each folder before what is in it; None: everything.
        say
            Is told what takes a while: to read, and to copy, more than `LARGE_BYTES`.

        Returns
        -------
        str
            The key, which depends on the name of the file or folder, on what is in it, and on nothing else.

        Raises
        ------
        RequestError
            Something of it cannot be read, is no file or folder, or changed while it was copied.
        HomeError
            The disk is full, or the store cannot be written; nothing of it was kept.
        """
        pieces = pieces_of(Path(os.path.abspath(path)), selection, self.folder.parent)
        size = sum(piece.size_bytes for piece in pieces)
        how_large = f"{path}: {size / 1e9:,.1f} GB"
        if size > LARGE_BYTES:
            say(f"reading {how_large}")
        key = key_of(pieces, read_digest)
        try:
            remove_leftovers(self._incoming)
            if not self._has_all(pieces, key):
                self.remove(key)  # somebody has removed files from it, or put some there
                if size > LARGE_BYTES:
                    say(f"copying {how_large}")
                self._copy(pieces, key)
        except OSError as error:
            raise HomeError(
                f"{path} cannot be kept in {self.folder}: {in_words(error)}; nothing of it was kept; "
                f"{_remedy(error)}"
            ) from error
        return key

    def has(self, key: str) -> bool:
        """Say whether there is a content of this key."""
        return self._place(key).is_dir()

    def path(self, key: str) -> Path:
        """Return where a content lies: a file or folder that has its own name, and must not be changed.

        Raises
        ------
        HomeError
            There is none of this key (any more).
        """
        found = self.find(key)
        if found is None:
            raise HomeError(
                f"{self._place(key)} is gone, or not as it was made: somebody has removed or changed it, or "
                "it was made in another home; create what it belongs to again"
            )
        return found

    def find(self, key: str) -> Path | None:
        """Return where a content lies; None where there is none of this key (any more)."""
        try:
            (name,) = os.listdir(self._place(key))
        except (OSError, ValueError):
            return None
        return self._place(key) / name

    def size(self, key: str) -> int:
        """Return the bytes of the files of a content; what several contents have in common counts in each."""
        return sum(
            found.status.st_size
            for found in everything_below(str(self._place(key)))
            if found.status is not None and found.is_file
        )

    def put_at(self, key: str) -> float:
        """Return when a content was put last, in seconds since 1970."""
        return os.stat(self._place(key)).st_mtime

    def keys(self) -> Iterator[str]:
        """Yield the keys of all contents, in order."""
        for shard in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(name for name in os.listdir(shard) if _KEY.fullmatch(name))

    def is_whole(self, key: str) -> bool:
        """Read a content, and say whether every byte is as it was put."""
        try:
            return key_of(pieces_of(self.path(key), None, self._incoming), read_digest) == key
        except (RequestError, OSError):
            return False

    def remove(self, key: str, unless_put_within_s: float = 0.0) -> bool:
        """Remove a content, all at once; whoever has linked its files keeps these.

        Parameters
        ----------
        key
            Of a content that nothing refers to.
        unless_put_within_s
            Seconds. Who put a content so lately may be about to refer to it: it stays, also where it is put
            at this very moment.

        Returns
        -------
        bool
            False: there was none, or it stays.

        Raises
        ------
        HomeError
            It cannot be removed; it is still whole.
        """
        if not self.has(key):
            return False
        try:
            with Incoming(self._incoming) as incoming:
                taken = incoming.path / key
                os.rename(self._place(key), taken)  # from here on, who puts it copies it anew
                reach("content.taken_out")
                if time.time() - os.stat(taken).st_mtime < unless_put_within_s:
                    self._put_back(taken, key)
                    return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise HomeError(
                f"{self._place(key)} cannot be removed: {in_words(error)}; give yourself access to it"
            ) from error
        return True

    def set_aside(self, key: str) -> Path:
        """Take a content out of the store that somebody has changed, and return where it lies now.

        Raises
        ------
        HomeError
            It cannot be moved; it stays as it is.
        """
        place = self.folder / "damaged" / f"{key}-{os.urandom(4).hex()}"
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            os.rename(self._place(key), place)
        except OSError as error:
            raise HomeError(
                f"{self._place(key)} cannot be removed: {in_words(error)}; give yourself access to it"
            ) from error
        return place

    def remove_leftovers(self) -> int:
        """Remove what killed processes left of what they were putting; return how many there were."""
        return remove_leftovers(self._incoming)

    @property
    def _incoming(self) -> Path:
        return self.folder / "incoming"

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _touch(self, key: str) -> bool:
        try:
            os.utime(self._place(key), (time.time(), time.time()))
        except FileNotFoundError:
            return False
        return True

    def _has_all(self, pieces: list[Piece], key: str) -> bool:
        """Say whether a content is there, and has these files, of these sizes, and no others."""
        if not self._touch(key):
            return False
        found = {one.relative: one for one in everything_below(str(self._place(key)))}
        return len(found) == len(pieces) and all(
            piece.relative in found and _looks_alike(found[piece.relative], piece) for piece in pieces
        )

    def _copy(self, pieces: list[Piece], key: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Incoming(self._incoming) as incoming:
            building = incoming.path / key
            building.mkdir(mode=0o700)
            reach("content.before_copy")
            digests = {}
            for piece in pieces:
                if not piece.is_folder:
                    digests[piece] = _copy_file(piece, building)
                else:
                    os.mkdir(building / piece.relative, 0o700)
            if key_of(pieces, digests.__getitem__) != key:
                raise RequestError(
                    f"{pieces[0].path} changed while it was copied; try again when nobody writes to it"
                )
            for piece in reversed(pieces):
                if piece.is_folder:
                    os.chmod(building / piece.relative, 0o555)
            reach("content.before_sync")
            sync_file_system(building)
            reach("content.before_rename")
            self._publish(building, key)
            reach("content.after_rename")

    def _put_back(self, taken: Path, key: str) -> None:
        try:
            os.rename(taken, self._place(key))
        except OSError:
            if not self.has(key):  # else another process has put the same meanwhile
                raise

    def _publish(self, building: Path, key: str) -> None:
        shard = self._place(key).parent
        if not shard.is_dir():
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder)
        os.utime(building)  # it may have been put together for hours
        try:
            os.rename(building, shard / key)
        except OSError:
            if not self._touch(key):  # else another process has put the same meanwhile
                raise
        sync_folder(shard)


def _copy_file(piece: Piece, building: Path) -> bytes:
    """Copy a file with its time, read-only, and return the digest of what was copied."""
    digest = sha256()
    target = building / piece.relative
    with open(target, "xb") as file:
        for chunk in chunks_of(piece.path):
            digest.update(chunk)
            file.write(chunk)
        os.fchmod(file.fileno(), 0o555 if piece.is_executable else 0o444)
    os.utime(target, ns=(piece.modified_ns, piece.modified_ns))
    reach("content.after_file")
    return digest.digest()


def _looks_alike(found: Found, piece: Piece) -> bool:
    if piece.is_folder or found.status is None:
        return piece.is_folder and found.is_folder
    return found.is_file and found.status.st_size == piece.size_bytes


def _remedy(error: OSError) -> str:
    room = "make room, or " if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return f"{room}set GRISTMILL_HOME to another folder"
