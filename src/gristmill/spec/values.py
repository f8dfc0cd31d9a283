"""The values of a deployment, checked and complete, as every floor above uses them.

They are what ``job.json`` keeps of a deployment, so they come with a lossless way to JSON and back. This
module imports only the standard library, and must not know how a deployment is written down or checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from gristmill.errors import SpecError
from gristmill.spec.packages import Packages, packages_from_json
from gristmill.spec.stop_rules import FailureClass, StopRule

SCHEMA = 1
"""The number of the JSON form; it changes whenever an older reader would misread a newer text."""


class OutputAction(StrEnum):
    """What becomes of the results of ``run()``."""

    APPEND_ROW = "append_row"
    SUMMARY_ONLY = "summary_only"


class OutputFormat(StrEnum):
    """How rows are written into the predictions file (contract 1.1 and 1.5, and decision 19)."""

    AZURE = "azure"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


#: Columns that say where a row comes from, for whoever asks for them.
PROVENANCE = ("input_file", "row", "mini_batch", "deployment", "model_version")


class ConflictingTypes(StrEnum):
    """What becomes of a column of a Parquet file whose types have nothing in common."""

    ERROR = "error"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class ErrorThreshold:
    """How many items may fail before the job is stopped; exactly one of ``items`` and ``fraction`` is set."""

    items: int | None
    """The job stops when the failed items exceed this number; -1: it never stops."""
    fraction: float | None
    """The job stops when the failed share of the items that are done exceeds this number, 0 to 1."""
    minimum_sample: int = 100
    """Items that must be done before ``fraction`` counts while the job runs."""
    judged_at_end: bool = True
    """Whether ``fraction`` counts at the end of a job of fewer items too."""


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """A model in a file or a folder."""

    path: Path
    """Absolute; existed when the deployment was loaded."""
    name: str | None
    """The name under which the file registers it."""
    version: str | None
    """The version that the file gives it, as written."""
    type: str
    """``custom_model``, ``mlflow_model`` or ``triton_model``."""


# The one place that says what a setting may change, and so what becomes of it when a job is resumed.
_RESULT = {"affects_result": True, "is_fixed": True}
_ONLY_ROWS = {"affects_result": True, "is_fixed": False}
_NO_RESULT = {"affects_result": False, "is_fixed": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a job runs; a field marked ``affects_result`` may change a byte of the output, and one that
    ``is_fixed`` says what the plan is or how the output looks: nothing of it can change within a job.
    """

    mini_batch_size: int | None = field(metadata=_RESULT)
    """Files for one call of ``run()``; at least 1. None: only ``mini_batch_bytes`` counts."""
    output_action: OutputAction = field(metadata=_RESULT)
    """Whether results are appended to the predictions file."""
    output_file_name: str = field(metadata=_RESULT)
    """The name of the predictions file in the output folder."""
    output_format: OutputFormat = field(metadata=_RESULT)
    """How rows are written."""
    max_retries: int = field(metadata=_NO_RESULT)
    """Tries after the first one; 3 means up to 4 tries."""
    timeout_s: float = field(metadata=_NO_RESULT)
    """Seconds for one call of ``run()``."""
    init_timeout_s: float = field(metadata=_NO_RESULT)
    """Seconds for one call of ``init()``."""
    error_threshold: ErrorThreshold = field(metadata=_NO_RESULT)
    """When failures stop the job."""
    logging_level: str = field(metadata=_NO_RESULT)
    """``debug``, ``info`` or ``warning``."""
    environment_variables: Mapping[str, str] = field(metadata=_ONLY_ROWS)
    """What is added to the environment of the workers."""
    workers: int | None = field(metadata=_NO_RESULT)
    """Worker processes on this machine; None: as many as fit."""
    program_arguments: str = field(metadata=_ONLY_ROWS)
    """What the script finds in ``sys.argv`` behind its own name, as one text."""
    recursive: bool = field(metadata=_RESULT, default=True)
    """Whether files in folders below the input folder are listed."""
    include_hidden: bool = field(metadata=_RESULT, default=False)
    """Whether hidden files and marker files are listed."""
    include: tuple[str, ...] = field(metadata=_RESULT, default=())
    """Patterns of which a file has to match one (see ``patterns``); none: every file is listed."""
    exclude: tuple[str, ...] = field(metadata=_RESULT, default=())
    """Patterns of which files and folders must not match any."""
    input_list: Path | None = field(metadata=_RESULT, default=None)
    """A file that names the inputs, absolute; None: the input folder is searched."""
    isolate_failures: bool | None = field(metadata=_NO_RESULT, default=None)
    """Whether a mini-batch whose tries are used up is taken apart until the file that is to blame is alone;
    None: unless ``max_retries`` is 0, which says that ``run()`` must not be repeated."""
    stop_when: tuple[StopRule, ...] = field(metadata=_NO_RESULT, default=())
    """What else stops the job: the first rule that holds."""
    canary: int | None = field(metadata=_NO_RESULT, default=None)
    """How many items, spread over the input, are scored before all others; None: none."""
    limit: int | None = field(metadata=_RESULT, default=None)
    """How many files are scored, spread over the input; None: all."""
    include_output_header: bool = field(metadata=_RESULT, default=False)
    """Whether an ``azure`` predictions file begins with the column names; a ``csv`` one always does."""
    provenance: tuple[str, ...] = field(metadata=_RESULT, default=())
    """Columns in front of each row that say where it comes from; not with the ``azure`` format."""
    conflicting_types: ConflictingTypes = field(metadata=_NO_RESULT, default=ConflictingTypes.ERROR)
    """Whether a column of a Parquet file whose types have nothing in common ends the job, or is text."""
    shared_header: bool = field(metadata=_RESULT, default=False)
    """Whether a first line that several workers repeat in a file of the script's own is kept only once."""
    gpus_per_worker: float | None = field(metadata=_NO_RESULT, default=None)
    """GPUs for one worker: 0 hides them, a whole number deals out as many, a share such as 0.5 lets two
    workers use one; None: one each, as far as there are any."""
    memory_per_worker_bytes: int | None = field(metadata=_NO_RESULT, default=None)
    """The most memory that a worker may take with the processes that it starts, in bytes; None: no limit."""
    largest_first: bool | None = field(metadata=_NO_RESULT, default=None)
    """Whether the largest mini-batches that are known are started first; None: where their sizes are known
    anyway, or ``run()`` takes so long that asking for them costs nothing."""
    mini_batch_bytes: int | None = field(metadata=_RESULT, default=None)
    """The most bytes of files for one call of ``run()``, except that a larger file is alone; None: files are
    only counted."""
    split_rows: int | None = field(metadata=_RESULT, default=None)
    """The most rows of a tabular file for one call of ``run()``; None, here and of ``split_bytes``: files are
    not split, and an item is a file."""
    split_bytes: int | None = field(metadata=_RESULT, default=None)
    """The same in bytes; not both are set."""
    split_header: bool = field(metadata=_RESULT, default=True)
    """Whether the first row of a ``csv`` file that is split is its header."""
    keep_warm_s: float = field(metadata=_NO_RESULT, default=0.0)
    """How long workers stay loaded without a job, between jobs of the runner, in seconds; 0: not at all."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Everything that was asked for, checked: what to run, with which model and Python, and how."""

    source: Path
    """The deployment file or the script itself, absolute."""
    is_bare_script: bool
    """Whether a script, or an MLflow model, was given without a deployment file."""
    name: str | None
    """The deployment's name."""
    endpoint_name: str | None
    """The endpoint that it belongs to."""
    description: str | None
    """Words of its author."""
    tags: Mapping[str, str]
    """Words of its author, by key."""
    properties: Mapping[str, str]
    """Switches by key, without those of the ``gristmill:`` block."""
    code: Path
    """The folder with the scoring script, absolute."""
    scoring_script: str
    """The script's path below ``code``, with forward slashes."""
    model: ModelReference | None
    """The model, if the script needs one."""
    python: Path | None
    """The interpreter asked for, absolute; None: the active environment's."""
    environment: str | None
    """What the file says of the environment, as one line of words; None when it says nothing."""
    settings: Settings
    """How the job runs."""
    notices: tuple[str, ...]
    """What the user should know though nothing is wrong; one line each."""
    packages: Packages | None = None
    """What an environment of its own is to hold; None: it runs in a Python that is there."""
    is_generated: bool = False
    """Whether the script is ours: that of an MLflow model that comes without one."""

    @property
    def called(self) -> str:
        """Its name; without one that of its script, or of the model where the script is ours."""
        if self.is_generated and self.model is not None:
            return self.name or self.model.path.name
        return self.name or Path(self.scoring_script).stem


