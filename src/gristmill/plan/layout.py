"""How a manifest lies on disk.

``paths``      relative paths as raw bytes, each ended by NUL, in plan order;
``offsets``    a little-endian u64 per boundary: entry k is the byte of `paths` at which mini-batch k
               begins; one entry more than mini-batches, the last one being the size of `paths`;
``plan.json``  the `Summary`, there only once the manifest is complete.

Where mini-batches differ in their number of items, there are two files more, with as many entries as
`offsets`; where they do not, it is arithmetic over ``mini_batch_size``:

``items``      entry k is the number of items in all mini-batches before mini-batch k;
``sizes``      entry k is the size in bytes of all files in them, as far as it was asked for.

All files may be read while they grow: `offsets` is always written last. All are under CRC-32 in
``plan.json``, which carries a CRC-32 of itself and has one form only, so that a single changed byte anywhere
is found.

``extending``  an empty file, there while a complete manifest is being extended: `paths` and `offsets` may be
               longer than ``plan.json`` says, and what is behind does not count (see `extension`).
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gristmill.errors import PlanError
from gristmill.plan.numbers import write_all

PATHS = "paths"
OFFSETS = "offsets"
ITEMS = "items"
SIZES = "sizes"
PLAN = "plan.json"
EXTENDING = "extending"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What ``plan.json`` says about a complete manifest."""

    items: int
    """Items in the whole plan."""
    mini_batches: int
    """Mini-batches in the whole plan."""
    mini_batch_size: int | None = None
    """Files per mini-batch; only the last mini-batch, and the last before each extension, may have fewer. In
    a plan with `items` any may; None: their number has no limit."""
    root: str
    """Absolute folder that the paths start from; bytes that are not UTF-8 as surrogate escapes."""
    paths_size: int
    """Size of `paths` in bytes."""
    paths_crc32: int
    """CRC-32 of `paths`."""
    offsets_crc32: int
    """CRC-32 of `offsets`."""
    skipped: dict[str, int]
    """How many names were passed over, by reason."""
    notices: list[str]
    """Sentences that the user should see."""
    extended_at: list[list[int]] = field(default_factory=list)
    """[mini-batches, items] of the plan before each extension, in order."""
    mini_batch_bytes: int | None = None
    """Bytes per mini-batch that was cut by size; a larger file is alone. None: it was not."""
    items_crc32: int | None = None
    """CRC-32 of `items`; None: there is no such file."""
    sizes_crc32: int | None = None
    """CRC-32 of `sizes`; None: there is no such file."""
    entries: int | None = None
    """Paths in the whole plan; None: as many as items."""
    split_rows: int | None = None
    """The most rows of a piece of a file that was split by rows; None: it was not split so."""
    split_bytes: int | None = None
    """The most bytes of such a piece; None: it was not split so."""
    split_header: bool | None = None
    """Whether the first row of a ``csv`` file is its header; None: no file was split."""

    def crc32_of(self, name: str) -> int | None:
        """Return the CRC-32 of `offsets`, `items` or `sizes`; None where there is no such file."""
        return {OFFSETS: self.offsets_crc32, ITEMS: self.items_crc32, SIZES: self.sizes_crc32}[name]

    @property
    def numbers(self) -> tuple[str, ...]:
        """The files of numbers that there are: `offsets`, and perhaps `items` and `sizes`."""
        return tuple(name for name in (OFFSETS, ITEMS, SIZES) if self.crc32_of(name) is not None)

    def to_bytes(self) -> bytes:
        """Return the one form in which this summary is stored."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return _with_checksum({"schema": SCHEMA, **said})

    @classmethod
    def from_bytes(cls, data: bytes, path: Path) -> Summary:
        """Read a stored summary.

        Parameters
        ----------
        data
            The content of ``plan.json``.
        path
            Where it was read, for messages.

        Returns
        -------
        Summary
            Exactly what was stored.

        Raises
        ------
        PlanError
            When a byte of it has changed, or it was written by a newer version.
        """
        try:
            fields = json.loads(data)
            schema = fields.pop("schema")
            del fields["checksum"]
            if _with_checksum({"schema": schema, **fields}) != data:
                raise ValueError("the checksum does not match")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise damaged(path, str(error)) from error
        if schema != SCHEMA:
            raise PlanError(
                f"{str(path)!r} has schema {schema}, this version reads {SCHEMA}; "
                "use the version of gristmill that wrote it"
            )
        try:
            return cls(**fields)
        except TypeError as error:
            raise damaged(path, str(error)) from error


def write_durably(path: Path, data: bytes) -> None:
    """Make a file appear under its name all at once, on stable storage; `OSError` is passed on."""
    unnamed = path.with_name(path.name + ".new")
    descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unnamed.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def damaged(path: Path, what: str) -> PlanError:
    """Return the error for a file of a manifest that is not as it was written."""
    return PlanError(
        f"{str(path)!r} is damaged: {what}; the list of inputs is lost, so start again from the input folder"
    )


def _with_checksum(fields: dict[str, Any]) -> bytes:
    checksum = zlib.crc32(json.dumps(fields).encode("ascii"))
    return json.dumps({**fields, "checksum": checksum}, indent=1).encode("ascii") + b"\n"
