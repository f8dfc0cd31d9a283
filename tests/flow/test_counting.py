"""Each mini-batch is called exactly as often as the contract says; its items are counted (1.2, 4, 5.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from flow.mill import Ended, Mill

ECHO = """
def init(): pass
def run(mini_batch):
    called(mini_batch)
    return names(mini_batch)
"""

# ------------------------------------------------------------------------------------ cutting


@pytest.fixture(scope="module")
def hundred(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    mill.inputs([f"{number:03d}" for number in range(100)])
    mill.script(ECHO)
    mill.deployment("mini_batch_size: 10, max_concurrency_per_instance: 2")
    return mill, mill.run()


def test_hundred_files_by_ten_are_ten_calls_of_ten_files_each(hundred: tuple[Mill, Ended]) -> None:
    assert [len(call.split()) for call in hundred[0].calls()] == [10] * 10


def test_each_file_is_in_exactly_one_call(hundred: tuple[Mill, Ended]) -> None:
    files = [name for call in hundred[0].calls() for name in call.split()]
    assert sorted(files) == [f"{number:03d}" for number in range(100)]


def test_files_of_a_call_are_neighbours_in_the_plan(hundred: tuple[Mill, Ended]) -> None:
    expected = {" ".join(f"{ten}{one}" for one in range(10)) for ten in [f"{n:02d}" for n in range(10)]}
    assert set(hundred[0].calls()) == expected


def test_mini_batches_are_counted_as_well_as_items(hundred: tuple[Mill, Ended]) -> None:
    view = hundred[1].view
    assert (view["mini_batches"], view["mini_batches_done"]) == (10, 10)
    assert hundred[1].counts == (100, 100, 0, 0)


def test_job_show_says_what_the_run_said_at_its_end(hundred: tuple[Mill, Ended]) -> None:
    assert hundred[0].show() == hundred[1].view


def test_one_worker_is_called_in_plan_order_and_the_last_mini_batch_is_shorter(mill: Mill) -> None:
    mill.inputs(["b", "B", "a0", "a/z", "a-/x", "é", "10", "9", "c/d/e", ".hidden", "_SUCCESS"])
    mill.script(
        """
def run(mini_batch):
    noted("calls", " ".join(os.path.relpath(path, HERE / "in") for path in mini_batch))
    return mini_batch
"""
    )
    mill.deployment("mini_batch_size: 4")

    assert mill.run().status == 0
    assert mill.calls() == ["10 9 B a-/x", "a/z a0 b c/d/e", "é"]


def test_a_single_file_is_one_mini_batch(mill: Mill) -> None:
    mill.inputs(["one", "two"])
    mill.script(ECHO)
    mill.deployment()

    assert mill.run("--input", "in/two").counts == (1, 1, 0, 0)
    assert mill.calls() == ["two"]


# ------------------------------------------------------------------------------------ faults

# Each file says what is to happen to its mini-batch, and in how many tries ("always": in all of them).
FAULTY = """
import signal, sys

def init(): pass

RETURNS = {
    "str": "no list", "dict": {"a": 1}, "none": None, "int": 2, "generator": (n for n in "ab"),
    "empty": [], "short": ["one"], "long": ["one", "two", "three"],
}

def run(mini_batch):
    called(mini_batch)
    kind, tries = Path(mini_batch[0]).read_text().split()
    before = (HERE / "calls").read_text().splitlines().count(" ".join(names(mini_batch)))
    if tries != "always" and before > int(tries):
        kind = "ok"
    if kind == "raise":
        raise ValueError("as asked")
    if kind == "sys-exit":
        sys.exit(5)
    if kind == "exit":
        os._exit(7)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "segv":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hang":
        held_until("never")
    return RETURNS.get(kind, names(mini_batch))
