"""Rules that stop a job: values only. How they are written is said in ``rule_kinds``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """Whose fault a failure is, in as few words as a rule needs."""

    DATA = "data"
    """A file that the script cannot take: an exception, or the death of the worker that had it."""
    SCRIPT = "script"
    """What ``run()`` returned is wrong, or too little."""
    TIME = "time"
    """It took longer than its timeout."""
    MEMORY = "memory"
    """It needed more memory than there is."""
    INFRASTRUCTURE = "infrastructure"
    """What we did, or can prove: more often than that is forgiven."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """What stops a job; exactly one of ``count`` and ``fraction`` is set."""

    failures: FailureClass | None
    """The failures that count; None: all."""
    count: int | None
    """The job stops when so many items have failed; at least 1."""
    fraction: float | None
    """The job stops when so large a share of the items has failed; above 0, at most 1."""
    window: int | None
    """How many items that ended last are looked at; None: all."""
    minimum: int
    """So many items must have ended before ``fraction`` counts."""

    def __str__(self) -> str:
        """Write it as a deployment may."""
        parts = [f"class: {self.failures.value}"] if self.failures is not None else []
        if self.count is not None:
            parts.append(f"count: {self.count}")
        if self.fraction is not None:
            parts.append(f"fraction: {self.fraction * 100:.10g}%")
        if self.window is not None:
            parts.append(f"window: {self.window}")
        if self.fraction is not None:
            parts.append(f"minimum: {self.minimum}")
        return f"{{{', '.join(parts)}}}"
