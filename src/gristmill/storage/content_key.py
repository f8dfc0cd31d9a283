"""The key of a content: a digest of what a file or folder is called, what lies in it, and every byte.

Times, owners and rights do not count, but for the right to be executed. Links count as what they lead to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gristmill.errors import RequestError, in_words
from gristmill.storage.tree import Found, everything_below, found_at, identity_of

_FORM = b"gristmill content 1\n"
_CHUNK_BYTES = 1 << 20


class Piece(NamedTuple):
    """A file or folder of a content."""

    relative: str
    """Its path; it begins with the name of the content."""
    path: str
    """Where it lies now."""
    is_folder: bool
    is_executable: bool
    modified_ns: int
    """When it was changed last, in nanoseconds since 1970."""
    size_bytes: int
    """Of a folder nothing."""


def pieces_of(source: Path, below: Iterable[Found] | None, ours: Path) -> list[Piece]:
    """List what a content is made of, each folder before what is in it.

    Parameters
    ----------
    source
        The file or folder; a link counts as what it leads to.
    below
        What of the folder is chosen, folders before what is in them; None: everything.
    ours
        A folder of our own, which no content can hold.

    Raises
    ------
    RequestError
        Something there is neither file nor folder, cannot be read, or is our own folder.
    """
    top = found_at(source)
    if not source.name:
        raise RequestError(f"{source} has no name; give a file or a folder in it")
    if not top.is_folder:
        return [_piece(top, top.relative)]
    own = identity_of(ours)
    found = everything_below(str(source)) if below is None else below
    return [_piece(top, top.relative), *_below(top, found, own)]


def _below(top: Found, found: Iterable[Found], own: object) -> Iterator[Piece]:
    for one in found:
        if one.status is not None and (one.status.st_dev, one.status.st_ino) == own:
            raise RequestError(
                f"{top.path} holds {one.path}, where Gristmill keeps its own things; move one of them, or "
                "set GRISTMILL_HOME to another folder"
            )
        yield _piece(one, f"{top.relative}/{one.relative}")


def _piece(found: Found, relative: str) -> Piece:
    if found.status is not None and (found.is_folder or found.is_file):
        may_run = found.is_file and bool(found.status.st_mode & 0o111)
        size = found.status.st_size if found.is_file else 0
        return Piece(relative, found.path, found.is_folder, may_run, found.status.st_mtime_ns, size)
    raise RequestError(f"{found.path} cannot be kept: {_what_it_is(found)}")


def _what_it_is(found: Found) -> str:
    if found.status is not None:
        return "it is neither a file nor a folder; remove it"
    if not os.path.islink(found.path):
        try:
            os.stat(found.path)
        except OSError as error:
            return in_words(error)
    return "it is a link to nothing; remove it, or put there what it should lead to"


def key_of(pieces: Iterable[Piece], digest_of: Callable[[Piece], bytes]) -> str:
    """Return the key, 64 hexadecimal digits, whatever the order of the pieces.

    Parameters
    ----------
    pieces
        What the content is made of.
    digest_of
        Gives the SHA-256 of a file's bytes.
    """
    lines = sorted(
        os.fsencode(piece.relative) + b"\0" + (b"folder" if piece.is_folder else _looks(piece, digest_of))
        for piece in pieces
    )
    return sha256(_FORM + b"\0".join(lines)).hexdigest()


def _looks(piece: Piece, digest_of: Callable[[Piece], bytes]) -> bytes:
    return (b"program " if piece.is_executable else b"file ") + digest_of(piece).hex().encode()


def read_digest(piece: Piece) -> bytes:
    """Read a file for the SHA-256 of its bytes.

    Raises
    ------
    RequestError
        It cannot be read.
    """
    digest = sha256()
    for chunk in chunks_of(piece.path):
        digest.update(chunk)
    return digest.digest()


def chunks_of(path: str) -> Iterator[bytes]:
    """Yield the bytes of a file.

    Raises
    ------
    RequestError
        It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {in_words(error)}; give yourself access to it") from error
