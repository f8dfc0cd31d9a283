"""What the workers of a job are told: its deployment, and where everything lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, scratch_folder
from gristmill.engine.staging import stage_model
from gristmill.run.execution import RunIdentity
from gristmill.run.job_folder import Job, JobFolder
from gristmill.spec.values import Deployment, OutputAction


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything of a run lies; see `Assignment` for what each holds."""

    code: Path
    plan: Path
    root: str
    staging: Path
    logs: Path
    scratch: Path
    cache: Path
    model: Path
    """The folder that the model is laid out in, if there is one."""


def assignment_of(
    job: Job,
    folder: JobFolder,
    identity: RunIdentity,
    interpreter: Interpreter,
    cache: Path,
    model: Path | None = None,
) -> Assignment:
    """Return what the workers of one start of a job are to do; its model is laid out on the way, in the job
    folder unless another place is given.

    Raises
    ------
    OSError
        The model cannot be read, or laid out.
    """
    places = Places(
        code=folder.code,
        plan=folder.plan,
        root=str(job.input if job.input.is_dir() else job.input.parent),
        staging=job.staging,
        logs=folder.user_logs,
        scratch=scratch_folder(identity.run_id),
        cache=cache,
        model=folder.model if model is None else model,
    )
    return assignment_for(job.deployment, job.name, identity, interpreter, places, job.workers)


def assignment_for(
    deployment: Deployment,
    name: str,
    identity: RunIdentity,
    interpreter: Interpreter,
    places: Places,
    workers: int,
) -> Assignment:
    """Return what workers that run a deployment are to do; its model is laid out on the way.

    Raises
    ------
    OSError
        The model cannot be read, or laid out.
    """
    settings = deployment.settings
    script = Path(deployment.scoring_script).name if deployment.is_bare_script else deployment.scoring_script
    is_summary = settings.output_action is OutputAction.SUMMARY_ONLY
    return Assignment(
        job=name,
        run_id=identity.run_id,
        earlier_runs=identity.earlier,
        fence=identity.fence,
        interpreter=interpreter,
        code=places.code,
        script=places.code / script,
        plan=places.plan,
        root=places.root,
        staging=places.staging,
        logs=places.logs,
        scratch=places.scratch,
        cache=places.cache,
        model=stage_model(deployment.model.path, places.model) if deployment.model is not None else None,
        environment_variables=settings.environment_variables,
        output_format="none" if is_summary else settings.output_format.value,
        with_header=settings.include_output_header,
        provenance={
            "names": settings.provenance,
            "deployment": deployment.called,
            "model_version": deployment.model.version if deployment.model is not None else None,
        },
        program_arguments=settings.program_arguments,
        logging_level=settings.logging_level,
        workers=workers,
        gpus_per_worker=settings.gpus_per_worker,
        memory_per_worker_bytes=settings.memory_per_worker_bytes,
        timeout_s=settings.timeout_s,
        init_timeout_s=settings.init_timeout_s,
    )
