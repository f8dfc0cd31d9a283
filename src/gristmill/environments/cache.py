"""The environments of one home: found by what they hold, built where they are missing, kept for all jobs.

An environment is complete when its record is there, which is written last; what is found without one was left
by a build that was killed, and is begun anew. It is built under a lock that only one can have, and used under
one that all users share, so that two jobs that want the same build it once, and nobody removes one in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.engine.environment import Interpreter
from gristmill.environments.azureml import without_driver_packages
from gristmill.environments.builder_kind import kind_of
from gristmill.environments.interpreters import patch_notice
from gristmill.environments.key import key_of
from gristmill.environments.lock import EnvironmentLock
from gristmill.environments.pip_settings import constraints
from gristmill.environments.python_wish import python_wish
from gristmill.environments.record import Place, Record
from gristmill.environments.site import Site
from gristmill.errors import HomeError, in_words
from gristmill.spec.packages import Packages

_LOCK = ".lock"


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An environment that can be used, held until it is released."""

    record: Record
    interpreter: Interpreter
    packages: Packages
    """What it was to hold, without what was left out: the same at any later time."""
    notices: tuple[str, ...]
    """What the user should know."""
    was_built: bool
    """Whether it was built just now."""
    lock: EnvironmentLock

    def release(self) -> None:
        """Let others remove it; safe to repeat."""
        self.lock.release()


class Environments:
    """The environments below one folder."""

    def __init__(self, folder: Path, cache: Path, variables: Mapping[str, str] = os.environ) -> None:
        """Take the folder as it is; nothing is made yet.

        Parameters
        ----------
        folder
            Where they are kept.
        cache
            Where what is fetched is kept.
        variables
            Of the process around us.
        """
        self._folder = folder
        self._cache = cache
        self._variables = variables

    def ready(
        self,
        packages: Packages,
        say: Callable[[str], None],
        *,
        code: Path | None = None,
        own_variables: Mapping[str, str] | None = None,
    ) -> Ready:
        """Return the environment that holds what is listed; build it where there is none.

        Parameters
        ----------
        packages
            What it is to hold.
        say
            Is told how the building goes.
        code
            The deployment's code: packages that only Azure's own driver needs are left out unless it imports
            them.
        own_variables
            Those that the deployment sets.

        Returns
        -------
        Ready
            To be released when nothing uses it any more.

        Raises
        ------
        BuildError, InterpreterError, SpecError
            It cannot be built; nothing is left of it.
        HomeError
            The home cannot be written.
        """
        wish = python_wish(packages.conda)
        packages, left_out = without_driver_packages(packages, code, own_variables or {})
        key = key_of(packages, kind_of(packages), constraints(self._variables))
        place, lock = Place(folder=self._folder / key), self._lock(key)
        was_built = False
        try:
            while True:
                self._wait(lock, packages, say, alone=False)
                record = place.read()
                if record is not None:
                    notices = (*left_out, *patch_notice(wish, record.python_version))
                    packages = replace(packages, keep_azureml_packages=True)
                    return _used(place, record, packages, lock, notices, was_built=was_built)
                self._wait(lock, packages, say, alone=True)
                if place.read() is None:
                    self._build(place, packages, key, lock, say)
                    was_built = True
        except OSError as error:
            lock.release()
            raise HomeError(
                f"the environment {packages.name} cannot be kept in {self._folder}: {in_words(error)}; make "
                "room and give yourself access there, or set GRISTMILL_HOME to a folder that you can write"
            ) from error
        except BaseException:
            lock.release()
            raise

    def again(self, key: str, packages: Packages) -> Ready | None:
        """Return an environment that was used before, whatever has become of the files that its list names.

        Parameters
        ----------
        key
            As it was then.
        packages
            As they were then, without what was left out.

        Returns
        -------
        Ready or None
            None where it is gone.
        """
        place, lock = self.place(key), self._lock(key)
        if not place.folder.is_dir() or not lock.together(wait=False):
            return None
        record = place.read()
        if record is None:
            lock.release()
            return None
        return _used(place, record, packages, lock, (), was_built=False)

    def all_keys(self) -> Iterator[str]:
        """Yield the keys of all environments, those that are not complete included."""
        if self._folder.is_dir():
            yield from sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    def place(self, key: str) -> Place:
        """Return the folder of an environment."""
        return Place(folder=self._folder / key)

    def used_at(self, key: str) -> float:
        """Return when an environment was last used, in seconds since 1970; 0 where nobody knows."""
        try:
            return (self._folder / f"{key}{_LOCK}").stat().st_mtime
        except OSError:
            return 0.0

    def remove(self, key: str) -> bool:
        """Remove an environment; False where a job uses it, or somebody builds it.

        Raises
        ------
        OSError
            It cannot be removed.
        """
        lock = self._lock(key)
        if not lock.alone(wait=False):
            return False
        try:
            self.place(key).remove()
            lock.remove()
        finally:
            lock.release()
        return True

    def _lock(self, key: str) -> EnvironmentLock:
        return EnvironmentLock(self._folder / f"{key}{_LOCK}")

    def _wait(
        self, lock: EnvironmentLock, packages: Packages, say: Callable[[str], None], *, alone: bool
    ) -> None:
        take = lock.alone if alone else lock.together
        if not take(wait=False):
            say(f"environment {packages.name}: another process builds it just now; waiting for it")
            take(wait=True)

    def _build(
        self,
        place: Place,
        packages: Packages,
        key: str,
        lock: EnvironmentLock,
        say: Callable[[str], None],
    ) -> None:
        from gristmill.environments.construction import construct  # most jobs find theirs built

        site = Site(
            packages=packages,
            folder=place.folder,
            prefix=place.prefix,
            cache=self._cache,
            variables=self._variables,
            say=say,
            inherited=lock.descriptor,
        )
        construct(site, place, key, lock)


def _used(
    place: Place,
    record: Record,
    packages: Packages,
    lock: EnvironmentLock,
    notices: tuple[str, ...],
    *,
    was_built: bool,
) -> Ready:
    """Return an environment whose lock is held, and write down that it is used."""
    lock.touch()
    return Ready(
        record=record,
        interpreter=place.interpreter(record),
        packages=packages,
        notices=notices,
        was_built=was_built,
        lock=lock,
    )
