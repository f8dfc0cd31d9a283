"""What came of putting rows together."""

from __future__ import annotations

from typing import NamedTuple


class Assembly(NamedTuple):
    """What was put together."""

    size: int
    header_bytes: int
    header_crc: int
    columns: tuple[str, ...] | None
    """The columns of all rows; None where they have none, or not all the same (headerless files only)."""
    rows: int = -1
    """How many rows a Parquet file has; -1: it is none."""
    crc: int = 0
    """Its CRC-32."""
