"""The lines of a pip section, and of the requirement files that it names, taken apart and put into one list.

Paths become absolute by pip's own rules: what ``-r`` and ``--find-links`` name lies beside the file that
names it, a package in a folder or a file lies below the folder of the conda file (or, where there is none,
beside the file that names it). Nothing is installed or looked up here but whether a path exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gristmill.spec.kinds import neighbour
from gristmill.spec.packages import Line
from gristmill.spec.problems import Problem, did_you_mean
from gristmill.spec.tree import Place

LARGEST_FILE_BYTES = 1 << 20
DEEPEST = 20
"""Requirement files that name each other; more is a circle."""
#: Long name → how many words follow; what they name is a file, a place of packages, or neither.
_OPTIONS = {
    "--requirement": "file",
    "--constraint": "file",
    "--editable": "package",
    "--find-links": "place",
    "--index-url": "text",
    "--extra-index-url": "text",
    "--trusted-host": "text",
    "--no-binary": "text",
    "--only-binary": "text",
    "--no-index": "none",
    "--pre": "none",
    "--prefer-binary": "none",
    "--require-hashes": "none",
}
_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-f": "--find-links",
    "-i": "--index-url",
}
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_WHERE = re.compile(r"(?P<path>[^\[;]+?)(?P<rest>\s*(?:\[[^\]]*\])?\s*(?:;.*)?)$")
_ARCHIVES = (".whl", ".tar.gz", ".tar.bz2", ".zip")
_NAMED = re.compile(r"[A-Za-z0-9]")


class PipLines:
    """Collects lines and mistakes."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing.

        Parameters
        ----------
        folder
            Where the conda file lies, absolute: packages in folders and files are named from there.
        """
        self.lines: list[Line] = []
        self.problems: list[Problem] = []
        self._folder = folder

    def add(self, text: str, place: Place, path: str, depth: int = 0) -> None:
        """Take one line in, and what the files hold that it names.

        Parameters
        ----------
        text
            The line.
        place
            Where it stands.
        path
            The key that it stands under, for messages.
        depth
            How many requirement files lead to it.
        """
        said = _COMMENT.sub("", text).strip()
        if not said:
            return
        try:
            self._add(said, place, path, depth)
        except _Wrong as wrong:
            self.problems.append(Problem(place=place, path=path, what=str(wrong)))

    def _add(self, said: str, place: Place, path: str, depth: int) -> None:
        if not said.startswith("-"):
            self._keep(self._requirement(said, place.folder), place)
            return
        option, value = _option(said)
        kind = _OPTIONS[option]
        if option == "--editable":
            self._keep(self._requirement(value, place.folder), place)
        elif option == "--requirement":
            self._include(_existing(value, [place.folder, self._folder], "file"), path, depth)
        elif kind == "file":
            self._keep(f"{option} {_existing(value, [place.folder, self._folder], 'file')}", place)
        elif kind == "place" and "://" not in value:
            self._keep(f"{option} {_existing(value, [place.folder, self._folder], 'folder or file')}", place)
        else:
            self._keep(f"{option} {value}".rstrip(), place)

    def _keep(self, text: str, place: Place) -> None:
        self.lines.append(Line(text=text, place=place.origin))

    def _requirement(self, said: str, beside: Path) -> str:
        if not _is_path(said):
            if not _NAMED.match(said):
                raise _Wrong(f"is no package (got {said!r}); write a name, as in 'pandas==2.2'")
            return said
        found = _WHERE.match(said.removeprefix("file://") if said.startswith("file:///") else said)
        if found is None:
            raise _Wrong(f"is no package (got {said!r})")
        path = _existing(found["path"], [self._folder, beside], "file or folder")
        if path.is_dir() and not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
            raise _Wrong(f"the folder {path} holds no package: neither a pyproject.toml nor a setup.py")
        return f"{path}{found['rest'].rstrip()}"

    def _include(self, file: Path, path: str, depth: int) -> None:
        if depth >= DEEPEST:
            raise _Wrong(f"the requirement files name each other in a circle (got {str(file)!r})")
        for number, line in _lines_of(file):
            place = Place(origin=f"{near(file)}:{number}", folder=file.parent)
            self.add(line, place, path, depth + 1)


class _Wrong(Exception):
    """A line is wrong; the message says how."""


def _option(said: str) -> tuple[str, str]:
    """Split an option from its value, in every way in which pip lets them be written."""
    word, _, rest = said.partition(" ")
    name, equals, value = word.partition("=")
    if not name.startswith("--") and len(word) > 2:
        name, value, equals = word[:2], word[2:].removeprefix("="), "="
    name = _SHORT.get(name, name)
    if name not in _OPTIONS:
        raise _Wrong(
            f"the option {name} is not known in a pip section{did_you_mean(name, _OPTIONS)}; known are "
            f"{', '.join(_OPTIONS)}"
        )
    value = value if equals else rest.strip()
    if bool(value) != (_OPTIONS[name] != "none"):
        raise _Wrong(f"the option {name} takes {'no value' if value else 'a value'} (got {said!r})")
    return name, value.strip("'\"")


def _is_path(said: str) -> bool:
    """Say whether a requirement is a file or a folder, as pip does: a name holds no slash."""
    where = _WHERE.match(said)
    path = where["path"].strip() if where else said
    if said.startswith("file:///"):
        return True
    if "://" in said or " @ " in said or path.partition("@")[2].startswith(("/", ".")):
        return False
    return "/" in path or path in (".", "..") or path.lower().endswith(_ARCHIVES)


def _existing(value: str, folders: list[Path], what: str) -> Path:
    """Return the first of several places where something is."""
    places = [Path(os.path.abspath(folder / value)) for folder in folders]
    try:
        found = [place for place in places if os.path.exists(place)]
    except ValueError as error:
        raise _Wrong(f"cannot be looked up: {error} (got {value!r})") from None
    if not found:
        raise _Wrong(f"no such {what}: {places[0]} (got {value!r}){neighbour(places[0])}")
    if what == "file" and not found[0].is_file():
        raise _Wrong(f"is no file: {found[0]} (got {value!r})")
    return found[0]


def _lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a requirement file with their numbers; one that ends in a backslash goes on."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _Wrong(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_FILE_BYTES:
        raise _Wrong(f"{file} is larger than 1 MiB, and no requirement file is; is it the right one?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Wrong(f"{file} is not UTF-8; save it as UTF-8") from None
    begun, pieces = 1, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun if pieces else number
        if line.endswith("\\"):
            pieces.append(line[:-1])
            continue
        yield begun, " ".join([*pieces, line])
        pieces = []
    if pieces:
        yield begun, " ".join(pieces)


def near(file: Path) -> Path:
    """Return a file's path as messages show it: from the current folder, where it lies below that."""
    here = os.path.relpath(file)
    return file if here.startswith("..") else Path(here)
