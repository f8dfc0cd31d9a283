"""Verify finds every byte that is not what the job wrote, and names the file that it is in.

Not covered, since nothing tells what they were: the content of whole files that scripts wrote (their names
and sizes are), words and times in ``job.json``, and the draft of a plan that was never finished.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles.job_shapes import SHAPES
from doubles.whole_job import WholeJob

#: So many places of each file are tried in the test command; `slow` tries all of them.
_PLACES = 40


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: shape.__name__)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> WholeJob:
    shape: Callable[[Path], WholeJob] = request.param
    made = shape(tmp_path_factory.mktemp("job"))
    assert made.job.status.value == "Completed"
    return made


@pytest.fixture(autouse=True)
def everything_is_put_back(job: WholeJob) -> Iterator[None]:
    assert job.verification.problems == ()
    yield
    assert job.verification.problems == ()


def files(job: WholeJob) -> list[Path]:
    """Return the plan, the journal and everything in the output but whole files that the script wrote."""
    whole = {json.loads(line)[1] for line in lines(job.folder.delivered) if json.loads(line)[0][0] < 1 << 60}
    outputs = [job.output / name for name in job.outputs() if name not in whole]
    return [*sorted(job.folder.plan.iterdir()), job.folder.journal, *outputs]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def places(data: bytes, most: int) -> range:
    """Return places in a file: all of them, or about so many, which begin and end with the first and last."""
    return range(0, len(data), max(1, len(data) // most))


def assert_is_found(job: WholeJob, path: Path, data: bytes, what: str) -> None:
    """Change a file, look, and put it back."""
    whole = path.read_bytes()
    assert data != whole
    path.write_bytes(data)
    found = job.verification
    path.write_bytes(whole)
    assert not found.ok, f"{what} of {path.name} is not found"
    assert str(path) in " ".join(found.problems), f"{what} of {path.name} gives {found.problems}"


def flip_every_bit(job: WholeJob, most: int) -> None:
    for path in files(job):
        data = path.read_bytes()
        for place in places(data, most):
            changed = bytes([data[place] ^ 1 << place % 8])
            assert_is_found(
                job, path, data[:place] + changed + data[place + 1 :], f"a changed bit at {place}"
            )


def test_every_changed_bit_is_found(job: WholeJob) -> None:
    flip_every_bit(job, _PLACES)


@pytest.mark.slow
def test_every_changed_bit_of_all_bytes_is_found(job: WholeJob) -> None:
    flip_every_bit(job, 1 << 30)


def test_every_byte_that_is_gone_or_added_is_found(job: WholeJob) -> None:
    for path in files(job):
        data = path.read_bytes()
        for place in places(data, _PLACES // 4):
            assert_is_found(job, path, data[:place] + data[place + 1 :], f"a byte that is gone at {place}")
            assert_is_found(job, path, data[:place] + b"\n" + data[place:], f"a byte added at {place}")
        assert_is_found(job, path, data + b"\n", "a byte added at the end")


def test_every_end_that_is_gone_is_found(job: WholeJob) -> None:
    for path in files(job):
        data = path.read_bytes()
        for place in places(data, _PLACES // 4):
            assert_is_found(job, path, data[:place], f"all behind {place} that is gone")


def test_every_block_of_zeros_is_found(job: WholeJob) -> None:
    for path in files(job):
        data = path.read_bytes()
        for place in places(data, _PLACES // 4):
            length = min(16, len(data) - place)
            if any(data[place : place + length]):
                zeros = data[:place] + bytes(length) + data[place + length :]
                assert_is_found(job, path, zeros, f"zeros at {place}")


def test_every_pair_of_lines_that_are_swapped_is_found(job: WholeJob) -> None:
    for path in files(job):
        rows = path.read_bytes().splitlines(keepends=True)
        for number in range(len(rows) - 1):
            swapped = [*rows[:number], rows[number + 1], rows[number], *rows[number + 2 :]]
            if swapped != rows:
                assert_is_found(job, path, b"".join(swapped), f"two lines swapped, from {number}")


def test_every_file_that_is_gone_is_found(job: WholeJob) -> None:
    whole = [job.output / name for name in job.outputs()]
    for path in dict.fromkeys([*files(job), *whole]):
        path.rename(path.with_name("elsewhere"))
        found = job.verification
        path.with_name("elsewhere").rename(path)
        assert not found.ok
        assert path.name in " ".join(found.problems)


def test_whole_files_have_the_size_that_they_had(job: WholeJob) -> None:
    for name in job.outputs():
        path = job.output / name
        size = path.stat().st_size
        whole = path.read_bytes()
        os.truncate(path, size + 1)
        found = job.verification
        path.write_bytes(whole)
        assert str(path) in " ".join(found.problems)


def test_numbers_in_job_json_that_plan_and_journal_contradict_are_found(job: WholeJob) -> None:
    path = job.folder.path / "job.json"
    for name in ("total", "succeeded", "failed", "not_run", "mini_batches", "mini_batches_done"):
        values = json.loads(path.read_bytes())
        values["counts"][name] += 1
        assert_is_found(job, path, json.dumps(values).encode(), name)
    values = json.loads(path.read_bytes())
    assert_is_found(job, path, json.dumps({**values, "starts": values["starts"] + 1}).encode(), "starts")
