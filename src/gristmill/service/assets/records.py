"""Records: of everything that has a name a small file in the home, from which a lost catalog is made again.

    records/<workspace>/<kind>/<name>.json, or …/<name>/<version>.json

A record appears all at once, and before its row does: who creates the same again after a kill finds it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import HomeError, in_words
from gristmill.settings import Home
from gristmill.storage.publish import publish_bytes

_SUFFIX = ".json"
#: The names of all things are of this form; others are only asked for.
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record that could be read."""

    workspace: str
    kind: str
    name: str
    version: str | None
    """Of an asset its version, of a deployment its own name; else None."""
    content: Mapping[str, Any]
    """What was kept."""


def keep_record(
    home: Home, workspace: str, kind: str, name: str, content: Mapping[str, Any], version: str | None = None
) -> None:
    """Keep a record; safe to repeat, the last one stands.

    Parameters
    ----------
    home
        Where records are.
    workspace, kind, name, version
        What it is of; these are names that were checked, and become names of files.
    content
        Values for JSON.

    Raises
    ------
    HomeError
        The disk is full, or the home cannot be written; the record that was there stands.
    """
    path = _path(home, workspace, kind, name, version)
    data = json.dumps({"schema": 1, **content}, indent=1).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        publish_bytes(path, data)
    except OSError as error:
        raise HomeError(
            f"{kind} {name} cannot be recorded in {path.parent}: {in_words(error)}; make room, or set "
            "GRISTMILL_HOME to another folder"
        ) from error


def forget_record(home: Home, workspace: str, kind: str, name: str, version: str | None = None) -> None:
    """Remove a record, and what is recorded below the same name if no version is given; safe to repeat.

    Raises
    ------
    HomeError
        It cannot be removed.
    """
    if not can_be_kept(name, version or "0"):
        return
    path = _path(home, workspace, kind, name, version)
    try:
        path.unlink(missing_ok=True)
        folder = path.parent if version is not None else path.with_suffix("")
        if version is None and folder.is_dir():
            for below in folder.glob(f"*{_SUFFIX}"):
                below.unlink(missing_ok=True)
        if folder.is_dir() and not os.listdir(folder):
            folder.rmdir()
    except OSError as error:
        raise HomeError(
            f"the record {path} cannot be removed: {in_words(error)}; give yourself access to it"
        ) from error


def kept_record(
    home: Home, workspace: str, kind: str, name: str, version: str | None = None
) -> Mapping[str, Any] | None:
    """Return what was kept of one thing; None where nothing was, or it is damaged."""
    if not can_be_kept(name, version or "0"):
        return None
    return _read(_path(home, workspace, kind, name, version))


def kept_versions(home: Home, workspace: str, kind: str, name: str) -> list[str]:
    """Return the versions of which a record is kept, readable or not."""
    if not can_be_kept(name):
        return []
    folder = home.records / workspace / kind / name
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))


def kept_records(home: Home, workspace: str | None = None, kind: str | None = None) -> Iterator[Kept]:
    """Yield all records that can be read, in the order of their paths; those that cannot are passed over."""
    for folder in sorted(home.records.glob(f"{workspace or '*'}/{kind or '*'}")):
        for path in sorted(folder.rglob(f"*{_SUFFIX}")):
            content = _read(path)
            if content is None:
                continue
            names = path.relative_to(folder).parts
            yield Kept(
                workspace=folder.parent.name,
                kind=folder.name,
                name=names[0] if len(names) == 2 else names[0].removesuffix(_SUFFIX),
                version=names[1].removesuffix(_SUFFIX) if len(names) == 2 else None,
                content=content,
            )


def can_be_kept(*names: str) -> bool:
    """Say whether names may stand for files: what nobody checked may lead out of the folder."""
    return all(_NAME.fullmatch(name) for name in names)


def _path(home: Home, workspace: str, kind: str, name: str, version: str | None) -> Path:
    names = (f"{name}{_SUFFIX}",) if version is None else (name, f"{version}{_SUFFIX}")
    return home.records.joinpath(workspace, kind, *names)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
