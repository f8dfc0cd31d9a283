"""What was seen in a rehearsal becomes findings by rules that have margins: noise is nobody's fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gristmill.engine.rehearsal import Ending, Rehearsal
from gristmill.service.judgement import judge
from gristmill.spec.deployment import bare_script
from gristmill.spec.values import Deployment

MB = 1024 * 1024


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "score.py").write_text("")
    return bare_script(tmp_path / "score.py")


def rehearsal(*seen: dict[str, Any], ending: Ending = Ending.DONE, **more: Any) -> Rehearsal:
    values: dict[str, Any] = {
        "words": "",
        "stage": "run",
        "call": 1,
        "stack": "",
        "left_behind": 0,
        "said": "",
    }
    return Rehearsal(observations=seen, ending=ending, **{**values, **more})


def trend(memory: Sequence[float], descriptors: Sequence[int] = (9, 9, 9, 9, 9, 9)) -> dict[str, Any]:
    """After the calls 1, 3, 50, 100, 150 and 200: memory in MB, open files."""
    held = zip(memory, descriptors, strict=True)
    usage = [[int(size * MB), files, 1, 0, 0] for size, files in held]
    return {"event": "trend", "calls": [1, 3, 50, 100, 150, 200], "usage": usage}


@pytest.mark.parametrize(
    ("memory", "codes"),
    [
        ([40, 60, 100, 150, 200, 250], ["leaks-memory"]),
        ([40, 60, 100, 102, 104, 107], []),
        ([40, 400, 400, 400, 400, 400], []),
        ([40, 60, 100, 200, 190, 250], []),
        ([40, 60, 100, 150, 200, 200], []),
    ],
    ids=["grows", "grows by less than the allocator's noise", "a cache fills", "swings", "levels off"],
)
def test_memory_leaks_where_every_quarter_adds_to_it(
    deployment: Deployment, memory: list[float], codes: list[str]
) -> None:
    assert [one.code for one in judge(rehearsal(trend(memory)), deployment, "score.py")] == codes


def test_size_of_a_leak_is_told_per_call(deployment: Deployment) -> None:
    (finding,) = judge(rehearsal(trend([40, 60, 100, 150, 200, 250])), deployment, "score.py")

    assert finding.what == "run() leaks about 1.0 MB per call (150 MB in 150 calls)"


@pytest.mark.parametrize(
    ("descriptors", "codes"),
    [
        ([9, 11, 58, 108, 158, 208], ["leaves-files-open"]),
        ([9, 10, 20, 30, 40, 50], []),
        ([9, 59, 59, 59, 59, 59], []),
        ([9, 209, 9, 9, 9, 209], []),
    ],
    ids=["one per call", "one in four calls", "a pool", "some that are closed again"],
)
def test_files_are_left_open_where_most_calls_leave_one(
    deployment: Deployment, descriptors: list[int], codes: list[str]
) -> None:
    seen = rehearsal(trend([40] * 6, descriptors))

    assert [one.code for one in judge(seen, deployment, "score.py")] == codes


def test_two_calls_show_what_piles_up_but_no_trend_of_the_memory(deployment: Deployment) -> None:
    seen = {"event": "trend", "calls": [1, 3], "usage": [[40 * MB, 9, 1, 0, 0], [900 * MB, 9, 1, 2, 0]]}

    assert [one.code for one in judge(rehearsal(seen), deployment, "score.py")] == ["leaves-children"]


def test_each_kind_is_told_once(deployment: Deployment) -> None:
    traces = [{"event": "traces", "stage": stage, "folder": "/"} for stage in ("init", "run")]

    (finding,) = judge(rehearsal(*traces), deployment, "score.py")

    assert (finding.code, finding.what) == ("changes-folder", "after init() the working folder is /")


@pytest.mark.parametrize("stage", ["start", "import", "init", "run", "shutdown"])
@pytest.mark.parametrize("ending", [Ending.DIED, Ending.TIMED_OUT])
def test_an_end_in_the_middle_is_an_error_that_names_the_stage(
    deployment: Deployment, stage: str, ending: Ending
) -> None:
    seen = rehearsal(ending=ending, stage=stage, words="ended with status 3 (os._exit)")

    (finding,) = judge(seen, deployment, "score.py")

    assert finding.is_error
    assert finding.code == f"{stage}-{'ends-process' if ending is Ending.DIED else 'hangs'}"
    assert finding.what.startswith(
        {"start": "the start of Python", "import": "the import"}.get(stage, f"{stage}()")
    )


def test_our_own_frames_are_no_part_of_the_stack(deployment: Deployment) -> None:
    stack = (
        "Timeout (0:00:01)!\nThread 0x1 (most recent call first):\n"
        '  File "/code/score.py", line 4 in run\n'
        '  File "/tmp/c/worker-1.zip/gristmill_worker/rehearsal.py", line 9 in _call\n'
        '  File "<frozen runpy>", line 88 in _run_code\n'
    )

    (finding,) = judge(rehearsal(ending=Ending.TIMED_OUT, stack=stack), deployment, "score.py")

    assert finding.detail.splitlines() == [
        "Thread 0x1 (most recent call first):",
        '  File "/code/score.py", line 4 in run',
    ]


@pytest.mark.parametrize(
    ("results", "files", "words"),
    [
        (1, 2, "run() returned 1 result for 2 files: 1 of them counts as failed"),
        (1, 9, "run() returned 1 result for 9 files: 8 of them count as failed"),
        (0, 1, "run() returned an empty list for 1 file, which counts as failed"),
        (2, 1, "run() returned 2 results for 1 file: nobody can tell whose each is"),
    ],
)
def test_results_are_counted_in_words(deployment: Deployment, results: int, files: int, words: str) -> None:
    seen = {"event": "called", "results": results, "files": files, "kind": "list", "notices": [], "left": []}

    [finding] = judge(rehearsal(seen), deployment, "score.py")

    assert finding.what == words


def test_a_file_that_fails_is_said_to_be_the_users_own(deployment: Deployment) -> None:
    seen = {
        "event": "failed",
        "stage": "run",
        "call": 1,
        "kind": "E",
        "message": "E",
        "traceback": "",
        "module": "",
    }

    [finding] = judge(rehearsal(seen), deployment, "score.py")

    assert finding.remedy == (
        "correct the script, or the file that it fails on: these are files of your own input"
    )
