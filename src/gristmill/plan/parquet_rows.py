"""How many rows a Parquet file has, read from its footer.

The footer is a Thrift structure in the compact protocol, and the number of rows is its third field, behind
the schema: so little of it is read here that no library is needed, and the planner stays small. This module
must not know what the number is for.
"""

from __future__ import annotations

import os

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_NUM_ROWS = 3
#: Types of the compact protocol.
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_NUMBERS = (4, 5, 6)


class NotParquet(ValueError):
    """The file is damaged, encrypted, or no Parquet file."""


def parquet_rows(descriptor: int, size: int) -> int:
    """Return the number of rows.

    Parameters
    ----------
    descriptor
        The file.
    size
        Its size in bytes.

    Raises
    ------
    NotParquet
        There is no footer that can be read.
    OSError
        The file cannot be read.
    """
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > size - _TAIL_BYTES:
        raise NotParquet("it does not end as a Parquet file does")
    footer = os.pread(descriptor, length, size - _TAIL_BYTES - length)
    try:
        rows = _Compact(footer).number_in_struct(_NUM_ROWS)
    except IndexError:
        raise NotParquet("its footer is cut off") from None
    if rows < 0:
        raise NotParquet("its footer makes no sense")
    return rows


class _Compact:
    """Reads a structure of the compact protocol from the beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number_in_struct(self, wanted: int) -> int:
        """Return a whole number that is a field of the structure; what stands before it is passed over."""
        field = 0
        while True:
            kind, field = self._field(field)
            if kind == _STOP:
                raise NotParquet("its footer does not say how many rows there are")
            if field == wanted and kind in _NUMBERS:
                number = self._varint()
                return (number >> 1) ^ -(number & 1)
            self._pass_over(kind)

    def _field(self, before: int) -> tuple[int, int]:
        head = self._byte()
        kind, step = head & 15, head >> 4
        if kind == _STOP or step:
            return kind, before + step
        number = self._varint()
        return kind, (number >> 1) ^ -(number & 1)

    def _pass_over(self, kind: int, *, is_element: bool = False) -> None:
        if kind in (_TRUE, _FALSE):
            self._at += is_element
        elif kind in _NUMBERS:
            self._varint()
        elif kind in (_BYTE, _DOUBLE):
            self._at += 1 if kind == _BYTE else 8
        elif kind == _BINARY:
            length = self._varint()
            self._at += length
        elif kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4
            if count == 15:
                count = self._varint()
            for _ in range(count):
                self._pass_over(head & 15, is_element=True)
        elif kind == _MAP:
            count = self._varint()
            kinds = self._byte() if count else 0
            for _ in range(count):
                self._pass_over(kinds >> 4, is_element=True)
                self._pass_over(kinds & 15, is_element=True)
        elif kind == _STRUCT:
            field = 0
            while True:
                kind, field = self._field(field)
                if kind == _STOP:
                    return
                self._pass_over(kind)
        else:
            raise NotParquet("its footer makes no sense")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
