"""The conda tools that a user may have: what each is called, and how it makes an environment.

They are the user's own, with their configuration: channels that the file does not name, mirrors, credentials.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from gristmill.environments.python_wish import name_of
from gristmill.environments.site import Site

_ONLY_THESE = "nodefaults"
"""Among the channels of a file: those that the tool itself is set up with do not count."""


def conda_tool(variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and path of the tool that is to be used; None where there is none on PATH."""
    for name in TOOLS:
        path = shutil.which(name, path=variables.get("PATH"))
        if path is not None:
            return name, path
    return None


def build_with_tool(site: Site, name: str, path: str) -> None:
    """Make conda's part of an environment with a tool of the user's.

    Raises
    ------
    CommandFailedError
        The tool could not.
    """
    TOOLS[name](site, path)


def specs_of(site: Site) -> list[str]:
    """Return what conda is to install; Python belongs to it, whether it is listed or not."""
    said = [line.text for line in site.packages.conda]
    has_python = any(name_of(text) == "python" for text in said)
    return [*([] if has_python else ["python"]), *said]


def _with_conda(site: Site, path: str) -> None:
    channels = [channel for channel in site.packages.channels if channel != _ONLY_THESE]
    command = [path, "create", "--yes", "--prefix", str(site.prefix)]
    command += ["--offline"] if site.packages.offline else []
    command += ["--override-channels"] if _ONLY_THESE in site.packages.channels else []
    command += [word for channel in channels for word in ("--channel", channel)]
    site.run([*command, *specs_of(site)])


def _with_pixi(site: Site, path: str) -> None:
    """Let pixi make a workspace beside the environment, and lead there: it has places of its own."""
    file = site.folder / "environment.yml"
    content = {"channels": list(site.packages.channels) or ["conda-forge"], "dependencies": specs_of(site)}
    file.write_text(json.dumps(content), encoding="utf-8")
    workspace = site.folder / "workspace"
    site.run([path, "init", "--import", file, workspace])
    site.run([path, "install", "--manifest-path", workspace])
    site.prefix.symlink_to(Path("workspace", ".pixi", "envs", "default"))


TOOLS: dict[str, Callable[[Site, str], None]] = {
    "micromamba": _with_conda,
    "mamba": _with_conda,
    "conda": _with_conda,
    "pixi": _with_pixi,
}
