"""The Pythons of this machine, found by running them, and the one that comes nearest to what is asked for.

A name on PATH proves nothing: pyenv's shims stand there for versions that they then refuse to start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from gristmill.engine.environment import Interpreter, probed
from gristmill.environments.python_wish import OLDEST_MINOR, PythonWish, Version
from gristmill.errors import InterpreterError

_SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")
_WITHOUT_VERSION = ("python3", "python")


class Interpreters:
    """Looks for Pythons in the places where they usually are."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._known: dict[Path, Interpreter | None] = {}

    def choose(self, wish: PythonWish, *, is_strict: bool) -> Interpreter | None:
        """Return the Python that comes nearest to a wish.

        Of several minor versions that will do, ours goes first and then the newest. Of the patch releases of
        one minor version, the newest that is asked for, else the nearest to it.

        Parameters
        ----------
        wish
            What is asked for.
        is_strict
            Whether only what is asked for will do.

        Returns
        -------
        Interpreter or None
            None: there is none of the minor versions asked for on this machine.

        Raises
        ------
        InterpreterError
            What is asked for is older than workers run on; or another patch release is all there is, and
            it is strict.
        """
        ours = sys.version_info[1]
        minors = sorted(wish.supported_minors, key=lambda minor: (minor == ours, minor), reverse=True)
        if not minors:
            raise InterpreterError(
                f"{_at(wish)}workers need Python 3.{OLDEST_MINOR} or newer; ask for a newer one, or name one "
                "with --python PATH"
            )
        near: list[Interpreter] = []
        for minor in minors:
            found = sorted(self.of_minor(minor), key=lambda one: one.version, reverse=True)
            for interpreter in found:
                if wish.admits(interpreter.version):
                    return interpreter
            near += sorted(found, key=lambda one: wish.distance(one.version))
        if not near:
            return None
        if is_strict:
            version = ".".join(map(str, near[0].version))
            raise InterpreterError(
                f"{_at(wish)}the nearest Python on this machine is {version} ({near[0].path}), and "
                "gristmill.strict_python is true; install that very release, or leave strict_python out"
            )
        return near[0]

    def of_minor(self, minor: int) -> list[Interpreter]:
        """Return every Python 3 of a minor version that is found and runs, each version once."""
        found: dict[tuple[int, int, int], Interpreter] = {}
        for path in dict.fromkeys(self._candidates(minor)):
            interpreter = self._probed(path)
            if interpreter is not None and interpreter.version[:2] == (3, minor):
                found.setdefault(interpreter.version, interpreter)
        return list(found.values())

    def _probed(self, path: Path) -> Interpreter | None:
        """Run a Python, once; None where it does not run, or is too old."""
        if path not in self._known:
            try:
                self._known[path] = probed(path, "the deployment's environment")
            except InterpreterError:
                self._known[path] = None
        return self._known[path]

    def places(self) -> str:
        """Say where Pythons are looked for."""
        return f"PATH, pyenv ({self._pyenv()}), uv ({self._uv()}), {', '.join(_SYSTEM)}"

    def _candidates(self, minor: int) -> Iterator[Path]:
        name = f"python3.{minor}"
        if sys.version_info[:2] == (3, minor):
            yield Path(sys.executable)
        folders = [*self._variables.get("PATH", os.defpath).split(os.pathsep), *_SYSTEM]
        for folder in dict.fromkeys(folder for folder in folders if folder):
            yield from _runnable(Path(folder) / name)
        for versions, below in ((self._pyenv(), "bin"), (self._uv(), "bin")):
            for path in sorted(versions.glob(f"*3.{minor}*/{below}/{name}"), reverse=True):
                yield from _runnable(path)
        for folder in dict.fromkeys(folders):
            for plain in _WITHOUT_VERSION:
                if folder and not _is_shim(Path(folder) / plain):
                    yield from _runnable(Path(folder) / plain)

    def _pyenv(self) -> Path:
        root = self._variables.get("PYENV_ROOT")
        return (Path(root) if root else self._home() / ".pyenv") / "versions"

    def _uv(self) -> Path:
        if named := self._variables.get("UV_PYTHON_INSTALL_DIR"):
            return Path(named)
        data = self._variables.get("XDG_DATA_HOME")
        return (Path(data) if data else self._home() / ".local" / "share") / "uv" / "python"

    def _home(self) -> Path:
        return Path(self._variables.get("HOME") or Path.home())


def patch_notice(wish: PythonWish, version: Version) -> tuple[str, ...]:
    """Say so where another patch release of Python took the place of the one asked for."""
    if wish.admits(version):
        return ()
    return (f"{_at(wish)}Python {'.'.join(map(str, version))} takes its place, the nearest that is here",)


def not_found(wish: PythonWish, interpreters: Interpreters, why: str) -> InterpreterError:
    """Say that there is no such Python, and where it was looked for."""
    return InterpreterError(
        f"{_at(wish)}there is no such Python on this machine (looked at {interpreters.places()}), and {why}; "
        "install one, or name one with --python PATH"
    )


def _at(wish: PythonWish) -> str:
    return f"{wish.place}: {wish.said}: " if wish.place else f"{wish.said}: "


def _runnable(path: Path) -> Iterator[Path]:
    if path.is_file() and os.access(path, os.X_OK):
        yield path


def _is_shim(path: Path) -> bool:
    return path.parent.name == "shims"
