"""What an MLflow model says of itself in its file ``MLmodel``; nothing of it is loaded (design, D9)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gristmill.errors import SpecError, in_words

FILE = "MLmodel"
_SCORED_BY = "python_function"
#: Files from which the model's environment can be made, the one that says most first.
_VIRTUALENV = "python_env.yaml"
_ENVIRONMENT_FILES = ("conda.yaml", _VIRTUALENV, "requirements.txt")
#: Their names in the flavor's ``env``.
_ENVIRONMENT_KEYS = ("conda", "virtualenv")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of an MLflow model."""

    folder: Path
    flavors: tuple[str, ...]
    """In the order of the file."""
    has_signature: bool
    """Whether it says which inputs it takes."""
    environment: Path | None
    """The file that says what it needs; None: there is none."""

    @property
    def conda_file(self) -> Path | None:
        """The file with the environment, where it is one for conda."""
        found = self.environment
        return found if found is not None and found.suffix != ".txt" and found.name != _VIRTUALENV else None

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
    function = flavors.get(_SCORED_BY)
    function = function if isinstance(function, dict) else {}
    return Description(
        folder=folder,
        flavors=tuple(map(str, flavors)),
        has_signature=bool(said.get("signature")),
        environment=_environment(folder, function.get("env")),
    )


def _environment(folder: Path, said: Any) -> Path | None:
    """Find the file that says what a model needs: the one that it names, else one of the usual names."""
    named: list[Any] = [said] if isinstance(said, str) else []
    named += [said[key] for key in _ENVIRONMENT_KEYS if key in said] if isinstance(said, dict) else []
    names = [*(name for name in named if isinstance(name, str)), *_ENVIRONMENT_FILES]
    return next((folder / name for name in names if (folder / name).is_file()), None)
