"""What is written down of an environment when it is complete: the file whose presence says that it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.engine.environment import Interpreter
from gristmill.storage.publish import publish_bytes

SCHEMA = 1
_FILE = "environment.json"
_PREFIX = "env"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What an environment is."""

    key: str
    """The digest of what it was to hold."""
    name: str
    """What it was called when it was built."""
    builder: str
    """``uv``, ``pip``, ``micromamba``, …: what built it."""
    python_version: tuple[int, int, int]
    cache_tag: str
    conda: tuple[str, ...]
    """What was asked for: conda's part."""
    pip: tuple[str, ...]
    """What was asked for: the pip section."""
    packages: tuple[str, ...]
    """What is in it, ``name==version``, by name."""
    variables: Mapping[str, str]
    """What its packages set for whoever uses it."""
    built_at: str
    """ISO 8601, UTC."""
    seconds: float
    """What the building took."""

    def to_json(self) -> dict[str, Any]:
        """Return it as values for JSON."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder of one environment."""

    folder: Path

    @property
    def prefix(self) -> Path:
        """The environment itself."""
        return self.folder / _PREFIX

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.prefix / "bin" / "python"

    def write(self, record: Record) -> None:
        """Say that it is complete; the last step of building it.

        Raises
        ------
        OSError
            The disk is full or gone.
        """
        text = json.dumps(record.to_json(), indent=1) + "\n"
        publish_bytes(self.folder / _FILE, text.encode("ascii"))

    def remove(self) -> None:
        """Remove what is there, the record first: half of an environment must never look whole.

        Raises
        ------
        OSError
            It cannot be removed.
        """
        (self.folder / _FILE).unlink(missing_ok=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def read(self) -> Record | None:
        """Return what is there and can be used; None where it is not complete, or its base is gone."""
        try:
            values = json.loads((self.folder / _FILE).read_bytes())
            record = _record(values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if self.python.exists() else None  # a link that leads nowhere: its base is gone

    def interpreter(self, record: Record) -> Interpreter:
        """Return its Python without running it."""
        return Interpreter(
            path=self.python,
            version=record.python_version,
            cache_tag=record.cache_tag,
            chosen=f"the environment {record.name}, built with {record.builder}",
            prefix=self.prefix,
            variables=record.variables,
        )


def _record(values: Mapping[str, Any]) -> Record:
    rest = dict(values)
    if rest.pop("schema") != SCHEMA:
        raise ValueError("it is of another release")
    for name in ("conda", "pip", "packages"):
        rest[name] = tuple(map(str, rest[name]))
    rest["variables"] = {str(name): str(value) for name, value in rest["variables"].items()}
    major, minor, patch = map(int, rest["python_version"])
    return Record(**{**rest, "python_version": (major, minor, patch)})
