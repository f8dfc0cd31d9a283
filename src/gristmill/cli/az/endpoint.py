"""``gristmill batch-endpoint``: endpoints, and the jobs that come of invoking them."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.asking import sure
from gristmill.cli.az.document import file_of, json_mapping, overrides
from gristmill.cli.exit_status import ExitStatus
from gristmill.errors import SpecError
from gristmill.spec.overrides import Override

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

_OLD_KINDS = {"folder:": "uri_folder", "file:": "uri_file"}


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create an endpoint, or change one to what is said of it."""
    answer = Answer(args)
    return answer.one(workspace.endpoints.create(file_of(args), overrides(args)))


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show an endpoint."""
    answer = Answer(args)
    return answer.one(workspace.endpoints.show(args.name))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show all endpoints."""
    answer = Answer(args)
    return answer.all(workspace.endpoints.list())


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change an endpoint."""
    answer = Answer(args)
    changes = overrides(args)
    if args.defaults is not None:
        name = args.defaults.removeprefix("deployment_name=")
        origin = f"--defaults {args.defaults}"
        changes = [Override(path="defaults.deployment_name", value=name, origin=origin), *changes]
    return answer.one(workspace.endpoints.update(args.name, changes, file=file_of(args)))


def delete(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Delete an endpoint with its deployments."""
    answer = Answer(args)
    sure(args, f"delete the endpoint {args.name} and its deployments")
    if workspace.endpoints.delete(args.name):
        return answer.nothing()
    return answer.nothing(f"there is no endpoint called {args.name}; nothing was deleted")


def list_jobs(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show the jobs of an endpoint."""
    answer = Answer(args)
    return answer.all(workspace.endpoints.jobs(args.name))


def invoke(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Start a job of an endpoint, and answer with it at once."""
    from gristmill.service.endpoints.invoking import InvokeRequest  # with all that makes a job

    answer = Answer(args)
    text, kind = _input(args)
    request = InvokeRequest(
        endpoint=args.name,
        deployment=args.deployment_name,
        input=text,
        input_type=kind,
        file=file_of(args),
        overrides=(*_inputs(args.inputs), *overrides(args)),
        output=args.output_path,
        job_name=args.job_name,
        experiment_name=args.experiment_name,
        idempotency_key=args.idempotency_key,
        priority=args.priority or 0,
        overwrite=args.overwrite,
    )
    return answer.one(workspace.endpoints.invoke(request))


def _input(args: Namespace) -> tuple[str | None, str | None]:
    """Return the input and its type, by whichever name it was given."""
    if args.input is not None and args.input_path is not None:
        raise SpecError("--input is given under two names; give it once")
    text = args.input if args.input is not None else args.input_path
    for prefix, kind in _OLD_KINDS.items():
        if args.input_path is not None and args.input_path.startswith(prefix):
            return args.input_path.removeprefix(prefix), args.input_type or kind
    return text, args.input_type


def _inputs(words: tuple[str, ...]) -> list[Override]:
    """Return what ``--inputs`` says, as ``--set inputs.…`` would."""
    found = []
    for word in words:
        origin = f"--inputs {word}"
        if word.startswith("{"):
            found.append(Override(path="inputs", value=json_mapping(word, origin), origin=origin))
            continue
        path, equals, value = word.partition("=")
        if not equals or not path:
            raise SpecError(f"{origin}: takes NAME.path=PATH, NAME.type=TYPE or JSON")
        key = path if "." in path else f"{path}.path"
        found.append(Override(path=f"inputs.{key}", value=value, origin=origin))
    return found
