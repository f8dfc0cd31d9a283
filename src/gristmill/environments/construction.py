"""The building of one environment, from an empty folder to its record, which is written last; of one that
fails nothing is left.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from gristmill.engine.environment import probed
from gristmill.environments.activation import activation_variables
from gristmill.environments.building import build
from gristmill.environments.command import CommandFailedError
from gristmill.environments.failure import build_failed
from gristmill.environments.lock import EnvironmentLock
from gristmill.environments.record import Place, Record
from gristmill.environments.site import Site
from gristmill.errors import BuildError
from gristmill.faults import reach
from gristmill.storage.publish import sync_file_system

_INSTALLED = """import json
from importlib.metadata import distributions
found = {(d.metadata["Name"] or "").lower(): d.version for d in distributions()}
print(json.dumps(sorted(f"{name}=={version}" for name, version in found.items() if name)))"""


def construct(site: Site, place: Place, key: str, lock: EnvironmentLock) -> None:
    """Build an environment, whose lock is held alone; what a killed build has left is removed first.

    Raises
    ------
    BuildError, InterpreterError, SpecError
        It cannot be built.
    OSError
        Its folder cannot be written.
    """
    begun = time.monotonic()
    place.remove()
    place.folder.mkdir(mode=0o700)
    packages = site.packages
    try:
        builder = build(site)
        reach("environment.before_record")
        record = _seen(site, key, builder, time.monotonic() - begun)
        sync_file_system(place.folder)  # after a loss of power, too, what has a record is whole
        place.write(record)
    except CommandFailedError as error:
        _abandon(place, lock)
        what = "its packages cannot be installed"
        raise build_failed(packages, what, error.words, place.folder.parent) from error
    except BaseException:
        _abandon(place, lock)
        raise
    count = len(record.packages)
    site.say(
        f"environment {packages.name}: ready after {record.seconds:.0f} s, "
        f"{count} package{'' if count == 1 else 's'} (gristmill env show {key})"
    )


def _seen(site: Site, key: str, builder: str, seconds: float) -> Record:
    """Look at what was built: only what runs is complete."""
    interpreter = probed(site.python, f"the environment {site.packages.name}")
    said = site.run([site.python, "-I", "-c", _INSTALLED])
    try:
        packages = tuple(json.loads(said[-1]))
    except (ValueError, LookupError) as error:
        raise BuildError(
            f"the environment {site.packages.name} cannot be built: its Python does not say what it has "
            f"({' '.join(said[-3:])}); name another Python with --python PATH"
        ) from error
    return Record(
        key=key,
        name=site.packages.name,
        builder=builder,
        python_version=interpreter.version,
        cache_tag=interpreter.cache_tag,
        conda=tuple(line.text for line in site.packages.conda),
        pip=tuple(line.text for line in site.packages.pip),
        packages=packages,
        variables=activation_variables(site),
        built_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(seconds, 3),
    )


def _abandon(place: Place, lock: EnvironmentLock) -> None:
    """Leave nothing of a build that failed."""
    place.remove()
    lock.remove()
