"""A virtual environment of a Python that is there, filled with uv; or, where uv is not to be had, with
Python's own venv and pip.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from gristmill.engine.environment import Interpreter
from gristmill.environments.builder_kind import SEEDS
from gristmill.environments.pip_settings import uv_variables
from gristmill.environments.python_wish import name_of
from gristmill.environments.site import Site
from gristmill.spec.packages import Line

#: The first Python whose own venv does not bring setuptools.
_WITHOUT_SETUPTOOLS = (3, 12)
_BUNDLE = "import ensurepip, os; print(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))"
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
    seeds = [line for line in site.packages.conda if name_of(line.text) in SEEDS]
    if uv is not None:
        site.run(
            [uv, "venv", "--no-project", "--python", base.path, site.prefix], uv_variables(site.variables)
        )
        _seed(site, uv, base, seeds)
    else:
        site.run([base.path, "-m", "venv", site.prefix])
    limited = [as_requirement(line) for line in seeds if not _is_bare(line) or name_of(line.text) == "wheel"]
    install_pip_section(site, limited)
    return "uv" if uv is not None else "pip"


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


def as_requirement(line: Line) -> Line:
    """Write a package of conda's part as pip does: ``pip=23.2`` is ``pip==23.2.*``."""
    text = line.text.partition("::")[2] or line.text
    found = re.fullmatch(r"([\w.-]+?)\s*(?:=|\s)\s*(\d[\w.]*?)(?:\.?\*)?(?:[=\s]\S+)?", text)
    return Line(text=f"{found[1]}=={found[2]}.*" if found else text, place=line.place)


def _seed(site: Site, uv: str, base: Interpreter, seeds: list[Line]) -> None:
    """Put in what Python's own venv would bring, from where that has it: without a network."""
    names = {name_of(line.text) for line in seeds if _is_bare(line)} - {"wheel"}
    if any(name_of(line.text) == "pip" for line in seeds) and base.version[:2] < _WITHOUT_SETUPTOOLS:
        names |= {"setuptools"} - {name_of(line.text) for line in seeds if not _is_bare(line)}
    if not names:
        return
    bundle = Path(site.run([site.python, "-I", "-c", _BUNDLE])[-1])
    there = {path.name.partition("-")[0] for path in bundle.glob("*.whl")}
    from_bundle = ["--no-index", "--find-links", str(bundle)] if names <= there else []
    offline = ["--offline"] if site.packages.offline else []
    command = [uv, "pip", "install", "--python", str(site.python), *offline, *from_bundle, *sorted(names)]
    site.run(command, uv_variables(site.variables))


def _is_bare(line: Line) -> bool:
    return re.fullmatch(r"(?:[^\s:]+::)?[\w.-]+", line.text) is not None


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
