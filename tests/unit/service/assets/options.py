"""What a user types, as the doors pass it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gristmill.spec.overrides import Override


def typed(**values: Any) -> list[Override]:
    """Return one override for each option; ``__`` stands for a dot, ``_`` in a name for itself."""
    return [
        Override(path=name.replace("__", "."), value=value, origin=f"--{name} {value}")
        for name, value in values.items()
    ]


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder, and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
