"""Invoke: from an endpoint, an input and settings for this one time to a job that waits for its turn.

The job keeps the deployment as it is now: its code is copied into the job's folder, and a revision that is
made later never reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.catalog.records import DeploymentRecord
from gristmill.errors import RequestError, ResourceStateError, SpecError
from gristmill.run.job_folder import Origin, Status
from gristmill.service.endpoints.data_places import USUAL_INPUT, input_of, output_folder
from gristmill.service.endpoints.kept_document import called, load_kept
from gristmill.service.endpoints.views import RECORDED, default_of
from gristmill.service.job_resource import JobResource, find_job
from gristmill.service.request import RunRequest
from gristmill.spec.asset_values import InvokeFile
from gristmill.spec.assets import Source, Values, load_invoke
from gristmill.spec.layout import canonical_names
from gristmill.spec.overrides import Override

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

#: What belongs to the deployment, and would make another one of it.
_FIXED = (
    *("name", "endpoint_name", "type", "model"),
    *("code_configuration", "environment", "compute"),
)
_OF_THE_FILE = ("inputs", "outputs")
_OUTPUT = "score"
"""What the output is called where only its path is given."""


@dataclass(frozen=True, kw_only=True)
class InvokeRequest:
    """What a user asks of an endpoint."""

    endpoint: str
    deployment: str | None = None
    """None: the endpoint's default."""
    input: str | None = None
    """A path of this machine, ``azureml:data:version``, ``azureml://datastores/d/paths/p``."""
    input_type: str | None = None
    """``uri_folder`` (where nothing is said) or ``uri_file``."""
    file: Path | None = None
    """A file with inputs and outputs."""
    overrides: Sequence[Override] = ()
    """Settings for this job alone; those below ``inputs`` and ``outputs`` stand above the file."""
    output: str | None = None
    """The output folder, in the forms of the input; None: one in the job's own folder."""
    job_name: str | None = None
    """None: one is made."""
    experiment_name: str | None = None
    """What the job is counted to."""
    idempotency_key: str | None = None
    """The same request again with this key returns the job of the first."""
    priority: int = 0
    """Of the jobs that wait, the highest is begun first."""
    overwrite: bool = False
    """Whether an output that exists already may be replaced."""


def invoke(workspace: Workspace, request: InvokeRequest) -> JobResource:
    """Make a job of a deployment, and let it wait for its turn.

    Parameters
    ----------
    workspace
        Where the endpoint is.
    request
        What is asked for. With an idempotency key that was used before, nothing is made.

    Returns
    -------
    JobResource
        The job; it is Queued, or has begun already.

    Raises
    ------
    UnknownResourceError
        There is no such endpoint, deployment, data or datastore.
    ResourceStateError
        No deployment is named, and the endpoint has no default.
    SpecError
        Something in the file or an override is wrong: one line for each mistake.
    RequestError
        The input, the output or something of the deployment is not as it must be; no job was made.
    """
    if (made := _made_before(workspace, request.idempotency_key)) is not None:
        return made
    record = _record(workspace, request)
    for_file = [one for one in request.overrides if one.path.split(".")[0] in _OF_THE_FILE]
    settings = [_on_all_nodes(one) for one in request.overrides if one not in for_file]
    _check_settings(settings)
    file = _file(request, for_file)
    data = input_of(workspace, file)
    output, output_file_name = output_folder(workspace, file)
    if output_file_name is not None:
        named = Override(path="output_file_name", value=output_file_name, origin="outputs")
        settings = [named, *settings]
    deployment = load_kept(workspace, record, settings).deployment
    submitted = workspace.queue.submit(
        RunRequest(
            deployment=replace(deployment, notices=_of_today(deployment.notices, record)),
            input=data.path,
            output=output,
            name=request.job_name,
            overwrite=request.overwrite,
            chose_workers=True,
            priority=request.priority,
            experiment_name=request.experiment_name or record.endpoint,
            idempotency_key=request.idempotency_key,
            git=(record.document.get(RECORDED) or {}).get("git"),
            revision=record.revision,
        ),
        Origin.INVOKE,
    )
    resource = find_job(workspace.settings.home, submitted.view.name)
    return replace(resource, notices=(*file.notices, *data.notices, *submitted.notices))


def _made_before(workspace: Workspace, key: str | None) -> JobResource | None:
    """Return the job that a key has, whatever has become of its endpoint and its input since."""
    record = None if key is None else workspace.catalog.job_by_key(key)
    if record is None:
        return None
    try:
        found = find_job(workspace.settings.home, record.name)
    except RequestError:
        return None  # it was never accepted: the queue sees to that
    if found.status is Status.NOT_STARTED:
        return None
    of = f"{found.job.deployment.endpoint_name}/{found.job.deployment.name}"
    notice = f"the idempotency key {key!r} has job {record.name} already, of {of}; nothing was made"
    return replace(found, notices=(*found.notices, notice))


def _record(workspace: Workspace, request: InvokeRequest) -> DeploymentRecord:
    endpoint = workspace.endpoints.record(request.endpoint)
    name = request.deployment or default_of(endpoint)
    if name is None:
        known = sorted(one.name for one in workspace.catalog.deployments(request.endpoint))
        there = f"it has {', '.join(known)}" if known else "it has none yet"
        raise ResourceStateError(
            f"endpoint {request.endpoint!r} has no default deployment; name one or set it ({there}): "
            f"--deployment-name NAME, or gristmill batch-endpoint update --name {request.endpoint} --set "
            f"defaults.deployment_name={known[0] if known else 'NAME'}"
        )
    return workspace.deployments.record(request.endpoint, name)


def _on_all_nodes(override: Override) -> Override:
    """Let a number of nodes stand where deployments have it."""
    is_number = canonical_names(override.path) == ("settings", "instance_count")
    return replace(override, path="resources.instance_count") if is_number else override


def _check_settings(settings: Sequence[Override]) -> None:
    fixed = [one for one in settings if canonical_names(one.path)[0] in _FIXED]
    if fixed:
        raise SpecError(
            *(
                f"{one.origin}: {one.path.split('.')[0]} belongs to the deployment, not to one job of it; "
                "gristmill batch-deployment update changes it for all that follow"
                for one in fixed
            )
        )


def _of_today(notices: tuple[str, ...], record: DeploymentRecord) -> tuple[str, ...]:
    """Leave out what was told when the deployment was created."""
    return tuple(one for one in notices if not one.startswith(f"{called(record)}: "))


def _file(request: InvokeRequest, overrides: Sequence[Override]) -> InvokeFile:
    """Read inputs and outputs; ``--input`` and ``--output-path`` take the place of those in the file."""
    source: Source = Values(called="the inputs") if request.file is None else request.file
    given = list(overrides)
    if request.input is not None:
        given.append(_said("inputs", None, "--input", request.input))
        given.append(_said(f"inputs.{USUAL_INPUT}.path", request.input, "--input", request.input))
        if request.input_type is not None:
            option = ("--input-type", request.input_type)
            given.append(_said(f"inputs.{USUAL_INPUT}.type", request.input_type, *option))
    elif request.input_type is not None:
        raise SpecError("--input-type says of what type the --input is; give that, too")
    if request.output is not None:
        given.append(_said("outputs", None, "--output-path", request.output))
        given.append(_said(f"outputs.{_OUTPUT}.path", request.output, "--output-path", request.output))
    return load_invoke(source, given)


def _said(path: str, value: str | None, option: str, text: str) -> Override:
    return Override(path=path, value=value, origin=f"{option} {text}")
