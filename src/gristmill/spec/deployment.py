"""From a deployment file or a bare script, and the options beside it, to a checked `Deployment`.

The way: read the tree, bring it to one layout, lay the options over it, check it, turn it into values. All
mistakes are reported at once. This module must not start, list or copy anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping as PlainMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.bare import bare_document, bare_model_document
from gristmill.spec.check import checked
from gristmill.spec.document import Document, read_document
from gristmill.spec.environment import asked_for
from gristmill.spec.file_kind import other_kind
from gristmill.spec.generated import variables, with_script
from gristmill.spec.kinds import neighbour
from gristmill.spec.layout import canonical
from gristmill.spec.model_environment import with_skinny
from gristmill.spec.notices import notices
from gristmill.spec.overrides import Override, lay_over
from gristmill.spec.problems import Problem, lines
from gristmill.spec.provenance import unfit_provenance
from gristmill.spec.references import Resolve, nothing_registered
from gristmill.spec.schema import (
    DeploymentFile,
    Extensions,
    Model,
    SettingsSection,
    is_pipeline,
    model_type,
)
from gristmill.spec.switches import output_header
from gristmill.spec.tree import Mapping, Place, tree
from gristmill.spec.values import Deployment, ModelReference, OutputFormat, Settings

_DEPLOYMENT_SUFFIXES = (".yml", ".yaml", ".json")
_SCRIPT_SUFFIX = ".py"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A deployment, and what it was made from."""

    deployment: Deployment
    """Checked and complete."""
    root: Mapping
    """The document in the canonical layout, with all overrides laid over it and all references resolved."""
    references: PlainMapping[str, str]
    """What was resolved, by key: ``azureml:name:version``, with the version that was found."""
    file: DeploymentFile
    """The same, checked; of an MLflow model without a script, with ours."""


def load(path: Path, overrides: Sequence[Override] = (), resolve: Resolve = nothing_registered) -> Deployment:
    """Load a deployment file or a bare script, whichever the name's suffix says.

    Parameters
    ----------
    path
        A ``.yml``, ``.yaml`` or ``.json`` file with a deployment, a ``.py`` file with a scoring script, or
        the folder of an MLflow model.
    overrides
        Settings that stand above those of the file, in the order in which they were given.
    resolve
        Puts what is registered in place of its name, ``azureml:model:1``; without it, nothing is registered.

    Returns
    -------
    Deployment
        Checked and complete.

    Raises
    ------
    SpecError
        There is no such file, its suffix is another, or something in it is wrong: one line for each mistake.
    """
    if os.path.isfile(path / "MLmodel"):
        document = Document(root=bare_model_document(_absolute(path)), problems=())
        return _loaded(document, path, overrides, resolve, is_bare_script=True).deployment
    suffix = path.suffix.lower()
    if suffix in _DEPLOYMENT_SUFFIXES:
        return load_deployment(path, overrides, resolve)
    if suffix == _SCRIPT_SUFFIX:
        return bare_script(path, overrides, resolve)
    _check_exists(path, "deployment or script")
    raise SpecError(
        f"{path}: takes a deployment (.yml, .yaml or .json), a scoring script (.py) or the folder of an "
        "MLflow model"
    )


def load_deployment(
    path: Path, overrides: Sequence[Override] = (), resolve: Resolve = nothing_registered
) -> Deployment:
    """Load a deployment file; see `read_deployment`."""
    return read_deployment(path, overrides, resolve).deployment


def read_deployment(
    path: Path, overrides: Sequence[Override] = (), resolve: Resolve = nothing_registered
) -> Loaded:
    """Load a deployment file, and keep what it was made from.

    Parameters
    ----------
    path
        The YAML file; relative paths in it are relative to its folder.
    overrides, resolve
        As for `load`.

    Returns
    -------
    Loaded
        The deployment and its document.

    Raises
    ------
    SpecError
        The file cannot be read, or something in it or an override is wrong: one line for each mistake.
    """
    _check_exists(path, "deployment file")
    return _loaded(read_document(path), path, overrides, resolve, is_bare_script=False)


