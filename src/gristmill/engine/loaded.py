"""A worker that has loaded its script and belongs to no job just now, and the terms on which one takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gristmill.engine.launch import Launched


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A worker between two jobs."""

    launched: Launched
    python: str
    """Version of its interpreter; empty where it has not said so yet."""
    is_ready: bool
    """Whether it is known to have loaded the script; else it may still be at it."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """How a job takes a worker over; one that does not answer in this way is replaced, and nobody is told."""

    binding: int
    """A number that its answer repeats: what it says before that was meant for another job."""
    at: float
    """When, as monotonic time in seconds."""
    limit_s: float
    """How long it has to answer."""
    proves: Callable[[Sequence[tuple[str, str]]], bool]
    """Says whether the modules that it has loaded, (path, SHA-256), are those of the job (design, D8)."""
