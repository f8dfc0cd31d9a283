"""What a conda file lists beside Python to install packages with: ``pip``, ``setuptools``, ``wheel``.

They are put in from where Python keeps its own (``ensurepip``), without a network, as Python's venv does;
what is not there in the version asked for comes from the registry, with everything else.
"""

from __future__ import annotations

import re
from pathlib import Path

from gristmill.engine.environment import Interpreter
from gristmill.environments.builder_kind import SEEDS
from gristmill.environments.command import CommandFailedError
from gristmill.environments.pip_settings import uv_variables
from gristmill.environments.python_wish import name_of
from gristmill.environments.site import Site
from gristmill.spec.packages import Line

#: The first Python whose own venv does not bring setuptools.
_WITHOUT_SETUPTOOLS = (3, 12)
_BUNDLE = "import ensurepip, os; print(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))"


def listed_seeds(site: Site, base: Interpreter) -> list[Line]:
    """Return the requirements that stand for what conda's part lists, and for what comes with it there."""
    lines = [as_requirement(line) for line in site.packages.conda if name_of(line.text) in SEEDS]
    names = {name_of(line.text) for line in lines}
    if "pip" in names and "setuptools" not in names and base.version[:2] < _WITHOUT_SETUPTOOLS:
        place = next(line.place for line in lines if name_of(line.text) == "pip")
        lines.append(Line(text="setuptools", place=place))
    return lines


def put_in(site: Site, uv: str, seeds: list[Line]) -> list[Line]:
    """Put in what Python keeps of them; return what the registry has to give.

    Raises
    ------
    CommandFailedError
        The environment's Python does not run.
    """
    bundled = [line for line in seeds if name_of(line.text) != "wheel"]
    others = [line for line in seeds if line not in bundled]
    if not bundled:
        return others
    try:
        bundle = Path(site.run([site.python, "-I", "-c", _BUNDLE])[-1])
    except (CommandFailedError, IndexError):
        return seeds  # a Python without ensurepip, as some distributions have it
    command = [uv, "pip", "install", "--python", str(site.python), "--no-index"]
    command += ["--find-links", str(bundle), *(line.text for line in bundled)]
    try:
        site.run(command, uv_variables(site.variables))
    except CommandFailedError:
        return seeds  # another version is asked for
    return others


def as_requirement(line: Line) -> Line:
    """Write a package of conda's part as pip does: ``pip=23.2`` is ``pip==23.2.*``."""
    text = re.sub(r"\s*=+\s*\*$", "", line.text.partition("::")[2] or line.text)
    found = re.fullmatch(r"([\w.-]+?)\s*(?:=|\s)\s*(\d[\w.]*?)(?:\.?\*)?(?:[=\s]\S+)?", text)
    return Line(text=f"{found[1]}=={found[2]}.*" if found else text, place=line.place)
