"""A virtual environment of a Python that is there, filled with uv; or, where uv is not to be had, with
Python's own venv and pip.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from gristmill.engine.environment import Interpreter
from gristmill.environments.pip_settings import uv_variables
from gristmill.environments.seeds import listed_seeds, put_in
from gristmill.environments.site import Site
from gristmill.spec.packages import Line

#: What Python's own venv has put in already, in whatever version.
_OF_VENV = ("pip", "setuptools")
#: Options that uv takes on its command line, and not in a file of requirements.
_FOR_COMMAND_LINE = {
    "--pre": ["--prerelease", "allow"],
    "--prefer-binary": [],
    "--require-hashes": ["--require-hashes"],
}


def uv_program(variables: Mapping[str, str]) -> str | None:
    """Return uv: the one that came with Gristmill, else one on PATH; None where there is none."""
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    beside = next((place / "uv" for place in places if (place / "uv").is_file()), None)
    return str(beside) if beside is not None else shutil.which("uv", path=variables.get("PATH"))


def build_venv(site: Site, base: Interpreter) -> str:
    """Make a virtual environment and install what is listed.

    Returns
    -------
    str
        What built it: ``uv`` or ``pip``.

    Raises
    ------
    CommandFailedError
        A step failed.
    """
    uv = uv_program(site.variables)
    seeds = listed_seeds(site, base)
    if uv is None:
        site.run([base.path, "-m", "venv", site.prefix])
        install_pip_section(site, [line for line in seeds if line.text not in _OF_VENV])
        return "pip"
    make = [uv, "venv", "--no-project", "--python", str(base.path), str(site.prefix)]
    site.run(make, uv_variables(site.variables))
    install_pip_section(site, put_in(site, uv, seeds))
    return "uv"


def install_pip_section(site: Site, also: list[Line] | None = None) -> None:
    """Install the pip section into an environment that is there.

    Raises
    ------
    CommandFailedError
        It cannot be installed.
    """
    lines = [*(also or ()), *site.packages.pip]
    if not any(not line.text.startswith("-") for line in lines):
        return
    uv = uv_program(site.variables)
    file = site.folder / "requirements.txt"
    if uv is None:
        file.write_text(_text(lines), encoding="utf-8", errors="surrogateescape")
        offline = ["--no-index"] if site.packages.offline else []
        pip = [str(site.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        variables = {name: value for name, value in site.variables.items() if name != "PYTHONPATH"}
        site.run([*pip, *offline, "-r", str(file)], variables)
        return
    options = [word for line in lines for word in _command_line(line)]
    in_file = [line for line in lines if not _is_for_command_line(line)]
    file.write_text(_text(in_file), encoding="utf-8", errors="surrogateescape")
    offline = ["--offline"] if site.packages.offline else []
    command = [uv, "pip", "install", "--python", str(site.python), *offline, *options, "-r", str(file)]
    several = any(line.text.startswith("--extra-index-url") for line in lines)
    site.run(command, uv_variables(site.variables, several_indexes=several))


def _is_for_command_line(line: Line) -> bool:
    return line.text in _FOR_COMMAND_LINE or line.text.startswith("--trusted-host ")


def _command_line(line: Line) -> list[str]:
    if line.text.startswith("--trusted-host "):
        return ["--allow-insecure-host", line.text.split(maxsplit=1)[1]]
    return _FOR_COMMAND_LINE.get(line.text, [])


def _text(lines: list[Line]) -> str:
    """Write requirements as a file; a path with spaces as an address."""
    written = (
        f"file://{quote(line.text)}" if line.text.startswith("/") and " " in line.text else line.text
        for line in lines
    )
    return "".join(f"{line}\n" for line in written)
