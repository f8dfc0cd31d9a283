"""Too many failures stop a job, which keeps what was finished and goes on after the repair (2, 5.5, 5.8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.holding import ONE_BY_ONE, prepared, rows
from flow.mill import Ended, Mill


@pytest.mark.parametrize(
    ("threshold", "kinds", "counts"),
    [
        ("0", "ok bad wait ok", (4, 1, 1, 2)),
        ("1", "ok bad ok bad wait ok", (6, 2, 2, 2)),
        ("2", "bad ok bad bad wait bad", (6, 1, 3, 2)),
    ],
)
def test_job_is_stopped_by_the_failure_that_exceeds_its_threshold(
    mill: Mill, threshold: str, kinds: str, counts: tuple[int, int, int, int]
) -> None:
    prepared(mill, kinds.split(), ONE_BY_ONE)

    ended = mill.run("--error-threshold", threshold)

    assert ended.status == 1
    assert ended.view["status"] == "Failed"
    assert ended.counts == counts


@pytest.mark.parametrize("threshold", ["3", "-1"])
def test_job_goes_on_at_its_threshold(mill: Mill, threshold: str) -> None:
    prepared(mill, ["bad", "ok", "bad", "ok", "bad"], ONE_BY_ONE)

    ended = mill.run("--error-threshold", threshold)

    assert ended.status == 0
    assert ended.counts == (5, 2, 3, 0)


@pytest.mark.parametrize(("bad", "status"), [(10, 0), (11, 1)])
def test_threshold_may_be_a_share_of_the_items(mill: Mill, bad: int, status: int) -> None:
    prepared(mill, ["bad"] * bad + ["ok"] * (100 - bad), ONE_BY_ONE)

    ended = mill.run("--error-threshold", "10%")

    assert ended.status == status
    assert ended.counts == (100, 100 - bad, bad, 0)


def test_failed_items_count_and_not_mini_batches(mill: Mill) -> None:
    prepared(mill, ["ok", "ok", "ok", "bad", "ok", "ok"], "mini_batch_size: 3, error_threshold: 2")

    ended = mill.run("--set", "gristmill.isolate_failures=false")

    assert ended.status == 1
    assert ended.counts == (6, 3, 3, 0)


def test_bare_script_stops_when_more_than_a_fifth_of_a_hundred_have_failed(mill: Mill) -> None:
    prepared(mill, ["ok"] * 79 + ["bad"] * 21 + ["wait"] + ["ok"] * 50)

    ended = mill.run("--mini-batch-size", "1", "--max-retries", "0", "--workers", "1", of="code/score.py")

    assert ended.status == 1
    assert ended.counts == (151, 79, 21, 51)


def test_bare_script_forgives_a_fifth(mill: Mill) -> None:
    prepared(mill, ["bad"] * 20 + ["ok"] * 80)

    ended = mill.run("--mini-batch-size", "1", "--max-retries", "0", "--workers", "1", of="code/score.py")

    assert ended.status == 0
    assert ended.counts == (100, 80, 20, 0)


@pytest.fixture(scope="module")
def exceeded(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended, Ended, Ended]:
    """Mini-batch 2 holds while 3 fails; the job is resumed before and after the cause is repaired."""
    mill = prepared(
        new_mill(),
        ["ok", "ok", "wait", "bad", "ok", "ok"],
        "mini_batch_size: 1, max_concurrency_per_instance: 2, error_threshold: 0, "
        "retry_settings: {max_retries: 0}",
    )
    first = mill.run()
    mill.variables["AFTER"] = str(mill.output())
    still_broken = mill.type("resume", "j", "--json")
    (mill.root / "before").write_text("\n".join(mill.calls()))
    (mill.root / "go").touch()
    (mill.root / "repaired").touch()
    return mill, first, still_broken, mill.type("resume", "j", "--json")


def test_exceeded_threshold_fails_the_job_with_status_one(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    assert exceeded[1].status == 1
    assert exceeded[1].view["status"] == "Failed"


def test_what_was_in_flight_is_not_run_and_nothing_goes_unaccounted(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    total, succeeded, failed, not_run = exceeded[1].counts
    assert (total, failed) == (6, 1)
    assert succeeded + failed + not_run == 6
    assert "002" in exceeded[0].calls()
    assert not_run >= 1


def test_failed_job_keeps_what_was_finished_as_partial_and_never_under_the_final_name(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    after = exceeded[0].variables["AFTER"]
    assert "'predictions.partial.csv'" in after
    assert "'predictions.csv'" not in after
    assert exceeded[1].view["target"] == str(exceeded[0].root / "out/predictions.partial.csv")


def test_ending_message_of_a_failed_job_names_the_command_that_goes_on(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    assert "gristmill resume j" in exceeded[1].err


def test_failed_ranges_get_new_tries_at_each_resume(exceeded: tuple[Mill, Ended, Ended, Ended]) -> None:
    assert exceeded[2].status == 1
    assert exceeded[2].view["failed"] == 1
    assert (exceeded[0].root / "before").read_text().splitlines().count("003") == 2
    assert exceeded[0].calls().count("003") == 3


def test_a_resume_after_the_repair_completes_without_failures(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    assert exceeded[3].status == 0, exceeded[3].err
    assert exceeded[3].counts == (6, 6, 0, 0)
    assert exceeded[0].bytes() == rows(0, 1, 2, 3, 4, 5)
    assert exceeded[0].output() == ["predictions.columns.json", "predictions.csv"]
    assert exceeded[0].type("verify", "j").status == 0


def test_finished_mini_batches_are_not_run_again_after_a_failure(
    exceeded: tuple[Mill, Ended, Ended, Ended],
) -> None:
    assert [exceeded[0].calls().count(name) for name in ("000", "001")] == [1, 1]
