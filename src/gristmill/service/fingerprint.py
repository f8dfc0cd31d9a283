"""What a job's results depend on, written down when the job is made: code, model and settings (design, D8).

A job that goes on compares. Modules that workers have loaded count by their SHA-256, which the journal has;
all other files by path, size and time. Of settings those count that are marked in `gristmill.spec.values`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from gristmill.errors import JobChangedError, RequestError, StorageError, in_words
from gristmill.spec.values import Deployment, affecting_results
from gristmill.storage.publish import publish_bytes
from gristmill.storage.tree import Found, everything_below

SCHEMA = 1
_COMPILED = "__pycache__"
_CODE_SUFFIXES = (".py", ".so")


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a job's results depend on."""

    start: int
    """The number of the first start that ran with this code; those before had code that is kept aside."""
    code: Mapping[str, str]
    """Path in the job's copy of the code → size and time."""
    model: Mapping[str, str]
    """Path in the model → size and time."""
    settings: Mapping[str, Any]
    """Settings that affect results, by field name."""

    @classmethod
    def of(cls, deployment: Deployment, code: Path, *, start: int = 1) -> Fingerprint:
        """Look at what is there now.

        Raises
        ------
        RequestError
            The model or the copy of the code cannot be read.
        """
        return cls(
            start=start,
            code=code_state(code),
            model=model_state(deployment.model.path) if deployment.model is not None else {},
            settings=affecting_results(deployment.settings),
        )

    def write(self, path: Path) -> None:
        """Replace the file, all at once.

        Raises
        ------
        StorageError
            The disk is full or gone.
        """
        text = json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"
        try:
            publish_bytes(path, text.encode("ascii"))
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {in_words(error)}; make room") from error

    @classmethod
    def read(cls, path: Path) -> Fingerprint:
        """Read what `write` wrote.

        Raises
        ------
        JobChangedError
            It is gone or damaged, so that nobody can tell what has changed.
        """
        try:
            values = json.loads(path.read_text(encoding="ascii"))
            if values.pop("schema") != SCHEMA:
                raise ValueError("it is of another release")
            found = cls(**values)
            if not all(isinstance(one, Mapping) for one in (found.code, found.model, found.settings)):
                raise ValueError("it does not hold what it should")
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise JobChangedError(
                f"{path} cannot be read ({in_words(error)}), so that nobody can tell whether code, model "
                "and settings are what they were; put it back, go on all the same with --force, or start a "
                "new job"
            ) from error


def code_state(code: Path) -> dict[str, str]:
    """Return what every file in a job's copy of the code looks like from outside.

    A file that is only linked counts, a folder that is only linked does not: it may be the input itself.

    Raises
    ------
    RequestError
        The copy cannot be read.
    """

    def is_left_out(found: Found) -> bool:
        return os.path.basename(found.relative) == _COMPILED or (
            found.is_folder and os.path.islink(found.path)
        )

    return {
        found.relative: _looks(found.status)
        for found in everything_below(str(code), is_left_out)
        if found.status is not None and not found.is_folder
    }


def changed_code(before: Mapping[str, str], loaded: Mapping[str, str], code: Path) -> list[str]:
    """Name what is different about a job's copy of the code.

    Parameters
    ----------
    before
        What `code_state` returned earlier.
    loaded
        Modules that workers have loaded, path below ``code`` → SHA-256; their times do not count.
    code
        The copy.

    Returns
    -------
    list of str
        ``b.py has changed``, ``c.py is gone``, ``d.py was added``, by path. A new file counts only where it
        is code: anything else may be what the script itself wrote there.

    Raises
    ------
    RequestError
        The copy is there and cannot be read.
    """
    now = code_state(code) if code.is_dir() else {}
    others = {path: looks for path, looks in before.items() if path not in loaded}
    there = {
        path: looks
        for path, looks in now.items()
        if path not in loaded and (path in before or path.endswith(_CODE_SUFFIXES))
    }
    changes = _changes(others, there)
    for path, digest in loaded.items():
        try:
            if sha256((code / path).read_bytes()).hexdigest() != digest:
                changes[path] = f"{path} has changed"
        except OSError:
            changes[path] = f"{path} is gone"
    return [changes[path] for path in sorted(changes)]


def edited_originals(
    before: Mapping[str, str], loaded: Mapping[str, str], deployment: Deployment, code: Path
) -> list[str]:
    """Name the files that the user has edited since a job copied them.

    Parameters
    ----------
    before
        What `code_state` returned when they were copied: a copy has the size and the time of its original.
    loaded
        Modules that workers have loaded, path below the job's copy of the code → SHA-256.
    deployment
        Says where the code is that was copied; what is gone from there was not edited.
    code
        The job's copy; what it only links is no copy.

    Returns
    -------
    list of str
        Their paths, the scoring script first.
    """
    edited = []
    for name in {**before, **loaded}:
        original = deployment.code / name
        try:
            if os.path.islink(code / name) or _looks(original.stat()) == before.get(name):
                continue
            digest = loaded.get(name)
            if digest is None or sha256(original.read_bytes()).hexdigest() != digest:
                edited.append(name)
        except OSError:
            continue
    return sorted(edited, key=lambda name: (name != deployment.scoring_script, name))


def model_state(model: Path) -> dict[str, str]:
    """Return what every file of a model looks like from outside, for `changed_model_files` to compare.

    Parameters
    ----------
    model
        A file or a folder; links are followed.

    Returns
    -------
    dict
        Relative path → ``<size>:<mtime in ns>``; of a single file under its name.

    Raises
    ------
    RequestError
        The model is gone or cannot be read.
    """
    try:
        status = os.stat(model)
    except OSError as error:
        raise RequestError(f"the model {model} cannot be read: {error.strerror}; put it back") from error
    if not os.path.isdir(model):
        return {model.name: _looks(status)}
    state = {}
    for found in everything_below(str(model)):
        if found.status is not None and not found.is_folder:
            state[found.relative] = _looks(found.status)
        elif found.status is None:
            raise RequestError(
                f"the model {model} holds {found.relative}, a link that leads nowhere; remove it, or put its "
                "target back"
            )
    return state


def changed_model_files(before: Mapping[str, str], model: Path) -> list[str]:
    """Name what is different about a model.

    Parameters
    ----------
    before
        What `model_state` returned earlier.
    model
        The model.

    Returns
    -------
    list of str
        ``<path> has changed``, ``<path> was added`` or ``<path> is gone``, by path; empty for the same model.

    Raises
    ------
    RequestError
        The model is there and cannot be read.
    """
    now = model_state(model) if os.path.lexists(model) else {}
    return list(_changes(before, now).values())


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    changes = {}
    for path in sorted({*before, *now}):
        if path not in now:
            changes[path] = f"{path} is gone"
        elif path not in before:
            changes[path] = f"{path} was added"
        elif before[path] != now[path]:
            changes[path] = f"{path} has changed"
    return changes


def _looks(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}"
