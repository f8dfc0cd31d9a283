"""What a deployment's workers run in: a Python that is there, or an environment that is built for it.

The one door to `gristmill.environments`, which is imported only where a deployment asks for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gristmill.engine.environment import Interpreter, choose_interpreter
from gristmill.errors import JobChangedError, StorageError, in_words
from gristmill.run.job_folder import Job, JobFolder
from gristmill.settings import Home
from gristmill.spec.values import Deployment
from gristmill.storage.publish import publish_bytes

if TYPE_CHECKING:
    from gristmill.environments.cache import Environments, Ready

_MOST_NAMED = 5


@dataclass(kw_only=True)
class Surroundings:
    """Where workers run; what was built is held until ``with`` ends, or until it was handed over."""

    deployment: Deployment
    """As it is to be kept: without packages that were left out."""
    interpreter: Interpreter
    notices: tuple[str, ...] = ()
    """What the user should know."""
    ready: Ready | None = None
    """The environment that was built for it; None: somebody's own."""
    _is_handed_over: bool = False

    @classmethod
    def of(cls, deployment: Deployment, home: Home, say: Callable[[str], None]) -> Surroundings:
        """Find or build what a deployment asks for.

        Raises
        ------
        InterpreterError
            The Python asked for does not run, or there is none of that version.
        BuildError
            The environment cannot be built; nothing is left of it.
        HomeError
            The home cannot be written.
        """
        if deployment.packages is None:
            return cls(deployment=deployment, interpreter=choose_interpreter(deployment.python))
        ready = environments_of(home).ready(
            deployment.packages,
            say,
            code=deployment.code,
            own_variables=deployment.settings.environment_variables,
        )
        return cls(
            deployment=replace(deployment, packages=ready.packages),
            interpreter=ready.interpreter,
            notices=ready.notices,
            ready=ready,
        )

    @classmethod
    def of_job(cls, job: Job, folder: JobFolder, home: Home, say: Callable[[str], None]) -> Surroundings:
        """Find what a job ran in; build it anew where it is gone.

        Raises
        ------
        InterpreterError, BuildError, HomeError
            As for `of`.
        """
        deployment = job.deployment
        if deployment.packages is None:
            return cls(deployment=deployment, interpreter=choose_interpreter(job.python))
        key = str(_kept(folder).get("key", ""))
        ready = environments_of(home).again(key, deployment.packages) if key else None
        if ready is None:
            return cls.of(deployment, home, say)
        return cls(deployment=deployment, interpreter=ready.interpreter, ready=ready)

    def __enter__(self) -> Surroundings:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is not None or not self._is_handed_over:
            self.release()

    def handed_over(self) -> Callable[[], None]:
        """Return what ends the holding; from now on that is somebody else's business."""
        self._is_handed_over = True
        return self.release

    def release(self) -> None:
        """Let others remove the environment; safe to repeat."""
        if self.ready is not None:
            self.ready.release()

    def write(self, folder: JobFolder) -> None:
        """Keep with a job what is in its environment.

        Raises
        ------
        StorageError
            The disk is full or gone.
        """
        if self.ready is None:
            return
        text = json.dumps(self.ready.record.to_json(), indent=1) + "\n"
        try:
            publish_bytes(folder.environment, text.encode("ascii"))
        except OSError as error:
            raise StorageError(
                f"{folder.environment} cannot be written: {in_words(error)}; make room"
            ) from error

    def compared(self, folder: JobFolder, *, is_forced: bool) -> tuple[str, ...]:
        """Compare with what the job had; where it was built anew, the registry may have other versions.

        Returns
        -------
        tuple of str
            What the user should know.

        Raises
        ------
        JobChangedError
            Other packages are in it, and it is not forced.
        """
        if self.ready is None:
            return ()
        before = _kept(folder).get("packages")
        changes = sorted(set(self.ready.record.packages) ^ set(before or ()))
        if not changes or before is None:
            return ()  # the same; or nobody can tell
        new = self.ready.record.packages
        named = [f"{one} {'is new' if one in new else 'is gone'}" for one in changes[:_MOST_NAMED]]
        more = f" and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
        words = f"{', '.join(named)}{more}"
        if not is_forced:
            raise JobChangedError(
                f"the environment of job {folder.name} was built anew, and other packages are in it: "
                f"{words}. Results would not fit together: pin the versions in a new job, or go on all the "
                "same with --force"
            )
        return (f"the environment was built anew, and other packages are in it: {words}",)


def _kept(folder: JobFolder) -> dict[str, Any]:
    """Return what a job has kept of its environment; nothing where that cannot be read."""
    try:
        kept = json.loads(folder.environment.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def environments_of(home: Home) -> Environments:
    """Return the environments of a home."""
    from gristmill.environments.cache import Environments  # most jobs need none of it

    return Environments(home.environments, home.cache / "conda")
