"""A model copied out of the home: files of its own that anybody may change."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import OutputError, in_words
from gristmill.storage.tree import everything_below, found_at


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What lies there now."""

    path: Path
    """The model's file or folder."""
    files: int
    size_bytes: int
    notices: tuple[str, ...] = ()
    """What the user should know; one line each."""

    def to_json(self) -> dict[str, Any]:
        """Return everything but the notices as values for JSON."""
        return {"path": str(self.path), "files": self.files, "size_bytes": self.size_bytes}


def copy_out(source: Path, target: Path) -> Downloaded:
    """Copy a file or folder; files that are there are replaced one by one, others stay, and are noticed.

    Raises
    ------
    OutputError
        Something cannot be written. Each file is then the old one or the new one, never half.
    """
    top = found_at(source)
    below = list(everything_below(str(source))) if top.is_folder else []
    files = [one for one in (*below, top) if one.is_file]
    size = sum(one.status.st_size for one in files if one.status is not None)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if top.is_file:
            _copy(top.path, str(target))
        else:
            target.mkdir(exist_ok=True)
        for one in below:
            place = os.path.join(target, one.relative)
            if one.is_folder:
                os.makedirs(place, exist_ok=True)
            else:
                _copy(one.path, place)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {in_words(error, with_path=True)}; make room there, or give "
            "another folder with --download-path"
        ) from error
    return Downloaded(
        path=target,
        files=len(files),
        size_bytes=size,
        notices=_others(target, {one.relative for one in below}),
    )


def _copy(source: str, place: str) -> None:
    temporary = os.path.join(os.path.dirname(place), f".{os.urandom(8).hex()}.tmp")
    try:
        shutil.copyfile(source, temporary)
        shutil.copystat(source, temporary)
        os.chmod(temporary, 0o755 if os.access(source, os.X_OK) else 0o644)
        os.rename(temporary, place)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def _others(target: Path, ours: set[str]) -> tuple[str, ...]:
    """Notice files beside those that were copied: a library that reads the whole folder would read them."""
    if not target.is_dir():
        return ()
    others = [one.relative for one in everything_below(str(target)) if one.relative not in ours]
    if not others:
        return ()
    more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
    return (f"{others[0]}{more} in {target} was there before, and is no part of the model",)
