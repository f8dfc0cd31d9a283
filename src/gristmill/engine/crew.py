"""How many workers a job has on this machine, and whether its GPUs are enough for them (contract, 1.4 and 2).

Deciding only: what the machine has is looked up in `machine` and `devices`, and handed in as `Resources`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.devices import VISIBLE, visible_devices
from gristmill.engine.machine import available_memory, usable_cores
from gristmill.errors import RequestError
from gristmill.spec.values import Deployment

#: What a worker takes apart from its model: an interpreter with numpy, pandas and a numeric library.
WORKER_BYTES = 200_000_000
#: A model in memory takes at least what it takes on the disk, and as much again while it is loaded and run.
MODEL_COPIES = 2


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What this machine has for a job."""

    cores: int
    """Usable cores, at least 1."""
    memory: int | None
    """Bytes that may still be taken; None where nobody knows."""
    devices: tuple[str, ...]
    """Visible GPUs; none as well where the deployment names its own."""
    names_devices: bool
    """Whether the deployment itself sets ``CUDA_VISIBLE_DEVICES``."""


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The workers of a job."""

    workers: int
    """Worker processes, at least 1."""
    notices: tuple[str, ...] = ()
    """What the user should know of how that number came about."""


def resources_for(deployment: Deployment, spare_bytes: int = 0) -> Resources:
    """Look up what this machine has for a deployment; the GPUs only where their number matters.

    Parameters
    ----------
    deployment
        What is to be run.
    spare_bytes
        Memory that is taken just now, and is given up for whoever needs it.
    """
    settings, memory = deployment.settings, available_memory()
    own = VISIBLE in settings.environment_variables
    matter = settings.workers is None or bool(settings.gpus_per_worker)
    hidden = own or settings.gpus_per_worker == 0
    return Resources(
        cores=usable_cores(),
        memory=None if memory is None else memory + spare_bytes,
        devices=visible_devices() if matter and not hidden else (),
        names_devices=own,
    )


def crew_for(deployment: Deployment, resources: Resources) -> Crew:
    """Say how many workers a deployment has: its own number, or as many as fit.

    As many as fit are as many as there are usable cores; where GPUs are visible, no more than they serve; and
    no more than there is memory for, at ``memory_per_worker`` each where it is given, else at `WORKER_BYTES`
    and `MODEL_COPIES` times the model.

    Parameters
    ----------
    deployment
        What is to be run.
    resources
        What this machine has for it.

    Returns
    -------
    Crew
        With a notice where GPUs or memory decided, or where GPUs are shared by more workers than asked for.

    Raises
    ------
    RequestError
        Each worker is to have whole GPUs, and there are too few.
    """
    settings = deployment.settings
    each = settings.gpus_per_worker
    if settings.workers is not None:
        if not resources.names_devices:
            check_gpus(settings.workers, each, resources.devices)
        return Crew(workers=settings.workers, notices=_about_sharing(settings.workers, each, resources))
    workers, notices = resources.cores, []
    served = served_by_gpus(each, resources)
    if served is not None and served < workers:
        workers = served
        notices.append(_about_gpus(workers, each, resources))
    fitting = _fitting_in_memory(deployment, resources)
    if fitting is not None and fitting < workers:
        workers = fitting
        notices.append(_about_memory(workers, deployment, resources))
    return Crew(workers=workers, notices=(*notices, *_about_sharing(workers, each, resources)))


def check_gpus(workers: int, gpus_per_worker: float | None, devices: Sequence[str]) -> None:
    """Refuse workers that are to have more whole GPUs than there are.

    Raises
    ------
    RequestError
        There are too few.
    """
    if gpus_per_worker is None or gpus_per_worker < 1:
        return
    wanted = workers * int(gpus_per_worker)
    if wanted > len(devices):
        most = len(devices) // int(gpus_per_worker)
        remedy = f"use at most {most} (--workers {most}), or" if most else "use"
        raise RequestError(
            f"{_counted(workers, 'worker')} with {_counted(int(gpus_per_worker), 'GPU')} each: that is "
            f"{wanted}, and {len(devices)} visible (by nvidia-smi, or CUDA_VISIBLE_DEVICES where it is set); "
            f"{remedy} a smaller gristmill.gpus_per_worker: 0.5 lets two workers share one"
        )


def sharers_of(gpus_per_worker: float) -> int:
    """Return how many workers use one GPU, for a share between 0 and 1: two for 0.5."""
    return int(1 / gpus_per_worker + 1e-9)


def size_of(path: Path) -> int:
    """Return what a file or folder takes, in bytes; what cannot be looked up counts as nothing."""
    if not path.is_dir():
        return _file_size(path)
    return sum(_file_size(Path(here, name)) for here, _, names in os.walk(path) for name in names)


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def served_by_gpus(each: float | None, resources: Resources) -> int | None:
    """Return how many workers the GPUs serve; None where there are none to be dealt out."""
    if each == 0 or resources.names_devices:
        return None
    visible = len(resources.devices)
    if each is not None and each >= 1:
        check_gpus(1, each, resources.devices)
        return visible // int(each)
    if not visible:
        return None
    return visible if each is None else visible * sharers_of(each)


def _fitting_in_memory(deployment: Deployment, resources: Resources) -> int | None:
    if resources.memory is None:
        return None
    return max(1, resources.memory // _bytes_per_worker(deployment))


def model_bytes(deployment: Deployment) -> int:
    """Return what one worker's copy of the model is taken to need in memory, in bytes."""
    return MODEL_COPIES * size_of(deployment.model.path) if deployment.model is not None else 0


def _bytes_per_worker(deployment: Deployment) -> int:
    limit = deployment.settings.memory_per_worker_bytes
    if limit is not None:
        return limit
    return WORKER_BYTES + model_bytes(deployment)


def _about_gpus(workers: int, each: float | None, resources: Resources) -> str:
    share = 1 if each is None else each
    return (
        f"{_counted(workers, 'worker')} for {_counted(len(resources.devices), 'GPU')} ({share:g} each); if "
        f"the script uses none, --set gristmill.gpus_per_worker=0 starts {resources.cores}"
    )


def _about_memory(workers: int, deployment: Deployment, resources: Resources) -> str:
    assert resources.memory is not None
    what = "a worker with its model" if deployment.model is not None else "a worker"
    is_said = deployment.settings.memory_per_worker_bytes is not None
    needs = "may take (memory_per_worker)" if is_said else "is taken to need"
    return (
        f"{_counted(workers, 'worker')} although more would have a core: {what} {needs} "
        f"{_bytes_per_worker(deployment) / 1e9:.1f} GB, and {resources.memory / 1e9:.1f} GB are available; "
        "--workers N starts more"
    )


def _about_sharing(workers: int, each: float | None, resources: Resources) -> tuple[str, ...]:
    if each is None or not 0 < each < 1 or resources.names_devices:
        return ()
    visible = len(resources.devices)
    if not visible:
        return (f"gristmill.gpus_per_worker is {each:g}, and no GPU is visible; the workers run without one",)
    places = visible * sharers_of(each)
    if workers <= places:
        return ()
    return (
        f"{workers} workers share {_counted(visible, 'GPU')}, and gristmill.gpus_per_worker "
        f"{each:g} has room for {places}; --workers {places} keeps to it",
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