def load_document(
    values: PlainMapping[str, object],
    source: Path,
    overrides: Sequence[Override] = (),
    resolve: Resolve = nothing_registered,
    *,
    called: str,
) -> Loaded:
    """Load a deployment from values that a catalog has kept.

    Parameters
    ----------
    values
        What a deployment file holds, in the canonical layout; paths in it are absolute.
    source
        The file that it was made from, absolute; it may be gone.
    overrides, resolve
        As for `load`; a relative path behind ``--set`` is relative to the current folder.
    called
        What messages call the document.

    Returns
    -------
    Loaded
        The deployment and its document.

    Raises
    ------
    SpecError
        Something in it or in an override is wrong: one line for each mistake.
    """
    root = tree(values, Place(origin=called, folder=Path.cwd()))
    assert isinstance(root, Mapping)
    document = Document(root=root, problems=())
    return _loaded(document, source, overrides, resolve, is_bare_script=False, folder=Path.cwd())


def bare_script(
    path: Path, overrides: Sequence[Override] = (), resolve: Resolve = nothing_registered
) -> Deployment:
    """Make the deployment of a scoring script that comes without a file.

    Parameters
    ----------
    path
        The script; its folder is the code folder.
    overrides, resolve
        As for `load`.

    Returns
    -------
    Deployment
        With a newcomer's defaults: workers as many as fit, 600 seconds for one call of ``run()``, a
        stop at 20 % failed items once 100 are done, comma-separated rows.

    Raises
    ------
    SpecError
        There is no such script, or an override is wrong; with one line for each mistake.
    """
    _check_exists(path, "scoring script")
    document = Document(root=bare_document(_absolute(path)), problems=())
    return _loaded(document, path, overrides, resolve, is_bare_script=True).deployment


def _loaded(
    document: Document,
    path: Path,
    overrides: Sequence[Override],
    resolve: Resolve,
    *,
    is_bare_script: bool,
    folder: Path | None = None,
) -> Loaded:
    if other := other_kind(document.root, "deployment"):
        raise SpecError(
            f"{path}: this is {other} file, and a deployment is wanted here; run takes a scoring script "
            "(.py), too"
        )
    source = _absolute(path)
    layout = canonical(document.root)
    root, misplaced = lay_over(layout.root, overrides, folder or source.parent)
    if is_pipeline(root):
        what = "pipeline deployments are not supported yet; use 'type: model' with a scoring script"
        raise SpecError(*lines([Problem(place=root.entries["type"].node.place, path="type", what=what)]))
    resolved = resolve(root)
    scripted = with_script(resolved.root)
    root = scripted.root
    file, wrong = checked(root, DeploymentFile)
    problems = [*document.problems, *layout.problems, *misplaced, *wrong]
    listed = asked_for(root, file)
    problems += listed.problems
    problems += [scripted.problem] if scripted.problem else []
    problems = resolved.better_said(problems)
    if file is not None and (no_room := unfit_provenance(root, file)):
        problems.append(no_room)
    header, contradictions = output_header(root)
    problems += contradictions
    if problems or file is None:
        raise SpecError(*lines(problems))
    remarks = [*layout.notices, *resolved.notices, *scripted.notices, *listed.notices]
    said = lines([*remarks, *notices(root, file)])
    deployment = _deployment(file, source, is_bare_script, said)
    settings = replace(deployment.settings, include_output_header=header)
    deployment = replace(deployment, settings=settings, packages=listed.packages)
    if scripted.is_generated:
        deployment = _generated(deployment, file)
    if is_bare_script and not any(one.path.endswith("error_threshold") for one in overrides):
        deployment = _lenient_with_few(deployment)
    return Loaded(deployment=deployment, root=resolved.root, references=resolved.references, file=file)


def _generated(deployment: Deployment, file: DeploymentFile) -> Deployment:
    """Our own script may always be repeated, and is told of the settings that are its own."""
    settings = deployment.settings
    isolates = True if settings.isolate_failures is None else settings.isolate_failures
    told = {**variables(file.gristmill), **settings.environment_variables}
    settings = replace(settings, isolate_failures=isolates, environment_variables=told)
    packages = deployment.packages
    if packages is not None and file.gristmill.mlflow.skinny:
        packages = with_skinny(packages)
    return replace(deployment, is_generated=True, settings=settings, packages=packages)


