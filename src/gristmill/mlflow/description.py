"""What an MLflow model says of itself in its file ``MLmodel``; nothing of it is loaded (design, D9)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import SpecError, in_words

FILE = "MLmodel"
_SCORED_BY = "python_function"


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of an MLflow model."""

    folder: Path
    flavors: tuple[str, ...]
    """In the order of the file."""
    has_signature: bool
    """Whether it says which inputs it takes."""

    @property
    def is_scorable(self) -> bool:
        """Whether MLflow can score with it, whatever made it."""
        return _SCORED_BY in self.flavors


def describe(folder: Path) -> Description:
    """Read the description of an MLflow model.

    Parameters
    ----------
    folder
        The model's folder.

    Returns
    -------
    Description
        What the file says; what it leaves open is empty.

    Raises
    ------
    SpecError
        There is no such file, or it is no description of a model.
    """
    from ruamel.yaml import YAML  # slow to import, and most jobs have no such model
    from ruamel.yaml.error import YAMLError

    path = folder / FILE
    try:
        said = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(
            f"{path}: the file cannot be read: {in_words(error)}; give the model's folder"
        ) from error
    except YAMLError as error:
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise SpecError(f"{path}: is not YAML ({problem}); was the model copied whole?") from error
    flavors = said.get("flavors") if isinstance(said, dict) else None
    if not isinstance(flavors, dict) or not flavors:
        raise SpecError(f"{path}: names no flavors, so it is no description of a model; log the model anew")
    return Description(
        folder=folder,
        flavors=tuple(map(str, flavors)),
        has_signature=bool(said.get("signature")),
    )
