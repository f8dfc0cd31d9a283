"""Conda's part of an environment, solved and installed in this process by py-rattler (the extra ``conda``).

The one door to that library. It runs in a thread of its own, since a notebook has an event loop already.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

from gristmill.environments.command import CommandFailedError
from gristmill.environments.conda_tools import specs_of
from gristmill.environments.site import Site

_USUAL_CHANNEL = "conda-forge"


def has_rattler() -> bool:
    """Say whether py-rattler is installed beside us."""
    return importlib.util.find_spec("rattler") is not None


def build_with_rattler(site: Site) -> None:
    """Solve and install conda's part of an environment.

    Raises
    ------
    CommandFailedError
        It cannot be solved, fetched or installed; with py-rattler's words.
    """
    outcome: list[BaseException] = []

    def work() -> None:
        import asyncio  # not light, and needed nowhere else

        try:
            asyncio.run(_build(site))
        except BaseException as error:  # whatever it is, it is told where it can be acted upon
            outcome.append(error)

    thread = threading.Thread(target=work, name="gristmill-rattler", daemon=True)
    thread.start()
    thread.join()
    if outcome:
        error = outcome[0]
        raise CommandFailedError([f"{type(error).__name__}: {error}"]) from error


async def _build(site: Site) -> None:
    import rattler

    packages = site.packages
    channels = [channel for channel in packages.channels if channel != "nodefaults"] or [_USUAL_CHANNEL]
    specs = [rattler.MatchSpec(text, strict=False) for text in specs_of(site)]
    site.say(f"  Solving {len(specs)} packages from {', '.join(channels)}")
    source = rattler.SourceConfig(cache_action="force-cache-only" if packages.offline else "cache-or-fetch")
    gateway = rattler.Gateway(cache_dir=site.cache / "repodata", default_config=source)
    records: list[Any] = await rattler.solve(
        sources=channels,
        specs=specs,
        virtual_packages=rattler.VirtualPackage.detect(),
        gateway=gateway,
    )
    site.say(f"  Installing {len(records)} packages")
    await rattler.install(
        records, target_prefix=site.prefix, cache_dir=site.cache / "packages", show_progress=False
    )
