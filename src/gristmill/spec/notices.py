"""What the user should know about a deployment although nothing in it is wrong; one line each.

Such are keys that mean something elsewhere and nothing on this machine. This module must not refuse anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gristmill.spec.environment import names_a_python
from gristmill.spec.generated import FOLDER
from gristmill.spec.problems import Problem
from gristmill.spec.schema import DeploymentFile
from gristmill.spec.tree import Entry, Mapping, Scalar, is_null
from gristmill.spec.values import OutputFormat

_VARIABLE = re.compile(r"\$(?:\w|\{)")
#: Names by which readers choose another format than text in columns.
_NOT_CSV = (".parquet", ".xlsx", ".xls", ".json", ".jsonl", ".feather", ".arrow", ".pkl", ".gz", ".zip")
_SUFFIXES = {OutputFormat.JSONL: (".jsonl", ".ndjson", ".json"), OutputFormat.PARQUET: (".parquet", ".pqt")}
_WITHOUT_MEANING = ("instance_type", "properties", "shm_size", "docker_args")
_NODE_COUNTS = (("resources", "instance_count"), ("settings", "instance_count"))
_NEVER_EXPANDED = (
    ("model",),
    ("model", "path"),
    ("code_configuration", "code"),
    ("code_configuration", "scoring_script"),
    ("gristmill", "program_arguments"),
    ("gristmill", "python"),
    ("gristmill", "input_list"),
)


def notices(root: Mapping, file: DeploymentFile) -> list[Problem]:
    """List what should be said about a deployment that is right.

    Parameters
    ----------
    root
        The document, in the canonical layout.
    file
        The same, checked.

    Returns
    -------
    list of Problem
        In no particular order.
    """
    return [
        *_about_nodes(root, file),
        *_about_environment(root, file),
        *_about_file_name(root, file),
        *_about_variables(root),
        *_about_mlflow(root, file),
    ]


def _about_nodes(root: Mapping, file: DeploymentFile) -> Iterator[Problem]:
    compute = file.compute.removeprefix("azureml:")
    if compute.lower() != "local":
        yield from _notice(root, ("compute",), f"{compute!r} is not known here; the job runs on this machine")
    for names in _NODE_COUNTS:
        count = (file.settings if names[0] == "settings" else file.resources).instance_count
        if count > 1:
            what = f"{count} nodes are asked for, and this machine is one; the job runs on it alone"
            yield from _notice(root, names, what)
    for name in _WITHOUT_MEANING:
        yield from _notice(root, ("resources", name), "means nothing on this machine and was ignored")


def _about_environment(root: Mapping, file: DeploymentFile) -> Iterator[Problem]:
    environment = file.environment
    if environment is None:
        return
    is_built = environment.conda_file is not None and not names_a_python(root)
    chosen = file.gristmill.python or "the current Python"
    if is_built and environment.image:
        what = f"{environment.image!r} is not used on this machine; the conda file says what is installed"
        yield from _notice(root, ("environment", "image"), what)
    if is_built and environment.build:
        what = "is not used on this machine; the conda file says what is installed"
        yield from _notice(root, ("environment", "build"), what)
    if not is_built:
        what = f"{environment.words()!r} is not built here; {chosen} runs the script"
        yield from _notice(root, ("environment",), what)


def _about_file_name(root: Mapping, file: DeploymentFile) -> Iterator[Problem]:
    name, output_format = file.settings.output_file_name, file.gristmill.output_format
    if output_format in _SUFFIXES:
        if "output_file_name" in file.settings.model_fields_set and not name.lower().endswith(
            _SUFFIXES[output_format]
        ):
            kind, suffix = output_format.value, _SUFFIXES[output_format][0]
            what = f"{name!r} will hold {kind}, whatever its name; readers expect {suffix}"
            yield from _notice(root, ("settings", "output_file_name"), what)
    elif name.lower().endswith(_NOT_CSV):
        what = f"{name!r} will hold CSV text, whatever its name; call it .csv, or write such files in run()"
        yield from _notice(root, ("settings", "output_file_name"), what)


def _about_variables(root: Mapping) -> Iterator[Problem]:
    variables = _find(root, ("settings", "environment_variables"))
    given = variables.node.entries.values() if variables and isinstance(variables.node, Mapping) else ()
    for entry in (*given, *filter(None, (_find(root, names) for names in _NEVER_EXPANDED))):
        if isinstance(entry.node, Scalar) and _VARIABLE.search(entry.node.text):
            what = f"{entry.node.text!r} is taken as it stands; variables are not expanded"
            yield Problem(place=entry.node.place, path=entry.path, what=what)


def _about_mlflow(root: Mapping, file: DeploymentFile) -> Iterator[Problem]:
    if file.code_configuration.code != FOLDER:
        what = "is for MLflow models without a script, and this deployment has a script; it was ignored"
        yield from _notice(root, ("gristmill", "mlflow"), what)


def _notice(root: Mapping, names: tuple[str, ...], what: str) -> Iterator[Problem]:
    entry = _find(root, names)
    if entry is not None and not is_null(entry.node):
        yield Problem(place=entry.place, path=entry.path, what=what)


def _find(root: Mapping, names: tuple[str, ...]) -> Entry | None:
    entry = root.entries.get(names[0])
    if entry is None or len(names) == 1:
        return entry
    return _find(entry.node, names[1:]) if isinstance(entry.node, Mapping) else None
