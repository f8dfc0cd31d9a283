"""What an environment is to hold, as its author listed it: the values that every floor above uses.

They are kept in ``job.json`` with the deployment, so that a job goes on with what it was made from although
its conda file was edited since. This module imports only the standard library, and must not know how a conda
file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Line:
    """One requirement or option, and where it stands."""

    text: str
    """Without comments; local paths are absolute."""
    place: str
    """``conda.yaml:5:7``, for messages."""


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Everything that decides what an environment holds, and how strictly that is meant."""

    name: str
    """What messages call the environment; never empty."""
    folder: Path
    """Where the file that lists them lies, absolute."""
    channels: tuple[str, ...] = ()
    """Conda channels, the first one first; none: those that conda itself is set up with."""
    conda: tuple[Line, ...] = ()
    """Conda's own part, Python included."""
    pip: tuple[Line, ...] = ()
    """The pip section, with the requirement files that it names taken in."""
    strict_python: bool = False
    """Whether another patch release of Python than the one asked for is refused."""
    keep_azureml_packages: bool | None = None
    """Whether the packages that only Azure's own driver needs are installed; None: where the code imports
    them."""
    offline: bool = False
    """Whether nothing may be fetched from a network."""


def packages_from_json(data: Mapping[str, Any] | None) -> Packages | None:
    """Return what was written as values for JSON, field by field.

    Raises
    ------
    KeyError, TypeError
        Something is missing or of the wrong kind.
    """
    if data is None:
        return None
    return Packages(
        **{
            **data,
            "folder": Path(data["folder"]),
            "channels": tuple(data["channels"]),
            "conda": tuple(Line(**line) for line in data["conda"]),
            "pip": tuple(Line(**line) for line in data["pip"]),
        }
    )
