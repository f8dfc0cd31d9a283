"""Files cut into mini-batches, by number.

The cut is arithmetic over the lengths of the names: apart from the names themselves no Python object is
made for a file. This module must not know where names come from or where bytes go.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, islice


class BatchCutter:
    """Turns a stream of names into the bytes of `paths` and the boundaries between mini-batches.

    Parameters
    ----------
    mini_batch_size
        Files in one mini-batch, at least 1; the last mini-batch may be shorter (contract, section 4).
    size_bytes
        Bytes that stand before the first path.
    """

    def __init__(self, mini_batch_size: int, *, size_bytes: int = 0) -> None:
        if mini_batch_size < 1:
            raise ValueError(f"mini_batch_size is {mini_batch_size}; it must be at least 1")
        self._mini_batch_size = mini_batch_size
        self._begun = 0
        self.items = 0
        """Files taken so far."""
        self.size_bytes = size_bytes
        """Bytes given back so far, and those before."""
        self._boundaries: array[int] = array("Q")

    def add(self, prefix: bytes, names: list[bytes]) -> bytes:
        """Take the next files, all in one folder.

        Parameters
        ----------
        prefix
            The folder's relative path with a final ``/``, or nothing.
        names
            One or more file names in it, in order.

        Returns
        -------
        bytes
            Their relative paths, each ended by NUL. Ends of full mini-batches are kept for `take_boundaries`.
        """
        data = prefix + (b"\0" + prefix).join(names) + b"\0"
        until_full = self._mini_batch_size - self._begun
        if len(names) >= until_full:
            widths = map((len(prefix) + 1).__add__, map(len, names))
            ends = accumulate(widths, initial=self.size_bytes)
            self._boundaries.extend(islice(ends, until_full, None, self._mini_batch_size))
        self._begun = (self._begun + len(names)) % self._mini_batch_size
        self.items += len(names)
        self.size_bytes += len(data)
        return data

    def finish(self) -> None:
        """End the last mini-batch, where one is begun; safe to repeat."""
        if self._begun:
            self._boundaries.append(self.size_bytes)
            self._begun = 0

    def take_boundaries(self) -> array[int]:
        """Return where mini-batches end, in bytes from the first path: those not yet taken, in order."""
        taken, self._boundaries = self._boundaries, array("Q")
        return taken