def affecting_results(settings: Settings) -> dict[str, Any]:
    """Give the settings that may change a byte of the output, as values for JSON.

    Parameters
    ----------
    settings
        The settings of a job.

    Returns
    -------
    dict
        By field name; equal for two jobs if and only if their settings allow their results to be joined.
    """
    return {
        one.name: _plain(getattr(settings, one.name))
        for one in fields(settings)
        if one.metadata["affects_result"]
    }


def deployment_to_json(deployment: Deployment) -> dict[str, Any]:
    """Write a deployment as values for JSON, without loss.

    Parameters
    ----------
    deployment
        The deployment.

    Returns
    -------
    dict
        Takes ``json.dumps`` in its default form, which also keeps paths that are not UTF-8.
    """
    return {"schema": SCHEMA, **_plain(deployment)}


def deployment_from_json(data: Mapping[str, Any]) -> Deployment:
    """Read a deployment that `deployment_to_json` wrote.

    Parameters
    ----------
    data
        What ``json.loads`` gave.

    Returns
    -------
    Deployment
        Equal to the one that was written.

    Raises
    ------
    SpecError
        The form is of another version, or something is missing or of the wrong kind.
    """
    schema = data.get("schema") if hasattr(data, "get") else None
    if schema != SCHEMA:
        raise SpecError(
            f"the recorded deployment has schema {schema!r}, and this Gristmill reads schema {SCHEMA};"
            " use the version that recorded it"
        )
    try:
        return _deployment({name: value for name, value in data.items() if name != "schema"})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(
            f"the recorded deployment is damaged: {type(error).__name__}: {error}; start the job anew"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value


def _deployment(data: dict[str, Any]) -> Deployment:
    model = data["model"]
    settings = data["settings"]
    return Deployment(
        **{
            **data,
            "source": Path(data["source"]),
            "tags": dict(data["tags"]),
            "properties": dict(data["properties"]),
            "code": Path(data["code"]),
            "model": None if model is None else ModelReference(**{**model, "path": Path(model["path"])}),
            "python": None if data["python"] is None else Path(data["python"]),
            "packages": packages_from_json(data.get("packages")),
            "settings": Settings(
                **{
                    **settings,
                    "output_action": OutputAction(settings["output_action"]),
                    "output_format": OutputFormat(settings["output_format"]),
                    "error_threshold": ErrorThreshold(**settings["error_threshold"]),
                    "environment_variables": dict(settings["environment_variables"]),
                    "include": tuple(settings.get("include", ())),
                    "exclude": tuple(settings.get("exclude", ())),
                    "provenance": tuple(settings.get("provenance", ())),
                    "conflicting_types": ConflictingTypes(settings.get("conflicting_types", "error")),
                    "stop_when": tuple(map(_stop_rule, settings.get("stop_when", ()))),
                    "input_list": Path(settings["input_list"]) if settings.get("input_list") else None,
                }
            ),
            "notices": tuple(data["notices"]),
        }
    )


def _stop_rule(data: dict[str, Any]) -> StopRule:
    failures = data["failures"]
    return StopRule(**{**data, "failures": None if failures is None else FailureClass(failures)})
