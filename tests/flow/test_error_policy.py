"""Rules that stop a job, and the canary before it (contract, section 5 ➕)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.holding import prepared, rows
from flow.mill import Ended, Mill

KINDS = ["ok"] * 40


def with_bad(*numbers: int, held: int = -1) -> list[str]:
    """Return what 40 files say; the held one keeps its worker, so that nothing behind it is run."""
    return ["wait" if number == held else "bad" if number in numbers else "ok" for number in range(40)]


@pytest.fixture(scope="module")
def stopped(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended, Ended, Ended]:
    """A rule stops the job at the third bad file; it is resumed before and after the repair."""
    mill = prepared(new_mill(), with_bad(3, 7, 11, held=12))
    mill.deployment(
        "mini_batch_size: 1, retry_settings: {max_retries: 0}",
        "gristmill:\n  stop_when:\n  - {class: time, count: 1}\n  - {class: data, count: 3}",
    )
    first = mill.run()
    again = mill.type("resume", "j", "--json")
    (mill.root / "repaired").touch()
    (mill.root / "go").touch()
    return mill, first, again, mill.type("resume", "j", "--json")


def test_the_first_rule_that_holds_stops_the_job_and_is_named_with_its_figures(
    stopped: tuple[Mill, Ended, Ended, Ended],
) -> None:
    first = stopped[1]
    assert first.status == 1
    assert first.view["status"] == "Failed"
    assert first.counts == (40, 9, 3, 28)
    assert (
        "the rule {class: data, count: 3} of stop_when holds: 3 of the 12 items done have failed" in first.err
    )
    assert "ValueError: as asked" in first.err
    assert "gristmill resume j" in first.err


def test_what_was_finished_is_kept_as_partial(stopped: tuple[Mill, Ended, Ended, Ended]) -> None:
    assert stopped[1].view["target"].endswith("predictions.partial.csv")


def test_a_resumed_job_is_not_stopped_by_its_old_failures(stopped: tuple[Mill, Ended, Ended, Ended]) -> None:
    again = stopped[2]
    assert again.status == 1
    assert again.counts[1] >= 9
    assert stopped[0].calls().count("003") == 3


def test_after_the_repair_it_completes_with_every_row(stopped: tuple[Mill, Ended, Ended, Ended]) -> None:
    mill, *_, repaired = stopped
    assert repaired.counts == (40, 40, 0, 0)
    assert mill.bytes() == rows(*range(40))
    assert mill.type("verify", "j").status == 0


def test_a_share_of_the_last_items_stops_a_job_that_goes_bad_late(mill: Mill) -> None:
    prepared(mill, with_bad(*range(20, 40), held=25), "mini_batch_size: 1, retry_settings: {max_retries: 0}")

    ended = mill.run("--set", "gristmill.stop_when={fraction: 50%, window: 10}")

    assert ended.status == 1
    assert ended.counts[1:3] == (20, 5)
    assert "5 of the last 10 items done have failed" in ended.err


def test_a_rule_that_cannot_be_read_is_refused_with_its_place(mill: Mill) -> None:
    prepared(mill, ["ok"])
    mill.deployment("", "gristmill:\n  stop_when:\n  - {class: memory, cuont: 5}")

    ended = mill.run()

    assert ended.status == 2
    assert "deployment.yml:5:21: gristmill.stop_when.cuont: unknown key; did you mean 'count'?" in ended.err
    assert mill.jobs() == []


# The canary


def test_a_canary_is_scored_first_and_changes_no_byte(mill: Mill) -> None:
    prepared(mill, KINDS, "mini_batch_size: 4")
    mill.run("--job-name", "plain", "--output-path", "plain")
    (mill.root / "calls").unlink()

    ended = mill.run("--canary", "5")

    assert ended.counts == (40, 40, 0, 0)
    assert mill.bytes() == mill.bytes("plain/predictions.csv")
    assert sorted(mill.calls()[:5]) == ["000", "008", "016", "024", "032"]
    assert sorted(" ".join(mill.calls()).split()) == [f"{number:03d}" for number in range(40)]
    assert "canary: 5 of 5 items from all over the input have results; now the rest is scored" in ended.err
    assert mill.type("verify", "j").status == 0


def test_a_canary_that_fails_stops_the_job_whatever_its_threshold(mill: Mill) -> None:
    prepared(mill, ["bad"] * 40, "mini_batch_size: 4, error_threshold: -1")

    ended = mill.run("--canary", "5")

    assert ended.status == 1
    assert ended.counts[1:3] == (0, 5)
    assert "ValueError: as asked" in ended.err
    assert len(mill.calls()) <= 10


def test_a_canary_of_which_too_many_fail_stops_the_job_and_comes_first_again(mill: Mill) -> None:
    prepared(mill, with_bad(0, 8, 16), "mini_batch_size: 4, error_threshold: 20%")

    ended = mill.run("--canary", "5")
    (mill.root / "repaired").touch()
    (mill.root / "calls").unlink()
    resumed = mill.type("resume", "j", "--json")

    assert ended.status == 1
    assert (
        "3 of the 5 items that were scored first (the canary) have failed, more than the error thr"
        in ended.err
    )
    assert resumed.counts == (40, 40, 0, 0)
    assert sorted(mill.calls()[:3]) == ["000", "008", "016"]
    assert mill.bytes() == rows(*range(40))


def test_where_run_must_not_be_repeated_the_canary_takes_whole_mini_batches(mill: Mill) -> None:
    prepared(mill, KINDS, "mini_batch_size: 4, retry_settings: {max_retries: 0}")

    ended = mill.run("--canary", "5")

    assert ended.counts == (40, 40, 0, 0)
    assert mill.calls()[:2] == ["000 001 002 003", "020 021 022 023"]
    assert len(mill.calls()) == 10


def test_a_canary_goes_with_a_limit_and_with_summary_only(mill: Mill) -> None:
    prepared(mill, KINDS, "mini_batch_size: 4, output_action: summary_only")

    ended = mill.run("--canary", "5", "--limit", "20")

    assert ended.counts == (20, 20, 0, 0)
    assert [len(call.split()) for call in mill.calls()[:5]] == [1] * 5


# A script that fails on everything


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("of", ["deployment.yml", "code/score.py"])
def test_a_script_that_fails_on_everything_stops_within_twenty_places(mill: Mill, size: int, of: str) -> None:
    prepared(mill, ["bad"] * 300, "error_threshold: 20%, retry_settings: {max_retries: 1}")

    ended = mill.run("--mini-batch-size", str(size), "--workers", "2", "--max-retries", "1", of=of)

    assert ended.status == 1
    assert "run() was tried on 20 places of the input, and failed in the same way on each" in ended.err
    assert len(mill.calls()) <= 22
