"""Which of the names in a folder are wanted, by patterns (see `gristmill.spec.patterns`).

A slice of names is decided all at once: joined, decoded and matched without a step of Python for a single
name. This module must not know where names come from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import compress
from operator import not_

from gristmill.errors import InputError
from gristmill.spec.patterns import FOLDER, PatternError, expression, fixed_folder, matcher

NOT_INCLUDED = "not_included"
"""The reason for files that no include pattern matches."""

BY_PATTERN = "by_pattern"
"""The reason for files and folders that an exclude pattern matches; what is below is not counted."""


class Selection:
    """Patterns that a path has to match, and patterns that it must not.

    A file is wanted when an include pattern matches it or a folder above it (all are, where there is no such
    pattern) and no exclude pattern does. A folder is wanted unless an exclude pattern matches it.

    Parameters
    ----------
    include, exclude
        The patterns.

    Raises
    ------
    InputError
        When one of them has no meaning.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        for pattern in (*include, *exclude):
            try:
                expression(pattern)
            except PatternError as error:
                raise InputError(f"the pattern {pattern!r} {error}") from error
        self._include = matcher(include, FOLDER) if include else None
        self._exclude = matcher(exclude) if exclude else None
        folders = [os.fsencode(fixed_folder(pattern)) for pattern in include]
        self._folders = folders if all(folders) else []
        """Where all that is included lies; other folders are not even read."""

    def wanted(self, prefix: bytes, names: list[bytes], skipped: dict[str, int]) -> list[bytes]:
        """Choose among names in one folder.

        Parameters
        ----------
        prefix
            The folder's relative path with a final ``/``, or nothing.
        names
            Names in it; those of folders end in ``/``.
        skipped
            Where the others are counted, under `NOT_INCLUDED` and `BY_PATTERN`.

        Returns
        -------
        list[bytes]
            The names that are wanted, in their order.
        """
        if self._exclude is not None and names:
            kept = list(compress(names, map(not_, map(self._exclude, _paths(prefix, names)))))
            skipped[BY_PATTERN] += len(names) - len(kept)
            names = kept
        if self._folders and names:
            names = [name for name in names if not name.endswith(b"/") or self._leads_on(prefix + name)]
        if self._include is not None and names:
            kept = list(compress(names, map(self._include, _paths(prefix, names))))
            skipped[NOT_INCLUDED] += len(names) - len(kept)
            names = kept
        return names

    def _leads_on(self, folder: bytes) -> bool:
        folder = folder.replace(b"//", b"/")
        return any(folder.startswith(one) or one.startswith(folder) for one in self._folders)


def _paths(prefix: bytes, names: list[bytes]) -> list[str]:
    """Return the paths as texts; links to folders, which end in ``//``, look like folders."""
    data = prefix + (b"\0" + prefix).join(names)
    return data.replace(b"//", b"/").decode("utf-8", "surrogateescape").split("\0")
