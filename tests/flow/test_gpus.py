"""GPUs and workers: what a script sees, and what is said where they do not suffice (contract, 1.4)."""

from __future__ import annotations

import json

import pytest

from flow.mill import Mill

SCRIPT = """
def init(): pass
def run(mini_batch):
    return [os.environ.get("CUDA_VISIBLE_DEVICES", "(not set)") for _ in mini_batch]
"""


@pytest.fixture
def with_gpus(mill: Mill) -> Mill:
    """Three GPUs, by a tool that says so."""
    tool = mill.write("bin/nvidia-smi", "#!/bin/sh\necho 0; echo 1; echo 2\n")
    tool.chmod(0o755)
    mill.variables["PATH"] = f"{tool.parent}:/usr/bin:/bin"
    mill.inputs(["a"])
    mill.script(SCRIPT)
    return mill


@pytest.mark.parametrize(("each", "seen"), [(0, b"\n"), (2, b"0,1\n"), (0.5, b"0\n")])
def test_script_sees_the_gpus_of_its_worker(with_gpus: Mill, each: float, seen: bytes) -> None:
    with_gpus.deployment("", f"gristmill: {{gpus_per_worker: {each}}}")

    assert with_gpus.run().status == 0
    assert with_gpus.bytes() == seen


def test_too_few_gpus_are_refused_before_anything_is_made(with_gpus: Mill) -> None:
    with_gpus.deployment("", 'properties: {gristmill.gpus_per_worker: "2", gristmill.workers: "2"}')

    ended = with_gpus.run()

    assert ended.status == 2
    assert "2 workers with 2 GPUs each: that is 4, and 3 visible" in ended.err
    assert "--workers 1" in ended.err
    assert with_gpus.jobs() == []
    assert with_gpus.output() == []


def test_shares_of_gpus_that_are_not_there_are_noticed_and_the_job_runs(with_gpus: Mill) -> None:
    with_gpus.deployment("", "gristmill: {gpus_per_worker: 0.5}")

    ended = with_gpus.run(CUDA_VISIBLE_DEVICES="")

    assert ended.status == 0
    assert "no GPU is visible" in ended.err


def test_auto_has_one_worker_for_each_gpu_at_most(with_gpus: Mill) -> None:
    with_gpus.inputs([f"{number:03d}" for number in range(300)])
    with_gpus.deployment("mini_batch_size: 1", "gristmill: {workers: auto}")

    ended = with_gpus.run(CUDA_VISIBLE_DEVICES="7")

    assert ended.status == 0
    job = json.loads((with_gpus.home / "jobs" / "j" / "job.json").read_text())
    assert job["workers"] == 1
    assert set(with_gpus.bytes().split()) == {b"7"}
