"""What a bare script needs of its folder, found without running any of it (contract, section 3).

The folder is often one of many things, so only two kinds go along: the modules that the script imports from
there, directly or through each other, and what these name: ``labels.txt``, or ``model/weights.onnx``.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import RequestError
from gristmill.storage.tree import everything_below

_COMPILED = ".so"
_IMPORTING_CALLS = ("import_module", "__import__")


@dataclass(frozen=True, kw_only=True)
class ScriptFiles:
    """What goes along with a bare script; paths below its folder."""

    modules: tuple[str, ...]
    """Files to be copied, the script first."""
    packages: tuple[str, ...]
    """Folders with an ``__init__.py``, to be copied whole."""
    namespaces: tuple[str, ...]
    """Folders without one: the Python files in them are to be copied, the rest is to be linked."""
    named: tuple[str, ...]
    """Entries that are named in the code, to be linked."""
    notices: tuple[str, ...]


def files_of_script(script: Path) -> ScriptFiles:
    """Find the modules that a script imports from its own folder, and what else of this folder it names.

    Parameters
    ----------
    script
        The script; it is read, not run.

    Returns
    -------
    ScriptFiles
        Only the script itself, and a notice, where the script is not Python.

    Raises
    ------
    RequestError
        The script or a module of it cannot be read; the message names it.
    """
    search = _Search(script)
    search.run()
    known = {*search.modules, *search.packages, *search.namespaces}
    return ScriptFiles(
        modules=tuple(search.modules),
        packages=tuple(search.packages),
        namespaces=tuple(search.namespaces),
        named=tuple(sorted(name for name in search.named if name not in known)),
        notices=tuple(search.notices),
    )


class _Search:
    """Reads the script, then what it imports, and so on."""

    def __init__(self, script: Path) -> None:
        self._folder = str(script.parent)
        self._compiled = _compiled_modules(self._folder)
        self._seen: set[str] = set()
        self.modules = {script.name: None}  # dicts keep the order
        self.packages: dict[str, None] = {}
        self.namespaces: dict[str, None] = {}
        self.named: set[str] = set()
        self.notices: list[str] = []
        self._unread = [script.name]

    def run(self) -> None:
        while self._unread:
            relative = self._unread.pop()
            tree = self._parsed(relative)
            if tree is None:
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    self._take_text(node.value)
                for module in _imported(node, is_top="/" not in relative):
                    self._take_module(module)

    def _parsed(self, relative: str) -> ast.Module | None:
        path = os.path.join(self._folder, relative)
        try:
            with open(path, "rb") as file:
                source = file.read()
        except OSError as error:
            raise RequestError(
                f"{path} cannot be read: {error.strerror}; give yourself access to it"
            ) from error
        try:
            with warnings.catch_warnings(action="ignore"):  # the worker's Python will show them
                return ast.parse(source, path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if relative in self.modules:
                line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
                said = getattr(error, "msg", error)
                self.notices.append(
                    f"{relative}{line}: {said}, says Python {sys.version.split()[0]}, "
                    "which runs Gristmill; modules that it may import from its own folder were not copied"
                )
            return None

    def _take_text(self, text: str) -> None:
        """Take a text that names an entry beside the script, or a path that begins with one."""
        name = text.removeprefix("./").strip("/").partition("/")[0]
        if not name or name in self._seen or name.startswith((".", "__pycache__")):
            return
        self._seen.add(name)
        if not os.path.lexists(os.path.join(self._folder, name)):
            return
        if name.endswith(".py"):
            self._add_module(name)
        else:
            self.named.add(name)

    def _take_module(self, module: str) -> None:
        """Take an import, absolute and dotted, if the module lies beside the script."""
        top, _, rest = module.partition(".")
        if os.path.isfile(os.path.join(self._folder, top, "__init__.py")):
            self._add_folder(top, self.packages)
            return
        for name in self._compiled.get(top, ()):
            self.modules.setdefault(name)
        if os.path.isfile(os.path.join(self._folder, f"{top}.py")):
            self._add_module(f"{top}.py")
        elif rest and self._is_namespace(top, rest.partition(".")[0]):
            self._add_folder(top, self.namespaces)

    def _is_namespace(self, top: str, below: str) -> bool:
        """Say whether a folder has this module: many a folder is only called like a library."""
        place = os.path.join(self._folder, top, below)
        return os.path.isfile(f"{place}.py") or os.path.isdir(place)

    def _add_module(self, name: str) -> None:
        if name not in self.modules:
            self.modules[name] = None
            self._unread.append(name)

    def _add_folder(self, name: str, folders: dict[str, None]) -> None:
        if name in folders:
            return
        folders[name] = None
        for found in everything_below(os.path.join(self._folder, name)):
            if found.is_file and found.relative.endswith(".py"):
                self._unread.append(f"{name}/{found.relative}")


def _compiled_modules(folder: str) -> dict[str, list[str]]:
    """Return the compiled modules in a folder by the name under which they are imported."""
    compiled: dict[str, list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_COMPILED):
                    compiled.setdefault(entry.name.partition(".")[0], []).append(entry.name)
    except OSError as error:
        raise RequestError(
            f"the folder {folder} cannot be read: {error.strerror}; give yourself access to it"
        ) from error
    return compiled


def _imported(node: ast.AST, is_top: bool) -> Iterator[str]:
    """Yield the modules that a statement imports, dotted; of relative ones only those beside the script."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        if node.level > (1 if is_top else 0):
            return
        for alias in node.names:
            yield f"{node.module}.{alias.name}" if node.module else alias.name
    elif isinstance(node, ast.Call) and node.args:
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
        first = node.args[0]
        if name in _IMPORTING_CALLS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value
