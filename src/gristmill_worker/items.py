"""The items of a mini-batch, read from the manifest that the coordinator wrote.

The manifest is two files: ``paths`` holds relative paths as raw bytes, each ended by NUL; ``offsets``
holds one u64 per boundary, so that mini-batch ``k`` is ``paths[offsets[k]:offsets[k + 1]]``. A task names
only numbers; the worker reads the names itself.
"""

import os
import struct
import sys
from typing import List, Tuple

from gristmill_worker.descriptors import closed, out_of_reach

_U64 = 8


class ItemReader:
    """Reads the items of mini-batches; keeps two descriptors open that close on exec."""

    def __init__(self, folder: str, root: str) -> None:
        self._paths = out_of_reach(os.open(os.path.join(folder, "paths"), os.O_RDONLY))
        self._offsets = out_of_reach(os.open(os.path.join(folder, "offsets"), os.O_RDONLY))
        self.root = root
        self._prefix = root if root.endswith("/") else root + "/"
        self._encoding = sys.getfilesystemencoding()

    def read(self, first: int, batches: int) -> List[bytes]:
        """Return the raw items of ``batches`` consecutive mini-batches, one entry for each."""
        wanted = (batches + 1) * _U64
        raw = os.pread(self._offsets, wanted, first * _U64)
        bounds = struct.unpack("<%dQ" % (batches + 1), raw)
        begin, end = bounds[0], bounds[-1]
        data = os.pread(self._paths, end - begin, begin)
        while len(data) < end - begin:
            data += os.pread(self._paths, end - begin - len(data), begin + len(data))
        return [data[bounds[k] - begin : bounds[k + 1] - begin - 1] for k in range(batches)]

    def names(self, raw: bytes, first_item: int, items: int) -> Tuple[List[str], List[str]]:
        """Return the relative names and the absolute paths of one mini-batch, or of a part of it."""
        names = raw.decode(self._encoding, "surrogateescape").split("\0")
        if items:
            names = names[first_item : first_item + items]
        prefix = self._prefix
        return names, [prefix + name for name in names]

    def close(self) -> None:
        """Give the two descriptors back; idempotent."""
        if self._paths >= 0:
            closed(self._paths)
            closed(self._offsets)
            self._paths = self._offsets = -1
