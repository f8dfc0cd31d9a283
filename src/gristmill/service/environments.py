"""Environments as users see them: build one ahead of its jobs, look at them, remove what nobody uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gristmill.environments.cache import Environments
from gristmill.errors import HomeError, SpecError, UnknownEnvironmentError, in_words
from gristmill.service.endpoints.references import load_at
from gristmill.service.surroundings import environments_of
from gristmill.settings import Home
from gristmill.spec.conda_file import load_conda_file
from gristmill.spec.document import read_document
from gristmill.spec.environment import load_environment_packages
from gristmill.spec.packages import Packages
from gristmill.spec.problems import did_you_mean

_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class EnvironmentView:
    """One environment."""

    key: str
    """The digest of what it was to hold; its folder is called so."""
    name: str
    """What it was called when it was built; empty where the building was cut off."""
    is_complete: bool
    """Whether it can be used: false where its building was cut off, or its Python is gone."""
    python: str
    """The path of its interpreter."""
    python_version: str
    builder: str
    """What built it."""
    conda: tuple[str, ...]
    """What was asked for: conda's part."""
    pip: tuple[str, ...]
    """What was asked for: the pip section."""
    packages: tuple[str, ...]
    """What is in it, ``name==version``."""
    folder: str
    size_bytes: int
    """What it takes on the disk; files that several environments share count in each."""
    built_at: str
    used_at: str
    """When a job last began in it, or it was built."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What became of environments that were to be removed."""

    removed: tuple[EnvironmentView, ...]
    kept: tuple[EnvironmentView, ...]
    """Those that a job uses just now, or that somebody builds."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {
            "removed": [view.to_json() for view in self.removed],
            "kept": [view.to_json() for view in self.kept],
        }


def build_environment(
    path: Path, home: Home, say: Callable[[str], None], *, offline: bool
) -> tuple[EnvironmentView, bool]:
    """Build what a file asks for, unless it is there.

    Parameters
    ----------
    path
        A deployment, an environment's file, a conda file, or the folder of an MLflow model.
    home
        Where environments are kept.
    say
        Is told how it goes.
    offline
        Whether nothing may be fetched from a network, whatever the file says.

    Returns
    -------
    tuple
        The environment, and whether it was built just now.

    Raises
    ------
    SpecError
        The file is wrong, or lists no packages.
    BuildError, InterpreterError
        It cannot be built; nothing is left of it.
    HomeError
        The home cannot be written.
    """
    packages, code, variables = _asked_for(path, home)
    packages = replace(packages, offline=packages.offline or offline)
    environments = environments_of(home)
    ready = environments.ready(packages, say, code=code, own_variables=variables)
    try:
        for notice in ready.notices:
            say(f"notice: {notice}")
        return view_of(environments, ready.record.key), ready.was_built
    finally:
        ready.release()


def list_environments(home: Home) -> list[EnvironmentView]:
    """Return all environments, the one that was used last first."""
    environments = environments_of(home)
    views = [view_of(environments, key) for key in environments.all_keys()]
    return sorted(views, key=lambda view: (view.used_at, view.key), reverse=True)


def find_environment(home: Home, word: str) -> EnvironmentView:
    """Return the environment of a key, of the beginning of one, or of a name that only one has.

    Raises
    ------
    UnknownEnvironmentError
        There is none, or there are several.
    """
    views = list_environments(home)
    found = [view for view in views if view.key == word]
    found = found or [view for view in views if word and (view.key.startswith(word) or view.name == word)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(view.key for view in found)
        raise UnknownEnvironmentError(f"{word!r} may be any of the environments {keys}; give the key of one")
    names = [name for view in views for name in (view.key, view.name)]
    raise UnknownEnvironmentError(
        f"there is no environment {word!r} in {home.environments}; gristmill env list names those that "
        f"are{did_you_mean(word, names)}"
    )


def prune(home: Home, words: Sequence[str], *, unused_days: float, everything: bool) -> Pruned:
    """Remove environments; they can be built again at any time.

    Parameters
    ----------
    home
        Where they are.
    words
        Keys or names of those that are to go; none: all that were not used for a while.
    unused_days
        How long that is; what was cut off while it was built goes at once.
    everything
        Whether all are to go.

    Raises
    ------
    UnknownEnvironmentError
        There is no environment of that key or name.
    HomeError
        One cannot be removed.
    """
    environments = environments_of(home)
    limit = time.time() - unused_days * _DAY_S
    if words:
        wanted = [find_environment(home, word) for word in words]
    else:
        wanted = [
            view
            for view in list_environments(home)
            if everything or not view.is_complete or environments.used_at(view.key) < limit
        ]
    removed: list[EnvironmentView] = []
    kept: list[EnvironmentView] = []
    for view in dict.fromkeys(wanted):
        try:
            (removed if environments.remove(view.key) else kept).append(view)
        except OSError as error:
            raise HomeError(
                f"the environment {view.key} cannot be removed: {in_words(error)}; give yourself access to "
                f"{view.folder}"
            ) from error
    return Pruned(removed=tuple(removed), kept=tuple(kept))


def view_of(environments: Environments, key: str) -> EnvironmentView:
    """Return an environment as users see it."""
    place = environments.place(key)
    record = place.read()
    used_at = environments.used_at(key)
    return EnvironmentView(
        key=key,
        name=record.name if record is not None else "",
        is_complete=record is not None,
        python=str(place.python),
        python_version=".".join(map(str, record.python_version)) if record is not None else "",
        builder=record.builder if record is not None else "",
        conda=record.conda if record is not None else (),
        pip=record.pip if record is not None else (),
        packages=record.packages if record is not None else (),
        folder=str(place.folder),
        size_bytes=_size(place.folder),
        built_at=record.built_at if record is not None else "",
        used_at=_moment(used_at) if used_at else "",
    )


def _asked_for(path: Path, home: Home) -> tuple[Packages, Path | None, dict[str, str]]:
    """Return what a file lists, with the code and the variables of a deployment."""
    is_model = (path / "MLmodel").is_file()
    if not path.is_file() and not is_model:
        what = "is a folder; give the file itself" if path.is_dir() else "no such file"
        raise SpecError(f"{path}: {what}")
    root = None if is_model else read_document(path).root
    if root is not None and "dependencies" in root.entries:
        return load_conda_file(path), None, {}
    if root is not None and "conda_file" in root.entries:
        return load_environment_packages(path), None, {}
    deployment = load_at(home, path)
    if deployment.packages is None:
        raise SpecError(
            f"{path}: asks for no environment that could be built; give one with 'environment: {{conda_file: "
            "conda.yaml}'"
        )
    return deployment.packages, deployment.code, dict(deployment.settings.environment_variables)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _size(folder: Path) -> int:
    total = 0
    for top, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(top, name)).st_blocks * 512
            except OSError:
                continue  # being removed just now
    return total
