"""A plan that may still be growing: what a run needs of it, whoever makes it."""

from __future__ import annotations

from typing import Protocol

from gristmill.plan.manifest import Manifest


class Plan(Protocol):
    """What the scheduler needs of a plan that may still be growing."""

    @property
    def mini_batches(self) -> int:
        """Mini-batches so far."""

    @property
    def items(self) -> int:
        """Items in them."""

    complete: bool
    """Whether the listing is over."""

    def step(self, budget_s: float) -> None:
        """Plan for about so long."""

    @property
    def manifest(self) -> Manifest:
        """The mini-batches so far."""
