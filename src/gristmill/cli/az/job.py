"""``gristmill job`` as ``az ml`` has it: jobs as resources, their outputs, and following one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.asking import sure
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr
from gristmill.errors import SpecError

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

_MOST = 50


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a job."""
    answer = Answer(args)
    _web(args, answer)
    from gristmill.service.job_resource import find_job  # the folder alone: this is called in loops

    return answer.one(find_job(workspace.settings.home, _name(args)))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show jobs, the newest first."""
    answer = Answer(args)
    from gristmill.service.job_resource import find_jobs

    found = find_jobs(
        workspace.settings.home,
        workspace.settings.workspace,
        archived=args.include_archived,
        only_archived=args.archived_only,
    )
    if args.parent_job_name is not None:
        found = [one for one in found if one.job.name == args.parent_job_name]
    most = args.max_results if args.max_results is not None else _MOST
    if args.all_results == "true":
        return answer.all(found)
    if args.max_results is None and len(found) > most:
        answer.notice(f"the newest {most} of {len(found):,} jobs; --all-results true shows all of them")
    return answer.all(found, most)


def stream(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Follow a job to its end."""
    from gristmill.cli.stream import follow_to_the_end  # with what shows progress

    answer = Answer(args)
    status = follow_to_the_end(workspace.jobs, _name(args))
    answer.nothing()
    return status


def cancel(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Ask for the end of a job, and wait for it a while."""
    from gristmill.cli.job import CANCEL_WAIT_S  # with what shows a job in words

    answer = Answer(args)
    view = workspace.jobs.cancel(_name(args), CANCEL_WAIT_S)
    if view.ended_at:
        return answer.nothing()
    return answer.nothing(f"job {view.name} has been asked to stop and has not yet")


def archive(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Let lists leave a job out."""
    answer = Answer(args)
    workspace.retention.archive(_name(args))
    return answer.nothing()


def restore(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Let lists show a job again."""
    answer = Answer(args)
    workspace.retention.archive(_name(args), archived=False)
    return answer.nothing()


def download(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Copy what a job has brought forth."""
    answer = Answer(args)
    from gristmill.service.home import downloading  # and not with all that a run needs

    copied = downloading.download(
        workspace.settings.home,
        _name(args),
        Path(args.download_path or "."),
        output_name=args.output_name,
        everything=args.all,
    )
    Stderr().say(f"{copied.files:,} {'file' if copied.files == 1 else 'files'} in {copied.folder}")
    return answer.nothing()


def delete(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Remove a job."""
    from gristmill.cli.show import size  # with what shows a job in words

    answer = Answer(args)
    name = _name(args)
    sure(args, f"delete job {name} with its logs, and its output where that is in the home")
    removed = workspace.retention.delete(name)
    if removed is None:
        return answer.nothing(f"there is no job called {name}")
    Stderr().say(f"job {name} is gone, {size(removed.freed_bytes)} freed")
    return answer.nothing()


def _name(args: Namespace) -> str:
    """Return the name of the job, with or without its option."""
    if (args.name is None) == (args.job is None):
        raise SpecError("which job? Give its name, once: --name JOB")
    return str(args.name or args.job)


def _web(args: Namespace, answer: Answer) -> None:
    if args.web:
        answer.notice("--web: there are no pages yet; gristmill job show JOB says it in words")
