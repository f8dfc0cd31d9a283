"""Which files of a code folder are its code: all but what is ignored, made again at any time, or data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gristmill.service.ignored import Ignored
from gristmill.settings import Home
from gristmill.storage.tree import Found, Identity, everything_below, found_at, identity_of, names_in

#: More than this, and the user is told of .amlignore.
MANY_BYTES = 100 * 1024 * 1024
MANY_FILES = 10_000
_NEVER_COPIED = frozenset({".git", ".venv", "__pycache__"})
#: In the folder of every environment that Python's venv makes, whatever it is called.
_ENVIRONMENT = "pyvenv.cfg"
#: Other jobs' hidden folders beside their outputs.
_STAGING_PREFIX = ".gristmill-"


@dataclass(frozen=True, kw_only=True)
class CodeFiles:
    """The code of a deployment."""

    found: tuple[Found, ...]
    """Files and folders, each folder before what is in it; the scoring script is always among them."""
    notices: tuple[str, ...]
    """What the user should know."""


def code_files(
    code: Path, script: str, *, ours: frozenset[Identity], data: frozenset[Identity] = frozenset()
) -> CodeFiles:
    """Find the code in a folder.

    Parameters
    ----------
    code
        The folder. What its ``.amlignore``, else ``.gitignore`` files, leave out is no code.
    script
        The scoring script's path in it.
    ours
        Folders of Gristmill's own, if they turn up in it.
    data
        Inputs and outputs, which are no code unless the script lies in them.

    Raises
    ------
    RequestError
        Something of the code cannot be read; the message names it.
    """
    ignored = Ignored(code)
    script = os.path.normpath(script)

    def is_left_out(found: Found) -> bool:
        if is_never_copied(found, ours) or (found.relative, found.is_folder) in ignored:
            return True
        is_above = script.startswith(f"{found.relative}/")
        return not is_above and _is_data(found, data)

    chosen: list[Found] = []
    skipped: list[str] = []
    for found in everything_below(str(code), is_left_out):
        if found.is_folder or found.is_file:
            chosen.append(found)
        else:
            skipped.append(found.relative)
    notices = []
    if not any(found.relative == script for found in chosen):
        chosen += _with_those_above(code, script, {found.relative for found in chosen})
        notices.append(f"{script} is left out by {ignored.file_name}, but copied: it is the scoring script")
    if skipped:
        others = f" and {len(skipped) - 1:,} more like it" if len(skipped) > 1 else ""
        notices.append(f"{skipped[0]}{others} in {code} was not copied: no file, or a link to nothing")
    return CodeFiles(found=tuple(chosen), notices=(*notices, *_many(code, chosen)))


def keep_code(code: Path, script: str, home: Home) -> tuple[str, tuple[str, ...]]:
    """Keep the code of a deployment in the content store; safe to repeat, the same again copies nothing.

    Returns
    -------
    tuple
        The key of the content, and what the user should know.

    Raises
    ------
    RequestError
        Something of the code cannot be read; the message names it.
    HomeError
        The store cannot be written; nothing of it was kept.
    """
    files = code_files(code, script, ours=identities((home.path,)))
    from gristmill.storage.contents import Contents  # a job folder's copy needs none of it

    return Contents(home.contents).put(code, selection=files.found), files.notices


def identities(paths: Iterable[Path]) -> frozenset[Identity]:
    """Return what paths lead to, without those that lead nowhere."""
    return frozenset(identity for identity in map(identity_of, paths) if identity is not None)


def is_never_copied(found: Found, ours: frozenset[Identity]) -> bool:
    """Say whether an entry is no code, whatever is ignored."""
    name = os.path.basename(found.relative)
    if name in _NEVER_COPIED or name.startswith(_STAGING_PREFIX):
        return True
    status = found.status
    return status is not None and found.is_folder and (status.st_dev, status.st_ino) in ours


def _is_data(found: Found, data: frozenset[Identity]) -> bool:
    """Say whether an entry is an input or output, or a folder in which a job has its hidden place."""
    status = found.status
    if status is not None and (status.st_dev, status.st_ino) in data:
        return not found.relative.endswith(".py")
    if not found.is_folder:
        return False
    return any(name == _ENVIRONMENT or name.startswith(_STAGING_PREFIX) for name in names_in(found.path))


def _with_those_above(code: Path, script: str, there: set[str]) -> list[Found]:
    """Return a script and the folders above it that are not there."""
    parts = script.split("/")
    paths = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    return [found_at(code / path)._replace(relative=path) for path in paths if path not in there]


def _many(code: Path, chosen: list[Found]) -> list[str]:
    sizes = [found.status.st_size for found in chosen if found.status is not None and found.is_file]
    if sum(sizes) <= MANY_BYTES and len(sizes) <= MANY_FILES:
        return []
    return [
        f"the code folder {code} has {len(sizes):,} files, {sum(sizes) / 1024**2:,.0f} MB together, and "
        "each job copies them; an .amlignore file in it, written like a .gitignore, leaves some out"
    ]
