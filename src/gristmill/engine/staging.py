"""The model, laid out as a script expects it: ``AZUREML_MODEL_DIR`` contains the model (contract, 1.4)."""

from __future__ import annotations

import os
from pathlib import Path

_READ_ONLY_FOLDER = 0o555


def stage_model(model: Path, folder: Path) -> Path:
    """Make ``folder`` a read-only folder with exactly one entry, the model; safe to repeat.

    A file becomes a link to the file. A folder becomes real folders (``os.walk`` does not follow
    links to folders) that hold links to the files.

    Returns
    -------
    Path
        ``folder``, for ``AZUREML_MODEL_DIR``.

    Raises
    ------
    OSError
        The model cannot be read or the folder cannot be made.
    """
    if folder.exists():
        return folder
    building = folder.with_name(f"{folder.name}.building")
    _remove_links(building)
    building.mkdir(parents=True)
    entry = building / model.name
    if model.is_dir():
        _link_tree(model, entry)
    else:
        entry.symlink_to(model)
    building.chmod(_READ_ONLY_FOLDER)
    os.rename(building, folder)
    return folder


def _link_tree(source: Path, target: Path) -> None:
    for here, folders, files in os.walk(source, followlinks=True):
        place = target / os.path.relpath(here, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            (place / name).symlink_to(Path(here, name))
        for name in folders:
            (place / name).mkdir(exist_ok=True)
    for here, _, _ in os.walk(target, topdown=False):
        os.chmod(here, _READ_ONLY_FOLDER)


def _remove_links(folder: Path) -> None:
    """Remove what an interrupted call has left."""
    for here, _, _ in os.walk(folder):
        os.chmod(here, 0o755)
    for here, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(here, name))
        for name in folders:
            path = os.path.join(here, name)
            (os.unlink if os.path.islink(path) else os.rmdir)(path)
    if folder.exists():
        folder.rmdir()