"""

# What happens → calls of run(), succeeded items (of 2), reason of the failure; with max_retries 2.
FAULTS = {
    "ok 0": (1, 2, None),
    "raise 1": (2, 2, None),
    "raise 2": (3, 2, None),
    "raise always": (3, 0, "exception"),
    "sys-exit 1": (2, 2, None),
    "exit 1": (2, 2, None),
    "exit always": (3, 0, "worker_died"),
    "kill 1": (2, 2, None),
    "kill always": (3, 0, "worker_died"),
    "segv always": (3, 0, "worker_died"),
    "hang 1": (2, 2, None),
    "hang always": (3, 0, "timeout"),
    "str 1": (2, 2, None),
    "str always": (3, 0, "bad_return"),
    "dict always": (3, 0, "bad_return"),
    "none always": (3, 0, "bad_return"),
    "int always": (3, 0, "bad_return"),
    "generator always": (3, 0, "bad_return"),
    "empty always": (1, 0, "missing_result"),
    "short always": (1, 1, "missing_result"),
    "long always": (1, 2, None),
    "ok 1": (1, 2, None),
}


@pytest.fixture(scope="module")
def faulty(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    """One job with a mini-batch of two files for each fault, `00-a 00-b`, `01-a 01-b` and so on."""
    mill = new_mill()
    mill.inputs({f"{number:02d}-{ab}": fault for number, fault in enumerate(FAULTS) for ab in "ab"})
    mill.script(FAULTY)
    retries = "retry_settings: {max_retries: 2, timeout: 0.5}"
    whole = "gristmill: {isolate_failures: false}"
    mill.deployment(f"mini_batch_size: 2, max_concurrency_per_instance: 2, {retries}", whole)
    return mill, mill.run("--strict")


@pytest.fixture
def faults(faulty: tuple[Mill, Ended]) -> Mill:
    return faulty[0]


def test_a_job_with_faults_ends_with_status_four_under_strict(faulty: tuple[Mill, Ended]) -> None:
    assert faulty[1].status == 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mini_batch_is_called_as_often_as_its_fault_needs(faults: Mill, fault: str) -> None:
    number = list(FAULTS).index(fault)
    calls = Counter(faults.calls())
    assert calls[f"{number:02d}-a {number:02d}-b"] == FAULTS[fault][0]


def test_no_call_has_other_files_than_those_of_its_mini_batch(faults: Mill) -> None:
    assert set(faults.calls()) == {f"{number:02d}-a {number:02d}-b" for number in range(len(FAULTS))}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_mini_batch_is_listed_with_its_reason(faults: Mill, fault: str) -> None:
    number = list(FAULTS).index(fault)
    _, succeeded, reason = FAULTS[fault]
    entries = [entry for entry in faults.failures() if entry["mini_batch"] == number]
    assert {entry["reason"] for entry in entries} == ({reason} if reason else set())
    named = [name for entry in entries for name in entry.get("inputs", [entry.get("input")])]
    assert named == ([f"{number:02d}-a", f"{number:02d}-b"] if reason else [])
    assert sum(entry.get("missing", 1) for entry in entries) == 2 - succeeded


@pytest.mark.parametrize("fault", [fault for fault, row in FAULTS.items() if row[2]])
def test_the_list_of_failures_says_how_many_tries_there_were(faults: Mill, fault: str) -> None:
    number = list(FAULTS).index(fault)
    entries = [entry for entry in faults.failures() if entry["mini_batch"] == number]
    assert {entry["tries"] for entry in entries} == {FAULTS[fault][0]}


def test_items_are_counted_exactly(faulty: tuple[Mill, Ended]) -> None:
    succeeded = sum(row[1] for row in FAULTS.values())
    total = 2 * len(FAULTS)
    assert faulty[1].counts == (total, succeeded, total - succeeded, 0)


def test_the_output_has_the_rows_of_the_calls_that_returned_a_list(faults: Mill) -> None:
    short, long = ["one"], ["one", "two", "three"]
    expected = []
    for number, (fault, (_, succeeded, _)) in enumerate(FAULTS.items()):
        whole = [f"{number:02d}-a", f"{number:02d}-b"]
        rows = {"short always": short, "long always": long}.get(fault, whole if succeeded else [])
        expected += rows
    assert faults.bytes().decode().splitlines() == expected


def test_a_job_with_faults_verifies(faults: Mill) -> None:
    assert faults.type("verify", "j").status == 0


def test_a_bad_return_is_answered_with_what_run_must_return(faults: Mill) -> None:
    number = list(FAULTS).index("str always")
    entry = next(entry for entry in faults.failures() if entry["mini_batch"] == number)
    assert "run() must return a list or a pandas DataFrame; score.py returned a str" in entry["message"]


def test_a_job_that_completed_with_failures_says_how_many(faulty: tuple[Mill, Ended]) -> None:
    total, succeeded, failed, _ = faulty[1].counts
    assert faulty[1].view["status"] == "Completed"
    assert f"Completed: {succeeded} of {total} items, {failed} failed" in faulty[1].view["summary"]


# ------------------------------------------------------------------------------------ retries and nothing


@pytest.mark.parametrize(("max_retries", "calls"), [(0, 1), (1, 2), (5, 6)])
def test_max_retries_n_means_n_plus_one_tries(mill: Mill, max_retries: int, calls: int) -> None:
    mill.inputs({"bad": "raise always", "good": "ok 0"})
    mill.script(FAULTY)
    mill.deployment("mini_batch_size: 1")

    assert mill.run("--max-retries", str(max_retries)).counts == (2, 1, 1, 0)
    assert Counter(mill.calls()) == {"bad": calls, "good": 1}


def test_default_of_a_deployment_is_three_retries(mill: Mill) -> None:
    mill.inputs({"bad": "raise always", "good": "ok 0"})
    mill.script(FAULTY)
    mill.deployment("mini_batch_size: 1")

    assert mill.run().status == 0
    assert Counter(mill.calls()) == {"bad": 4, "good": 1}


def test_success_in_the_last_try_is_no_failure(mill: Mill) -> None:
    mill.inputs({"late": "raise 3"})
    mill.script(FAULTY)
    mill.deployment("error_threshold: 0")

    ended = mill.run("--strict")

    assert ended.status == 0, ended.err
    assert mill.calls() == ["late"] * 4
    assert ended.counts == (1, 1, 0, 0)
    assert mill.output() == ["predictions.columns.json", "predictions.csv"]


def none_at_all(mill: Mill, fault: str, *words: str) -> Ended:
    mill.inputs({"a": fault, "b": fault, "c": fault})
    mill.script(FAULTY)
    mill.deployment("mini_batch_size: 1, error_threshold: -1, retry_settings: {max_retries: 0}")
    return mill.run(*words)


@pytest.mark.parametrize("fault", ["raise always", "empty always"])
def test_append_row_without_any_success_fails_the_job_at_any_threshold(mill: Mill, fault: str) -> None:
    ended = none_at_all(mill, fault)

    assert ended.status == 1
    assert ended.view["status"] == "Failed"
    assert ended.counts == (3, 0, 3, 0)
    assert not (mill.root / "out/predictions.csv").exists()


def test_a_job_of_empty_lists_says_that_no_mini_batch_returned_any_result(mill: Mill) -> None:
    ended = none_at_all(mill, "empty always")
    assert "no mini-batch returned any result" in ended.err


def test_summary_only_may_return_nothing(mill: Mill) -> None:
    ended = none_at_all(mill, "empty always", "--output-action", "summary_only")

    assert ended.status == 0, ended.err
    assert ended.counts == (3, 0, 3, 0)


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("return [1, 2, 3, 4, 5, 6, 7]", (4, 4, 0, 0)),
        ("return (1, 2)", (4, 2, 2, 0)),
        ("import pandas; return pandas.DataFrame({'a': [1, 2, 3]})", (4, 3, 1, 0)),
        ("import numpy; return numpy.arange(4)", (4, 4, 0, 0)),
        ("import pandas; return pandas.Series([1])", (4, 1, 3, 0)),
    ],
    ids=["more", "tuple", "frame", "array", "series"],
)
def test_no_more_than_the_files_of_a_mini_batch_succeed(
    mill: Mill, source: str, counts: tuple[int, int, int, int]
) -> None:
    mill.inputs("abcd")
    mill.script(f"def run(mini_batch): {source}\n")
    mill.deployment()

    assert mill.run().counts == counts