def _lenient_with_few(deployment: Deployment) -> Deployment:
    """The newcomer's threshold counts from 100 items on; of ten files two may fail."""
    settings = deployment.settings
    threshold = replace(settings.error_threshold, judged_at_end=False)
    return replace(deployment, settings=replace(settings, error_threshold=threshold))


def _deployment(
    file: DeploymentFile, source: Path, is_bare_script: bool, said: tuple[str, ...]
) -> Deployment:
    return Deployment(
        source=source,
        is_bare_script=is_bare_script,
        name=file.name,
        endpoint_name=file.endpoint_name,
        description=file.description,
        tags=file.tags,
        properties=file.properties,
        code=file.code_configuration.code,
        scoring_script=file.code_configuration.scoring_script,
        model=None if file.model is None else _model(file.model),
        python=file.gristmill.python,
        environment=None if file.environment is None else file.environment.words(),
        settings=settings_of(file.settings, file.gristmill),
        notices=said,
    )


def _model(model: Model) -> ModelReference:
    return ModelReference(
        path=model.path, name=model.name, version=model.version, type=model_type(model.path, model.type)
    )


def settings_of(settings: SettingsSection, extensions: Extensions) -> Settings:
    """Turn the sections of a checked document into the settings of a job."""
    workers = extensions.workers or settings.max_concurrency_per_instance
    return Settings(
        mini_batch_size=_most_files(settings, extensions),
        mini_batch_bytes=extensions.mini_batch_bytes,
        split_rows=extensions.split_rows,
        split_bytes=extensions.split_bytes,
        split_header=extensions.split_header,
        largest_first=None if extensions.largest_first == "auto" else extensions.largest_first,
        output_action=settings.output_action,
        output_file_name=_output_file_name(settings, extensions),
        output_format=extensions.output_format,
        max_retries=settings.retry_settings.max_retries,
        timeout_s=settings.retry_settings.timeout,
        init_timeout_s=extensions.init_timeout,
        error_threshold=extensions.error_threshold or settings.error_threshold,
        logging_level=settings.logging_level,
        environment_variables=settings.environment_variables,
        workers=None if workers == "auto" else workers,
        program_arguments=extensions.program_arguments,
        recursive=extensions.recursive,
        include_hidden=extensions.include_hidden,
        include=extensions.include,
        exclude=extensions.exclude,
        input_list=extensions.input_list,
        stop_when=tuple(one.rule() for one in extensions.stop_when),
        canary=extensions.canary,
        limit=extensions.limit,
        isolate_failures=extensions.isolate_failures,
        shared_header=extensions.shared_header,
        provenance=extensions.provenance,
        conflicting_types=extensions.conflicting_types,
        gpus_per_worker=extensions.gpus_per_worker,
        memory_per_worker_bytes=extensions.memory_per_worker,
        keep_warm_s=extensions.keep_warm_s,
    )


def _most_files(settings: SettingsSection, extensions: Extensions) -> int | None:
    """Where a size in bytes is given, the number of files is a bound only if it is given too."""
    is_given = "mini_batch_size" in settings.model_fields_set
    return settings.mini_batch_size if is_given or extensions.mini_batch_bytes is None else None


def _output_file_name(settings: SettingsSection, extensions: Extensions) -> str:
    """A predictions file that nobody named is called by its format."""
    suffix = _SUFFIXES.get(extensions.output_format)
    if suffix is None or "output_file_name" in settings.model_fields_set:
        return settings.output_file_name
    return str(Path(settings.output_file_name).with_suffix(suffix))


_SUFFIXES = {OutputFormat.JSONL: ".jsonl", OutputFormat.PARQUET: ".parquet"}


def _check_exists(path: Path, kind: str) -> None:
    if os.path.isdir(path):
        raise SpecError(f"{path}: is a folder; give the {kind} itself")
    if not os.path.isfile(path):
        raise SpecError(f"{path}: no such {kind}{neighbour(_absolute(path))}")


def _absolute(path: Path) -> Path:
    """Make a path absolute without following links: a link's own folder is what its author sees."""
    return Path(os.path.abspath(path))
