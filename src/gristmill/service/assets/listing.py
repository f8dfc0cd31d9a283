"""What lay where a data asset points to when it was registered: how many files, how large, which names.

The files are those that a job takes without further wishes. Their bytes are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gristmill.plan.file_sizes import FileSizes
from gristmill.plan.listing import Listing
from gristmill.settings import Home


@dataclass(frozen=True, kw_only=True)
class RecordedListing:
    """Files below a folder, or one file."""

    files: int
    size_bytes: int
    digest: str
    """Of paths and sizes, in the order in which a job takes them; empty where not all were listed."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return asdict(self)

    def differences(self, recorded: Mapping[str, Any], called: str) -> tuple[str, ...]:
        """Say in a line how this differs from what was recorded of the thing that is called so."""
        if self.digest == recorded["digest"]:
            return ()
        was, now = (recorded["files"], recorded["size_bytes"]), (self.files, self.size_bytes)
        then = f"{was[0]:,} of {was[1]:,} then"
        if not self.digest:
            how = f"more than {now[0]:,} files now, {then}"
        elif was == now:
            how = "other names or sizes"
        else:
            how = f"{now[0]:,} files of {now[1]:,} bytes now, {then}"
        return (f"{called} has changed since it was registered: {how}",)


def listing_of(path: Path, home: Home, most_files: int | None = None) -> RecordedListing:
    """List a folder or a file with all sizes; memory stays flat, however many there are.

    Parameters
    ----------
    path
        Where the data lies.
    home
        Passed over where it lies below.
    most_files
        Listing ends where there are more; None: never.

    Raises
    ------
    InputError
        Something there cannot be read.
    """
    digest, files, size = sha256(), 0, 0
    with TemporaryDirectory(prefix="gristmill-") as scratch:
        listing = Listing(path, scratch=Path(scratch), exclude=(home.path,))
        sizes_of = FileSizes(listing.root)
        for prefix, names in listing.walk():
            sizes = sizes_of(prefix, names)
            for name, one in zip(names, sizes, strict=True):
                digest.update(b"%b%b\0%d\n" % (prefix, name, one))
            files += len(names)
            size += sum(sizes)
            if most_files is not None and files > most_files:
                return RecordedListing(files=most_files, size_bytes=0, digest="")
    return RecordedListing(files=files, size_bytes=size, digest=digest.hexdigest())
