"""Seven poisons among a thousand files, a hundred per mini-batch: seven files are lost, and no other.

The whole measure, with its figures and other tools beside it, is ``benchmarks/poisons.py``.
"""

from __future__ import annotations

import csv

import pytest

from flow.mill import REPOSITORY, Ended, Mill

REASONS = {
    "raise": "exception",
    "exit": "worker_died",
    "segv": "worker_died",
    "kill": "worker_died",
    "memory": "memory",
    "loop": "timeout",
    "return": "bad_return",
}
FILES = 1000
#: Each in another mini-batch, at its beginning, in the middle or at its end; the last two share one.
PLACES = dict(zip([100, 250, 399, 444, 501, 777, 778], REASONS, strict=True))


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mill, Ended]:
    mill = Mill(tmp_path_factory.mktemp("poisons"))
    mill.inputs({f"{number:04}": PLACES.get(number, "good") for number in range(FILES)})
    mill.write("code/score.py", (REPOSITORY / "benchmarks/_poisonous.py").read_text(encoding="utf-8"))
    mill.deployment(
        "mini_batch_size: 100, max_concurrency_per_instance: 2, retry_settings: {max_retries: 1, timeout: 2},"
        " environment_variables: {POISON_WORK_S: 0.001}",
        "gristmill: {memory_per_worker: 1GB}",
    )
    return mill, mill.run()


def test_exactly_the_good_ones_are_scored_in_their_order(poisoned: tuple[Mill, Ended]) -> None:
    mill, ended = poisoned

    assert ended.counts == (FILES, FILES - 7, 7, 0), ended.err
    assert mill.bytes().decode().split() == [
        f"{number:04}" for number in range(FILES) if number not in PLACES
    ]


def test_each_poison_is_named_with_its_reason(poisoned: tuple[Mill, Ended]) -> None:
    mill, _ = poisoned
    found = {line["input"]: line["reason"] for line in mill.failures()}

    assert found == {f"{number:04}": REASONS[kind] for number, kind in PLACES.items()}


def test_nothing_is_lost_and_nothing_is_there_twice(poisoned: tuple[Mill, Ended]) -> None:
    mill, _ = poisoned

    assert mill.type("verify", "j").status == 0


def test_harm_is_done_only_as_often_as_it_takes_to_find_it(poisoned: tuple[Mill, Ended]) -> None:
    mill, _ = poisoned
    tries = list(csv.DictReader(mill.log("sys/job_report/processed_mini-batches.csv").splitlines()))
    failed = [row["reason"] for row in tries if row["status"] == "failed"]

    assert failed.count("timeout") <= 3  # its mini-batch once, and the file alone twice
    assert failed.count("worker_died") == 3 * 4  # the mini-batch twice, and the file alone twice
    assert failed.count("memory") <= 3
