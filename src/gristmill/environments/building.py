"""Which way an environment is built: a virtual environment where conda's part is only Python and what
installs packages; else the user's own conda tool, else py-rattler; else an error that names the ways out.
"""

from __future__ import annotations

from gristmill.engine.environment import Interpreter
from gristmill.environments.builder_kind import conda_names, kind_of
from gristmill.environments.command import CommandFailedError
from gristmill.environments.conda_tools import TOOLS, build_with_tool, conda_tool
from gristmill.environments.interpreters import Interpreters, not_found
from gristmill.environments.pip_settings import uv_variables
from gristmill.environments.python_wish import PythonWish, name_of, python_wish
from gristmill.environments.rattler import build_with_rattler, has_rattler
from gristmill.environments.site import Site
from gristmill.environments.venv import build_venv, install_pip_section, uv_program
from gristmill.errors import BuildError
from gristmill.spec.packages import Packages

_MOST_NAMED = 5


def build(site: Site) -> str:
    """Build an environment.

    Parameters
    ----------
    site
        What, and where; the folder is there, the environment is not.

    Returns
    -------
    str
        What built it.

    Raises
    ------
    InterpreterError
        There is no such Python, and none can be fetched.
    BuildError
        Conda is needed, and nothing that installs its packages is here.
    CommandFailedError
        A tool could not do its part.
    """
    wish = python_wish(site.packages.conda)
    if kind_of(site.packages) == "venv":
        base = _python_for(site, wish)
        _announce(site, f"for Python {'.'.join(map(str, base.version))}")
        return build_venv(site, base)
    if wish.place and not wish.supported_minors:
        Interpreters(site.variables).choose(wish, is_strict=False)  # says what is wrong with it
    tool = conda_tool(site.variables)
    if tool is not None:
        _announce(site, f"with {tool[0]}")
        build_with_tool(site, *tool)
        builder = tool[0]
    elif has_rattler():
        _announce(site, "with py-rattler")
        build_with_rattler(site)
        builder = "py-rattler"
    else:
        raise _no_conda(site.packages)
    install_pip_section(site)
    return builder


def _python_for(site: Site, wish: PythonWish) -> Interpreter:
    """Return the Python to build with, fetched by uv where this machine has none."""
    interpreters = Interpreters(site.variables)
    found = interpreters.choose(wish, is_strict=site.packages.strict_python)
    if found is not None:
        return found
    uv = uv_program(site.variables)
    if site.packages.offline:
        raise not_found(wish, interpreters, "none is fetched with --offline")
    if uv is None:
        raise not_found(wish, interpreters, "uv, which fetches one, is not installed")
    version = wish.to_fetch
    site.say(f"there is no Python {version} on this machine; uv fetches one")
    variables = {**uv_variables(site.variables), "UV_PYTHON_DOWNLOADS": "manual"}
    try:
        site.run([uv, "python", "install", "--no-bin", version], variables)
    except CommandFailedError as error:
        words = " ".join(line.strip() for line in error.words)
        raise not_found(wish, interpreters, f"uv could not fetch one ({words})") from error
    found = interpreters.choose(wish, is_strict=site.packages.strict_python)
    if found is None:
        raise not_found(wish, interpreters, f"what uv fetched for {version} does not run")
    return found


def _no_conda(packages: Packages) -> BuildError:
    names = conda_names(packages)
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    places = [f"{line.place}: {line.text}" for line in packages.conda if name_of(line.text) in names]
    return BuildError(
        "\n".join(
            [
                f"the environment {packages.name} cannot be built: {listed} can only be had from conda, and "
                f"none of {', '.join(TOOLS)} is on PATH. Ways out: pip install gristmill[conda], which "
                "brings py-rattler; move them to the pip section, where PyPI has them; or name a "
                "Python that has them with --python PATH",
                *places[:_MOST_NAMED],
            ]
        )
    )


def _announce(site: Site, how: str) -> None:
    count = len(site.packages.conda) + len(site.packages.pip)
    lines = f"{count} line{'' if count == 1 else 's'} of packages"
    site.say(
        f"environment {site.packages.name}: building it {how}, {lines}; later jobs with the same list start "
        "at once"
    )
