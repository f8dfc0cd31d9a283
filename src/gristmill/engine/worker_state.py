"""Where a worker is in its life."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a worker is in its life."""

    LOADING = "loading"
    READY = "ready"
    RESTING = "resting"
    """It was told that the job is over."""
    RESTED = "rested"
    """It has answered: `Supervisor.unfit` says whether it can go on with another job."""
    STOPPING = "stopping"
    DEAD = "dead"
