"""Which Python a conda file asks for: conda's way to write versions, read for the one package that we need to
understand ourselves.

Pure: it must not look for interpreters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gristmill.errors import SpecError
from gristmill.spec.packages import Line

Version = tuple[int, int, int]
OLDEST_MINOR, NEWEST_MINOR = 8, 14
"""What workers run on, and the newest that has been released; later ones may be asked for."""
_NAME = re.compile(r"(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_.-]+?)\s*(?P<rest>(?:[=<>!~\[\s].*)?)$")
_BRACKET = re.compile(r"\[\s*version\s*=\s*['\"]([^'\"]*)['\"]\s*\]")
_TERM = re.compile(r"(==|!=|>=|<=|~=|=|>|<)?\s*(\d+(?:\.\d+)*)[a-z]*\d*(\.?\*)?$")
_MOST_PATCHES = 100
_MOST_MINORS = 100


def name_of(text: str) -> str:
    """Return the package that a line of a conda file names, in lower case."""
    found = _NAME.match(text)
    return found["name"].lower() if found else text.lower()


@dataclass(frozen=True, kw_only=True)
class PythonWish:
    """A version of Python that is asked for."""

    said: str
    """As it stands in the file; ``python`` where it does not."""
    place: str
    """Where that is; empty where it does not stand there."""
    _alternatives: tuple[tuple[Callable[[Version], bool], ...], ...] = ()

    def admits(self, version: Version) -> bool:
        """Say whether a version is one of those asked for."""
        return not self._alternatives or any(
            all(term(version) for term in terms) for terms in self._alternatives
        )

    @cached_property
    def minors(self) -> tuple[int, ...]:
        """Minor versions of Python 3 of which at least one patch release is asked for, oldest first."""
        return tuple(
            minor
            for minor in range(_MOST_MINORS)
            if any(self.admits((3, minor, patch)) for patch in range(_MOST_PATCHES))
        )

    @cached_property
    def supported_minors(self) -> tuple[int, ...]:
        """Those of them that workers run on."""
        return tuple(minor for minor in self.minors if minor >= OLDEST_MINOR)

    @property
    def to_fetch(self) -> str:
        """The version to be fetched where there is none: the release that is asked for, else the newest
        minor version that has been released.
        """
        exact = re.search(r"=\s*(3\.\d+\.\d+)$", self.said)
        released = [minor for minor in self.supported_minors if minor <= NEWEST_MINOR]
        return exact[1] if exact else f"3.{released[-1] if released else self.supported_minors[0]}"

    def distance(self, version: Version) -> int:
        """Return how many patch releases lie between a version and the nearest that is asked for."""
        patches = (patch for patch in range(_MOST_PATCHES) if self.admits((*version[:2], patch)))
        return min((abs(patch - version[2]) for patch in patches), default=_MOST_PATCHES)


def python_wish(conda: Sequence[Line]) -> PythonWish:
    """Find the Python among the packages of a conda file.

    Raises
    ------
    SpecError
        Its version cannot be understood; the message has the line.
    """
    lines = [line for line in conda if name_of(line.text) == "python"]
    if not lines:
        return PythonWish(said="python", place="")
    line = lines[-1]
    found = _NAME.match(line.text)
    rest = found["rest"].strip() if found else ""
    if bracket := _BRACKET.match(rest):
        rest = bracket[1]
    if rest.lstrip("= ") in ("", "*"):
        return PythonWish(said=line.text, place=line.place)
    alternatives = tuple(
        tuple(_term(one.strip(), line) for one in part.split(",")) for part in _without_build(rest).split("|")
    )
    return PythonWish(said=line.text, place=line.place, _alternatives=alternatives)


def _without_build(rest: str) -> str:
    """Take away the build that conda lets follow a version: ``=3.8.5=h123_0`` or ``3.8.5 h123_0``."""
    exact = re.match(r"(={0,2}\s*\d[^=,|\s]*)(?:=|\s+)[A-Za-z*]\S*$", rest)
    return exact[1] if exact else rest


def _term(text: str, line: Line) -> Callable[[Version], bool]:
    found = _TERM.match(text)
    if found is None:
        raise SpecError(
            f"{line.place}: the Python version {line.text!r} cannot be understood; write it as in "
            "'python=3.11'"
        )
    operator = found[1] or "="
    numbers = tuple(int(number) for number in found[2].split("."))[:3]
    full = (*numbers, 0, 0)[:3]
    if operator in ("=", "==") or (operator == "!=" and (found[3] or len(numbers) < 3)):
        is_same = operator != "!="
        return lambda version: (version[: len(numbers)] == numbers) is is_same
    if operator == "~=":
        head = numbers[: max(1, len(numbers) - 1)]
        return lambda version: version >= full and version[: len(head)] == head
    return {
        "!=": lambda version: version != full,
        ">=": lambda version: version >= full,
        "<=": lambda version: version <= full,
        ">": lambda version: version > full,
        "<": lambda version: version < full,
    }[operator]
