"""What can be said of a scoring script or a deployment before a job: where, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """It cannot work: a job would fail, or lose items."""
    WARNING = "warning"
    """It may work, and is probably not what its author wants."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found."""

    severity: Severity
    code: str
    """What kind of thing, in words that stay the same: ``no-run``."""
    place: str
    """Where: ``score.py:12``, or the file alone."""
    what: str
    """What is wrong, in one line."""
    remedy: str
    """What to do about it, in one line; empty where ``what`` says it."""
    detail: str = ""
    """What the script itself said, such as its traceback; may have many lines."""

    def __str__(self) -> str:
        return "; ".join(part for part in (f"{self.place}: {self.what}", self.remedy) if part)

    @property
    def is_error(self) -> bool:
        """Whether it cannot work."""
        return self.severity is Severity.ERROR


def error(code: str, place: str, what: str, remedy: str, detail: str = "") -> Finding:
    """Make a finding that keeps a job from starting."""
    return Finding(severity=Severity.ERROR, code=code, place=place, what=what, remedy=remedy, detail=detail)


def warning(code: str, place: str, what: str, remedy: str, detail: str = "") -> Finding:
    """Make a finding that its author should know."""
    return Finding(severity=Severity.WARNING, code=code, place=place, what=what, remedy=remedy, detail=detail)


def unlike(findings: Iterable[Finding], known: Iterable[Finding]) -> list[Finding]:
    """Return the findings of which kind none is known yet: what was read need not be told again when seen."""
    codes = {one.code for one in known}
    return [one for one in findings if one.code not in codes]
