"""The model, laid out as a script expects it: ``AZUREML_MODEL_DIR`` contains the model (contract, 1.4).

Its files are real ones, since libraries such as MLflow refuse links that lead out of their folder: hard links
where the file system allows, else copies, and symbolic links only where a copy would be very large.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_READ_ONLY_FOLDER = 0o555
#: A larger file on another file system is not copied for each job, but linked to.
LARGEST_COPY_BYTES = 2 << 30


def stage_model(model: Path, folder: Path, largest_copy_bytes: int = LARGEST_COPY_BYTES) -> Path:
    """Make ``folder`` a read-only folder with exactly one entry, the model; safe to repeat.

    Folders become real folders: ``os.walk`` does not follow links to folders.

    Parameters
    ----------
    model
        A file or a folder; links in it are followed.
    folder
        Where it is to lie.
    largest_copy_bytes
        Files that cannot be linked and are larger become symbolic links.

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
    unstage_model(building)
    building.mkdir(parents=True)
    entry = building / model.name
    if model.is_dir():
        _place_tree(model, entry, largest_copy_bytes)
    else:
        _place_file(model, entry, largest_copy_bytes)
    building.chmod(_READ_ONLY_FOLDER)
    os.rename(building, folder)
    return folder


def unstage_model(folder: Path) -> None:
    """Remove what `stage_model` made, or what an interrupted call has left of it; safe to repeat.

    Raises
    ------
    OSError
        It cannot be removed.
    """
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


def _place_tree(source: Path, target: Path, largest_copy_bytes: int) -> None:
    for here, folders, files in os.walk(source, followlinks=True):
        place = target / os.path.relpath(here, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            _place_file(Path(here, name), place / name, largest_copy_bytes)
        folders[:] = [name for name in folders if not _leads_back(here, name)]
        for name in folders:
            (place / name).mkdir(exist_ok=True)
    for here, _, _ in os.walk(target, topdown=False):
        os.chmod(here, _READ_ONLY_FOLDER)


def _leads_back(folder: str, name: str) -> bool:
    """Say whether a folder is a link to one that it lies in."""
    target = os.path.realpath(os.path.join(folder, name))
    return os.path.join(os.path.realpath(folder), "").startswith(os.path.join(target, ""))


def _place_file(source: Path, target: Path, largest_copy_bytes: int) -> None:
    real = os.path.realpath(source)
    try:
        os.link(real, target)
    except OSError:  # another file system, somebody else's file, or one that takes no links
        if os.stat(real).st_size > largest_copy_bytes:
            target.symlink_to(real)
        else:
            shutil.copy2(real, target)
