"""A rerun that is killed, at whatever point: the output is the old one or the new one, whole, `verify` is
green, and whoever goes on ends with the output of a job in which nothing had failed (contract, 5.8 and 5.10).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.killing import KilledJob
from faults.scripts import MENDED, MENDED_PARQUET
from gristmill.faults import POINTS, RERUN_POINTS
from gristmill.service.jobs import Jobs

REPAIRED = {"KILLING_REPAIRED": "yes"}
ONLY_OF_A_FIRST_START = ("job.created", "plan.complete", "publish.before_rename", "publish.after_rename")
ONLY_OF_A_FIRST_PUBLICATION = ("publish.before_record", "publish.after_record")
MET = [point for point in POINTS if point not in (*ONLY_OF_A_FIRST_START, *ONLY_OF_A_FIRST_PUBLICATION)]
#: Those at which it matters most what stands under the final names; the others only under ``--all``.
CHOSEN = (
    "start.before_record",
    "start.after_record",
    "sync.before_parts",
    "files.after_move",
    "publish.after_write",
    "replace.before_record",
    "replace.after_record",
    "replace.before_rename:2",
    "replace.after_rename:1",
    "job.before_ending",
)
OTHERS = [point for point in (*MET, *RERUN_POINTS) if point not in CHOSEN]
CASES = [*CHOSEN, *(pytest.param(point, marks=pytest.mark.slow) for point in OTHERS)]


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The output of a job in which nothing failed."""
    job = KilledJob(tmp_path_factory.mktemp("mended"), MENDED)
    assert job.run_to_the_end("run", REPAIRED) == 0, job.said
    return job.outputs()


@pytest.fixture
def failed(tmp_path: Path) -> KilledJob:
    """A completed job with two failed mini-batches and a short one."""
    job = KilledJob(tmp_path, MENDED)
    assert job.run_to_the_end("run") == 0, job.said
    assert (job.verification.failed, job.verification.missing) == (4, 1)
    return job


def check_whole(job: KilledJob, old: dict[str, bytes], new: dict[str, bytes]) -> None:
    """Every file that both outputs have is one of the two, and `verify` agrees."""
    assert job.verification.problems == ()
    found = job.outputs()
    for name in ("predictions.csv", "all.txt"):
        assert found[name] in (old[name], new[name])


@pytest.mark.parametrize("victim", ["tree"])
@pytest.mark.parametrize("fault", CASES)
def test_a_killed_rerun_leaves_the_old_output_or_the_new_one_and_goes_on(
    fault: str, victim: str, failed: KilledJob, mended: dict[str, bytes]
) -> None:
    old, calls_before = failed.outputs(), len(failed.calls())
    failed.strike("rerun", fault if ":" in fault else f"{fault}:1", victim, REPAIRED)
    check_whole(failed, old, mended)

    failed.complete(REPAIRED)

    assert failed.problems(mended) == []
    called = failed.calls()[calls_before:]
    assert set(called) == {"f008 f009", "f020 f021", "f028 f029"}
    assert len(called) <= 3 + failed.calls_that_may_be_redone


@pytest.mark.parametrize("second", ["resume", "rerun"])
@pytest.mark.parametrize(
    ("first", "then"),
    [("start.after_record", "replace.before_record"), ("start.before_record", "replace.before_rename")],
)
def test_a_rerun_that_is_killed_twice_goes_on(
    first: str, then: str, second: str, failed: KilledJob, mended: dict[str, bytes]
) -> None:
    old = failed.outputs()
    failed.strike("rerun", f"{first}:1", "tree", REPAIRED)
    failed.strike(second, f"{then}:1", "tree", REPAIRED)
    check_whole(failed, old, mended)

    failed.complete(REPAIRED)

    assert failed.problems(mended) == []


def test_an_output_that_is_edited_before_the_new_one_is_in_its_place_is_not_overwritten(
    failed: KilledJob, mended: dict[str, bytes]
) -> None:
    failed.strike("rerun", "replace.after_record:1", "tree", REPAIRED)
    target = failed.output / "predictions.csv"
    published = target.read_bytes()
    target.write_bytes(published + b"a line of mine\n")
    failed.complete(REPAIRED)
    assert failed.status == "Failed"
    assert target.read_bytes() == published + b"a line of mine\n"

    target.write_bytes(published)
    failed.complete(REPAIRED)

    assert failed.problems(mended) == []


def test_a_rerun_of_a_rerun_that_was_killed_at_its_end_has_nothing_to_do(failed: KilledJob) -> None:
    failed.strike("rerun", "job.after_ending:1", "tree", REPAIRED)

    assert Jobs(failed.home).rerun("killed") is None


@pytest.fixture(scope="module")
def mended_parquet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    job = KilledJob(tmp_path_factory.mktemp("mended-parquet"), MENDED_PARQUET)
    assert job.run_to_the_end("run", REPAIRED) == 0, job.said
    return job.outputs()


@pytest.mark.parametrize("fault", ["publish.after_write:1", "replace.after_record:1"])
def test_a_killed_rerun_of_a_parquet_file_goes_on(
    fault: str, tmp_path: Path, mended_parquet: dict[str, bytes]
) -> None:
    job = KilledJob(tmp_path, MENDED_PARQUET)
    assert job.run_to_the_end("run") == 0, job.said
    old = job.outputs()["predictions.parquet"]
    job.strike("rerun", fault, "tree", REPAIRED)
    assert job.verification.problems == ()
    assert job.outputs()["predictions.parquet"] in (old, mended_parquet["predictions.parquet"])

    job.complete(REPAIRED)

    assert job.problems(mended_parquet) == []
