"""The files of a model as a scoring script sees them, each with the line of Python that names it.

A model lies in ``AZUREML_MODEL_DIR`` under its own name (contract, 1.4): a folder ``model/`` is
``$AZUREML_MODEL_DIR/model/…``, a single file ``$AZUREML_MODEL_DIR/model.pkl``. How workers get it is said by
`engine.staging`; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.storage.tree import Found, everything_below, found_at

_VARIABLE = 'os.environ["AZUREML_MODEL_DIR"]'


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file or folder of a model."""

    path: str
    """Its path below ``AZUREML_MODEL_DIR``."""
    is_folder: bool
    size_bytes: int
    """Of a folder, that of all files in it."""
    line: str
    """``os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "weights.pt")``."""

    @property
    def depth(self) -> int:
        """How many folders of the model it lies in."""
        return self.path.count("/")

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON; bytes of a name that are no UTF-8 are escaped."""
        return {
            "path": shown(self.path),
            "type": "folder" if self.is_folder else "file",
            "size_bytes": self.size_bytes,
            "python": self.line,
        }


def artifacts_of(model: Path) -> tuple[Artifact, ...]:
    """List a model, each folder before what is in it.

    Parameters
    ----------
    model
        Its file or folder.

    Raises
    ------
    RequestError
        A folder cannot be read; the message names it.
    """
    top = found_at(model)
    found = [top]
    if top.is_folder:
        below = everything_below(str(model))
        found += (one._replace(relative=f"{top.relative}/{one.relative}") for one in below)
    sizes = _sizes(found)
    return tuple(
        Artifact(
            path=one.relative,
            is_folder=one.is_folder,
            size_bytes=sizes[one.relative],
            line=f"os.path.join({_VARIABLE}, {', '.join(map(_text, one.relative.split('/')))})",
        )
        for one in found
    )


def shown(path: str | Path) -> str:
    r"""Return a path as text for people and for JSON: bytes that are no UTF-8 become ``\xff``."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _sizes(found: list[Found]) -> dict[str, int]:
    sizes = {one.relative: 0 for one in found}
    for one in found:
        if one.status is None or not one.is_file:
            continue
        parts = one.relative.split("/")
        for depth in range(1, len(parts) + 1):
            sizes["/".join(parts[:depth])] += one.status.st_size
    return sizes


def _text(name: str) -> str:
    """Write a name as Python does, in double quotes where that is plain."""
    written = repr(name)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in name else written
