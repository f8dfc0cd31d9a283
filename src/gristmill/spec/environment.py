"""The ``environment:`` of a deployment: which packages it asks for, or why it cannot be had.

Where the file, or an option, names a Python to use, the environment is not looked into.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec import kinds
from gristmill.spec.conda_file import Listed, read_content
from gristmill.spec.document import read_document
from gristmill.spec.layout import without_read_only
from gristmill.spec.packages import Packages
from gristmill.spec.pip_lines import near
from gristmill.spec.problems import Problem, lines
from gristmill.spec.schema import DeploymentFile, Environment
from gristmill.spec.sections import ValidationError, WrongValueError
from gristmill.spec.tree import Entry, Mapping, Scalar, got, is_null

WAYS_OUT = (
    "list its packages in a conda_file, or say which Python to use: --python PATH, --use-current-python, or "
    "'gristmill: {python: PATH}' in the file"
)
"""What to do where an environment is not known."""


def asked_for(root: Mapping, file: DeploymentFile | None) -> Listed:
    """Read what a deployment wants to run in.

    Parameters
    ----------
    root
        The document, in the canonical layout.
    file
        The same, checked; None where something in it is wrong: then only mistakes are of use.

    Returns
    -------
    Listed
        Nothing where no environment is to be built: there is none, a Python is named, or there is only an
        image, which is not used on this machine.
    """
    entry = root.entries.get("environment")
    if entry is None or is_null(entry.node) or names_a_python(root):
        return Listed()
    try:
        environment = Environment.model_validate(entry.node)
    except ValidationError:
        return Listed()  # what is wrong with it is said elsewhere
    if environment.conda_file is None:
        is_nowhere = environment.image is None and environment.build is None
        return Listed(problems=[_unknown(entry, environment)] if is_nowhere else [])
    listed = _listed(entry, environment)
    if listed.packages is not None and file is not None:
        extensions = file.gristmill
        listed.packages = replace(
            listed.packages,
            strict_python=extensions.strict_python,
            keep_azureml_packages=extensions.keep_azureml_packages,
            offline=extensions.offline,
        )
    return listed


def load_environment_packages(path: Path) -> Packages:
    """Load what the file of an environment lists: its ``conda_file``, or the content of one.

    Raises
    ------
    SpecError
        The file cannot be read, or something in it or its conda file is wrong: one line for each mistake.
    """
    document = read_document(path)
    entry = Entry(path="environment", place=document.root.place, node=without_read_only(document.root).root)
    try:
        environment = Environment.model_validate(entry.node)
    except ValidationError as error:
        raise SpecError(f"{path}: is no file of an environment: {error}") from error
    listed = _listed(entry, environment)
    problems = [*document.problems, *listed.problems]
    if problems or listed.packages is None:
        raise SpecError(*lines(problems))
    return listed.packages


def names_a_python(root: Mapping) -> bool:
    """Say whether the document names the Python that is to be used, whatever its environment says."""
    extensions = root.entries.get("gristmill")
    known = extensions.node.entries if extensions and isinstance(extensions.node, Mapping) else {}
    for key in ("python", "use_current_python"):
        node = known[key].node if key in known else None
        if node is not None and not is_null(node) and not (isinstance(node, Scalar) and _is_false(node)):
            return True
    return False


def _is_false(node: Scalar) -> bool:
    return node.text.lower() == "false"


def _listed(entry: Entry, environment: Environment) -> Listed:
    node = environment.conda_file
    path = f"{entry.path}.conda_file"
    if isinstance(node, Mapping):
        return read_content(node, environment.name, _file_of(node))
    try:
        file = kinds.conda_file(node)
        document = read_document(near(file))
    except WrongValueError as refused:
        what = refused.what
        return Listed(problems=[Problem(place=node.place, path=path, what=what)])
    except SpecError as mistakes:
        found = [Problem(place=node.place, path=path, what=one) for one in mistakes.problems]
        return Listed(problems=found)
    listed = read_content(document.root, environment.name, file.stem)
    listed.problems += document.problems
    return listed


def _file_of(node: Mapping) -> str:
    """Return what an environment is called that has no name: as the file in which it stands."""
    file = re.match(r"(.+):\d+:\d+$", node.place.origin)
    return Path(file[1]).stem if file else "unnamed"


def _unknown(entry: Entry, environment: Environment) -> Problem:
    """Say that only the name of an environment is known."""
    node = entry.node
    place = entry.place if isinstance(node, Mapping) else node.place  # a mapping begins below its key
    if environment.name and kinds.is_in_registry(environment.name):
        what = f"lies in a registry in the cloud {got(node)}, which is not reached from here; {WAYS_OUT}"
    else:
        what = f"is registered elsewhere {got(node)}; {WAYS_OUT}"
    return Problem(place=place, path=entry.path, what=what)
