"""A scoring script to start from, written for the model that somebody has.

The scripts are the files in `script_templates`; `model_kind` chooses. Nothing of the user's is run or opened.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from gristmill.engine.environment import Interpreter, choose_interpreter
from gristmill.errors import InterpreterError, OutputError, SpecError
from gristmill.service.model_kind import KINDS, MLFLOW, NO_MODEL, Kind, Recognised, recognise
from gristmill.spec.written import deployment_name, yaml_text
from gristmill.storage.publish import publish_bytes

_PROBE = (
    "import importlib.util, json, sys; "
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))"
)
_PROBE_LIMIT_S = 60
_DEPLOYMENT = "deployment.yml"


@dataclass(frozen=True, kw_only=True)
class NewScriptRequest:
    """What a user asks for with ``new``."""

    script: Path
    """Where the script is to be."""
    model: Path | None = None
    """The model's file or folder; None: a script without one."""
    deployment: bool = False
    """Whether a ``deployment.yml`` is to stand beside it; where there is one, ``<script>.deployment.yml``."""
    overwrite: bool = False
    """Whether files that are there may be replaced."""


@dataclass(frozen=True, kw_only=True)
class NewScript:
    """What was written."""

    files: tuple[Path, ...]
    """The script, and the deployment if one was asked for."""
    kind: str
    """What the model is, in words."""
    notices: tuple[str, ...]
    """What is doubtful about the model, and which packages have to be installed."""


def write_script(request: NewScriptRequest) -> NewScript:
    """Write a scoring script for a model, and a deployment of it if that is asked for.

    Parameters
    ----------
    request
        What is to be written, and for which model.

    Returns
    -------
    NewScript
        The files, and what to know about them.

    Raises
    ------
    SpecError
        The script's name cannot be a module's, or the model is not there or cannot be read.
    OutputError
        A file exists already, or cannot be written.
    """
    _check_name(request.script)
    files = [request.script]
    if request.deployment:
        files.append(_deployment_file(request))
    for file in files:
        _check_free(file, request.overwrite)
    found = Recognised(kind=NO_MODEL, file=Path()) if request.model is None else recognise(request.model)
    texts = [script_text(found.kind, _below_model_folder(request.model, found.file))]
    if request.deployment:
        texts.append(_deployment_text(request, files[-1].name, found.kind))
    for file, text in zip(files, texts, strict=True):
        _write(file, text)
    notices = [found.notice] if found.notice else []
    return NewScript(
        files=tuple(files), kind=found.kind.words, notices=(*notices, *_missing_packages(found.kind))
    )


def script_text(kind: Kind, model: str) -> str:
    """Return the script for a kind of model.

    Parameters
    ----------
    kind
        Of `KINDS`.
    model
        The path of the model below ``AZUREML_MODEL_DIR``, which may hold any character.

    Returns
    -------
    str
        Python 3.8, and no path of this machine.
    """
    return _filled(f"{kind.template}.py.txt", {"model": _literal(model), **kind.fills})


def _filled(template: str, values: Mapping[str, str]) -> str:
    folder = resources.files("gristmill.service") / "script_templates"
    return Template((folder / template).read_text(encoding="utf-8")).substitute(values)


def _check_name(script: Path) -> None:
    """Refuse a name under which the script could not be imported, or would hide what it imports itself."""
    stem = script.stem
    if script.suffix != ".py":
        raise SpecError(f"{script}: the name of a scoring script ends in .py, such as {stem or 'score'}.py")
    if not stem.isidentifier() or keyword.iskeyword(stem):
        better = re.sub(r"\W+", "_", stem).strip("_")
        better = (
            better
            if better.isidentifier() and not keyword.iskeyword(better)
            else f"score_{better}".strip("_")
        )
        raise SpecError(f"{script}: Python cannot import a module called {stem}; call it {better}.py, say")
    if stem in sys.stdlib_module_names or any(stem in (*kind.packages, *kind.for_images) for kind in KINDS):
        raise SpecError(
            f"{script}: this name would hide Python's module {stem} from everything that imports it; "
            f"call it score_{stem}.py, say"
        )


def _check_free(file: Path, overwrite: bool) -> None:
    folder = file.parent
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise OutputError(f"{file} cannot be written: the folder {folder} {what}; make it, or choose another")
    if file.is_dir():
        raise OutputError(f"{file} is a folder; choose another name")
    if not overwrite and os.path.lexists(file):
        raise OutputError(f"{file} exists already; choose another name, or --overwrite to replace it")


def _write(file: Path, text: str) -> None:
    try:
        publish_bytes(file, text.encode())
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written: {error.strerror or error}; choose another folder"
        ) from error


def _below_model_folder(model: Path | None, file: Path) -> str:
    """Return the path of a model file from the folder in which the model is laid out for the script."""
    if model is None:
        return ""
    top = Path(os.path.abspath(model))
    return os.path.join(top.name, os.path.relpath(os.path.abspath(file), top)).removesuffix("/.")


def _literal(text: str) -> str:
    """Write a text as Python, whatever is in it; with double quotes where that is as easy."""
    written = repr(text)
    return written if '"' in text or not written.startswith("'") else f'"{written[1:-1]}"'


# ------------------------------------------------------------------------------------------- the deployment


def _deployment_file(request: NewScriptRequest) -> Path:
    """Return where the deployment is written: the one of another script stays."""
    usual = request.script.with_name(_DEPLOYMENT)
    is_taken = os.path.lexists(usual) and not request.overwrite
    return request.script.with_name(f"{request.script.stem}.{_DEPLOYMENT}") if is_taken else usual


def _deployment_text(request: NewScriptRequest, file_name: str, kind: Kind) -> str:
    values = {
        "file": file_name,
        "name": deployment_name(request.script.stem),
        "model": "",
        "script": yaml_text(request.script.name),
    }
    if request.model is not None:
        path = os.path.relpath(request.model, request.script.parent)
        type_ = "mlflow_model" if kind is MLFLOW else "custom_model"
        values["model"] = f"model:\n  path: {yaml_text(path)}\n  type: {type_}\n"
    return _filled("deployment.yml.txt", values)


# -------------------------------------------------------------------------------- what has to be installed


def _missing_packages(kind: Kind) -> list[str]:
    """Say which packages the interpreter lacks that a run would use."""
    packages = {**kind.packages, **kind.for_images}
    if not packages:
        return []
    try:
        interpreter = choose_interpreter(None)
    except InterpreterError as error:
        return [str(error)]
    not_found = _not_found(interpreter, list(packages))
    missing = [packages[module] for module in not_found if module in kind.packages]
    for_images = [packages[module] for module in not_found if module in kind.for_images]
    notices = []
    if missing:
        notices.append(
            f"{interpreter.path} ({interpreter.chosen}) lacks what the script imports: "
            f"{interpreter.path} -m pip install {' '.join(missing)}; or name another Python with --python"
        )
    if for_images:
        notices.append(
            f"if your files are images, the script also needs {interpreter.path} -m pip install "
            f"{' '.join(for_images)}"
        )
    return notices


def _not_found(interpreter: Interpreter, modules: list[str]) -> list[str]:
    """Ask the interpreter which modules it does not find; none of them is imported."""
    try:
        answer = subprocess.run(
            [str(interpreter.path), "-c", _PROBE, *modules],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_PROBE_LIMIT_S,
            check=True,
        )
        missing = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return []  # a run will say what is wrong with it
    return [module for module in modules if module in missing]
