"""The GPUs that this process may use, and which of them a worker is given (contract, section 1.4).

It knows nothing of workers but their numbers, and loads no GPU library: the driver's own tool is asked, and
only where there is one.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable by which a process is told which GPUs it may use."""

#: A driver in trouble answers late or never; the job waits for it no longer, and deals nothing out.
ANSWER_LIMIT_S = 10.0
#: After a kill; a process that hangs in the driver is not waited for any longer.
_DEATH_LIMIT_S = 1.0
_QUESTION = ("--query-gpu=index", "--format=csv,noheader")


def visible_devices(
    variables: Mapping[str, str] = os.environ, *, limit_s: float = ANSWER_LIMIT_S
) -> tuple[str, ...]:
    """Return the GPUs that are visible to us, as ids for ``CUDA_VISIBLE_DEVICES``.

    Our own ``CUDA_VISIBLE_DEVICES`` decides where it is set. Otherwise ``nvidia-smi`` is asked if it is on
    PATH; whatever goes wrong with it means that there are none.

    Parameters
    ----------
    variables
        Our environment.
    limit_s
        How long ``nvidia-smi`` may take, in seconds.

    Returns
    -------
    tuple of str
        Indices, GPU UUIDs or MIG ids, in the order in which they are named; empty where there is no GPU.
    """
    named = variables.get(VISIBLE)
    if named is not None:
        return _named(named)
    tool = shutil.which("nvidia-smi", path=variables.get("PATH", os.defpath))
    if tool is None:
        return ()
    indices = (line.strip() for line in _answer([tool, *_QUESTION], variables, limit_s).splitlines())
    return tuple(index.decode() for index in indices if index.isdigit())


def devices_of(worker: int, devices: Sequence[str], gpus_per_worker: float | None = None) -> str | None:
    """Return what a worker's ``CUDA_VISIBLE_DEVICES`` is to be.

    Parameters
    ----------
    worker
        The worker's slot, from 0.
    devices
        What `visible_devices` returned.
    gpus_per_worker
        0 hides all GPUs; a whole number deals out as many, one worker's after the other's; a share, or None,
        deals them out one by one, in turn, so that workers share as evenly as can be.

    Returns
    -------
    str or None
        Ids, separated by commas; None where there is no GPU and nothing is to be hidden.
    """
    if gpus_per_worker == 0:
        return ""
    if not devices:
        return None
    if gpus_per_worker is not None and gpus_per_worker >= 1:
        first = worker * int(gpus_per_worker)
        return ",".join(devices[first : first + int(gpus_per_worker)])
    return devices[worker % len(devices)]


def _named(value: str) -> tuple[str, ...]:
    """Return the ids in a value; as for CUDA itself, the first that is empty or negative ends the list."""
    devices: list[str] = []
    for device in map(str.strip, value.split(",")):
        if not device or device.startswith("-"):
            break
        devices.append(device)
    return tuple(devices)


def _answer(command: list[str], variables: Mapping[str, str], limit_s: float) -> bytes:
    """Return what a command says; nothing if it fails, or does not end in time."""
    import subprocess  # few machines have a program to be asked

    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(variables),
            start_new_session=True,
        )
    except OSError:
        return b""
    assert process.stdout is not None
    with process.stdout:
        try:
            answer, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return b""
        finally:
            _end(process)
    return answer if process.returncode == 0 else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and what it started, unless it has ended by itself; also when we are interrupted."""
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGKILL)
    from subprocess import TimeoutExpired

    try:
        process.wait(_DEATH_LIMIT_S)
    except TimeoutExpired:
        pass  # it hangs in the driver, where no signal reaches it
