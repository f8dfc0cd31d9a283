"""How large files are: asked for only where a plan is cut by size, or the largest are to come first.

A file that is gone, or cannot be looked up, counts as empty: it fails visibly as an item, not here. This
module must not know what the sizes are for.
"""

from __future__ import annotations

import os


class FileSizes:
    """Asks for the sizes of files below a folder.

    Parameters
    ----------
    base
        The absolute folder that relative paths start from.
    """

    def __init__(self, base: str | os.PathLike[str]) -> None:
        self._base = os.fsencode(base).rstrip(b"/") + b"/"

    def __call__(self, prefix: bytes, names: list[bytes]) -> list[int]:
        """Return the sizes of files in bytes, in the order of their names.

        Parameters
        ----------
        prefix
            What stands before each name: a folder's relative path with a final ``/``, or nothing.
        names
            The files.
        """
        folder = self._base + prefix
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return [_size_of(folder + name) for name in names]
        try:  # from the folder itself, the system need not find the way to each file
            return [os.stat(name, dir_fd=descriptor).st_size for name in names]
        except OSError:
            return [_size_of(folder + name) for name in names]
        finally:
            os.close(descriptor)


def _size_of(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
