"""The places that a script should only read: what they looked like before, and what it did to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gristmill.service.findings import Finding, warning
from gristmill.service.fingerprint import changed_model_files, model_state

_COMPILED = "__pycache__"
#: More entries than this in a folder are not searched for the one that is new.
_MOST_ENTRIES = 20_000


class Footprint:
    """Remembers the input files, the copy of the code and the model."""

    def __init__(self, *, files: Sequence[str], code: Path, model: Path | None, staged: Path | None) -> None:
        self._code, self._model, self._staged = code, model, staged
        self._files = {path: _looks(path) for path in files}
        self._folders = {folder: _looks(folder) for folder in {os.path.dirname(path) for path in files}}
        self._entries = {folder: _names(folder) for folder in self._folders}
        self._code_state = _tree(code)
        self._model_state = model_state(model) if model is not None else {}
        self._staged_names = _names_below(staged)

    def changes(self, script: str) -> Iterator[Finding]:
        """Yield what is different now."""
        into = "write to the folder in AZUREML_BI_OUTPUT_PATH; GRISTMILL_OUTPUT_DIR is the same"
        if named := self._changed_inputs():
            yield warning("writes-into-input", script, f"the script changes the input: {named}", into)
        before, now = self._code_state, _tree(self._code)
        if changed := sorted(name for name in {*before, *now} if before.get(name) != now.get(name)):
            what = f"the script writes beside itself: {changed[0]}; a job's copy of the code is its own"
            yield warning("writes-beside-script", script, what, into)
        changed = changed_model_files(self._model_state, self._model) if self._model is not None else []
        changed += [f"{name} was added" for name in sorted(_names_below(self._staged) - self._staged_names)]
        if changed:
            what = f"the model changes while the script uses it: {changed[0]}"
            yield warning("changes-model", script, what, f"leave the model as it is; {into}")

    def _changed_inputs(self) -> str:
        for path, before in self._files.items():
            now = _looks(path)
            if now != before:
                return f"{path} {'is gone' if now is None else 'has changed'}"
        for folder, before in self._folders.items():
            if _looks(folder) != before:
                new = sorted(_names(folder) - self._entries[folder])
                return (
                    f"{os.path.join(folder, new[0])} is new"
                    if new
                    else f"something in {folder} has come or gone"
                )
        return ""


def _looks(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns)


def _names(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False)}
    except OSError:
        return set()


def _names_below(folder: Path | None) -> set[str]:
    if folder is None:
        return set()
    return {
        os.path.relpath(os.path.join(here, name), folder)
        for here, _, files in os.walk(folder)
        for name in files
    }


def _tree(folder: Path) -> dict[str, tuple[int, int] | None]:
    """Return the files of a copy of the code, links not followed, without what Python itself writes there."""
    found: dict[str, tuple[int, int] | None] = {}
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != _COMPILED]
        for name in files:
            path = os.path.join(here, name)
            found[os.path.relpath(path, folder)] = _looks(path)
    return found
