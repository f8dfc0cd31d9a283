"""The snapshot: a job's own copy of the code, so that editing a script while it runs changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import RequestError, StorageError, in_words
from gristmill.service.code_files import code_files, identities, is_never_copied
from gristmill.service.script_files import files_of_script
from gristmill.spec.values import Deployment
from gristmill.storage.tree import Found, Identity, everything_below, identity_of


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A copy of the code."""

    script: Path
    """The scoring script in it, absolute."""
    files: int
    """Files in it, linked ones included."""
    notices: tuple[str, ...]
    """What the user should know; nothing where the copy was there already."""


def snapshot_code(
    deployment: Deployment, target: Path, *, output: Path | None = None, data: Iterable[Path] = ()
) -> Snapshot:
    """Copy the code of a deployment; the copy appears all at once. Safe to repeat: one that exists is kept.

    Parameters
    ----------
    deployment
        Of a deployment file the whole code folder is copied, but for what ``.amlignore``, else
        ``.gitignore``, leaves out. Of a bare script, the script and the modules that it imports from its
        own folder are copied; what else of this folder it names is linked.
    target
        The folder to be made, absolute.
    output
        The job's output folder, which is neither copied nor linked.
    data
        Inputs and outputs, which are no code: of a deployment's code folder they are not copied, unless
        the script lies in them.

    Returns
    -------
    Snapshot
        Where the script is.

    Raises
    ------
    RequestError
        Something of the code cannot be read; the message names it.
    StorageError
        The copy cannot be written.
    """
    script = target / deployment.scoring_script
    if target.is_dir():
        return Snapshot(script=script, files=_file_count(target), notices=())
    building = target.with_name(f"{target.name}.building")
    script_here = deployment.code / deployment.scoring_script
    copy = _Copy(building, target, output, [path for path in data if not script_here.is_relative_to(path)])
    try:
        if building.exists():
            shutil.rmtree(building)  # an earlier call was killed
        building.mkdir(parents=True)
        notices = (
            _copy_script(copy, deployment) if deployment.is_bare_script else _copy_code(copy, deployment)
        )
        os.rename(building, target)
    except OSError as error:
        raise StorageError(
            f"the code cannot be copied to {target}: {in_words(error)}; make room, or set "
            "GRISTMILL_HOME to another "
            "folder"
        ) from error
    return Snapshot(script=script, files=copy.files, notices=tuple(notices))


class _Copy:
    """A snapshot in the making."""

    def __init__(self, folder: Path, target: Path, output: Path | None, data: Sequence[Path]) -> None:
        self._folder = str(folder)
        self.data = identities(data)
        # The output, and our own home where that lies in the code: the job, the jobs, the home.
        self._ours = (folder, target, *target.parents[:3], *((output,) if output is not None else ()))
        self.files = 0

    def left_out(self) -> frozenset[Identity]:
        """Return the folders that are never copied or linked, if they turn up in the code."""
        return identities(self._ours)

    def add_folder(self, relative: str) -> None:
        os.makedirs(os.path.join(self._folder, relative), exist_ok=True)

    def add_file(self, source: str, relative: str) -> None:
        """Copy a file with its times and mode; its owner may read the copy."""
        try:
            os.close(os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError as error:
            raise RequestError(
                f"{source} cannot be read: {error.strerror}; give yourself access to it"
            ) from error
        place = self._place(relative)
        shutil.copy2(source, place)
        os.chmod(place, os.stat(place).st_mode | 0o400)

    def link(self, source: str, relative: str) -> None:
        os.symlink(os.path.abspath(source), self._place(relative))

    def _place(self, relative: str) -> str:
        self.files += 1
        place = os.path.join(self._folder, relative)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        return place


def _copy_code(copy: _Copy, deployment: Deployment) -> list[str]:
    """Copy a whole code folder, but for what is ignored."""
    files = code_files(deployment.code, deployment.scoring_script, ours=copy.left_out(), data=copy.data)
    for found in files.found:
        if found.is_folder:
            copy.add_folder(found.relative)
        else:
            copy.add_file(found.path, found.relative)
    return list(files.notices)


#: What counts though the script does not name it (contract, 1.1).
_BESIDE = ("parallel_run_step.settings.json",)


def _copy_script(copy: _Copy, deployment: Deployment) -> list[str]:
    """Copy a bare script and its modules, and link what else it names."""
    script = deployment.code / deployment.scoring_script
    folder = str(script.parent)
    needed = files_of_script(script)
    ours = copy.left_out()
    for name in (*needed.modules, *filter(lambda one: os.path.isfile(os.path.join(folder, one)), _BESIDE)):
        copy.add_file(os.path.join(folder, name), name)
    for name in needed.packages:
        _copy_package(copy, folder, name, ours)
    for name in needed.namespaces:
        _copy_namespace(copy, folder, name, ours)
    for name in needed.named:
        path = os.path.join(folder, name)
        if identity_of(path) not in ours:
            copy.link(path, name)
    return list(needed.notices)


def _copy_package(copy: _Copy, folder: str, name: str, ours: frozenset[Identity]) -> None:
    below = os.path.join(folder, name)
    for found in everything_below(below, lambda found: is_never_copied(found, ours)):
        if found.is_file:
            copy.add_file(found.path, f"{name}/{found.relative}")


def _copy_namespace(copy: _Copy, folder: str, name: str, ours: frozenset[Identity]) -> None:
    """Copy the Python files of a folder; it may hold anything else as well, and that is linked."""
    below = os.path.join(folder, name)
    entries = list(everything_below(below, lambda found: is_never_copied(found, ours)))
    with_code = {""}
    for found in entries:
        parent = found.relative
        while _is_code(found) and parent not in with_code:
            parent = os.path.dirname(parent)
            with_code.add(parent)
    for found in entries:
        place = f"{name}/{found.relative}"
        if _is_code(found):
            copy.add_file(found.path, place)
        elif found.relative not in with_code and os.path.dirname(found.relative) in with_code:
            copy.link(found.path, place)


def _is_code(found: Found) -> bool:
    return found.is_file and found.relative.endswith((".py", ".so"))


def _file_count(folder: Path) -> int:
    return sum(not found.is_folder for found in everything_below(str(folder)))
