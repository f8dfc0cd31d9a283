"""How far a job is while it runs, and why its loop ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class End(Enum):
    """Why the loop ended."""

    ALL_DONE = "all done"
    THRESHOLD = "threshold"
    CANNOT_START = "cannot start"
    SCRIPT = "script"
    RULE = "rule"
    CANCELLED = "cancelled"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the loop ended, and with what message."""

    end: End
    message: str = ""
    log: str = ""
    """The log that says more, relative to the job folder."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is; for the eyes of people."""

    items: int
    """Items in the plan so far."""
    plan_complete: bool
    done: int
    """Items in an end state."""
    failed: int
    """Items of these that failed or have no result."""
    workers: int
    ready: int
    notices: tuple[str, ...] = ()
    """New sentences for the user."""
