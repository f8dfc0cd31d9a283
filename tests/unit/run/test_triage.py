"""Whose fault it is, while nothing has succeeded: the script's, or that of single files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from doubles.scripted_job import Ended, ScriptedJob
from gristmill.run.journal import read_journal
from gristmill.run.probes import PLACES, SPREAD, spread_candidates, spread_order
from gristmill.run.progress import End
from gristmill.run.records import FailedTry
from gristmill.run.triage import MOST_BAD_ROWS
from gristmill.spec.stop_rules import FailureClass, StopRule
from gristmill.spec.values import ErrorThreshold

Make = Callable[..., ScriptedJob]
FIFTH = ErrorThreshold(items=None, fraction=0.2, judged_at_end=False)
NEVER = ErrorThreshold(items=-1, fraction=None)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(items: int, size: int, bad: range, act: str = "raise", **wishes: object) -> ScriptedJob:
        poisons = {divmod(item, size): act for item in bad}
        return ScriptedJob(folder=tmp_path, items=items, mini_batch_size=size, poisons=poisons,
                           **{"isolates": True, "threshold": FIFTH, **wishes})  # type: ignore[arg-type]  # fmt: skip

    return made


def end(ended: Ended) -> End:
    assert ended.ending is not None
    return ended.ending.end


@pytest.mark.parametrize("size", [1, 10, 100])
@pytest.mark.parametrize("max_retries", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_script_that_fails_on_everything_is_found_out_by_twenty_places(
    make: Make, size: int, max_retries: int, workers: int
) -> None:
    job = make(10_000, size, range(10_000), max_retries=max_retries)
    assert end(job.start(workers=workers)) is End.SCRIPT
    assert sum(job.calls.values()) == PLACES + max_retries


@pytest.mark.parametrize("act", ["exit", "hang", "bad_return", "memory"])
def test_it_is_found_out_however_it_fails(make: Make, act: str) -> None:
    job = make(2000, 10, range(2000), act, max_retries=1)
    assert end(job.start(workers=1)) is End.SCRIPT
    assert sum(job.calls.values()) <= PLACES + 1


def test_it_is_found_out_though_run_must_not_be_repeated(make: Make) -> None:
    job = make(200, 1, range(200), max_retries=0, isolates=False)
    assert end(job.start(workers=2)) is End.SCRIPT
    assert max(job.calls.values()) == 1
    assert sum(job.calls.values()) == PLACES + 4  # the engine of this test has three queued for each worker


@pytest.mark.parametrize("size", [1, 10])
def test_a_bad_beginning_is_not_the_fault_of_the_script(make: Make, size: int) -> None:
    job = make(400, size, range(100), threshold=ErrorThreshold(items=100, fraction=None))
    ended = job.start(workers=3)
    assert end(ended) is End.ALL_DONE
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (100, 300)


def test_a_script_that_fails_at_each_first_try_is_no_failing_script(make: Make) -> None:
    job = make(100, 1, range(0), script={n: ["raise"] for n in range(100)})
    ended = job.start(workers=2)
    assert end(ended) is End.ALL_DONE
    assert set(job.calls.values()) == {2}
    assert ended.ledger.items_succeeded == 100


def test_the_files_that_were_tried_are_told_as_failed(make: Make) -> None:
    ended = make(1000, 10, range(1000)).start(workers=1)
    files = {task.span for task in ended.engine.tasks if task.span.items}
    assert ended.ledger.items_failed == len(files) > SPREAD
    assert ended.ledger.first_failure is not None


def test_a_job_that_was_stopped_looks_again_when_it_goes_on(make: Make) -> None:
    job = make(1000, 10, range(1000), max_retries=1)
    job.start(workers=1)
    before = sum(job.calls.values())
    assert end(job.start(workers=1, retry_failed=True)) is End.SCRIPT
    assert sum(job.calls.values()) - before <= PLACES + 3


def test_a_job_that_was_stopped_scores_everything_once_its_cause_is_repaired(make: Make) -> None:
    job = make(300, 10, range(300), max_retries=1)
    job.start(workers=2)
    job.poisons = {}
    ended = job.start(workers=2, retry_failed=True)
    assert end(ended) is End.ALL_DONE
    assert ended.ledger.items_succeeded == 300
    assert ended.output.count(b"\n") == 300


def test_where_the_places_were_unlucky_the_job_goes_on_if_it_may_not_stop(make: Make) -> None:
    first = make(400, 1, range(400), max_retries=0).start(workers=1)
    unlucky = range(400)
    tried = {task.span.first for task in first.engine.tasks}
    job = make(400, 1, range(0), max_retries=0, threshold=NEVER)
    job.folder = job.folder / "again"
    job.__post_init__()
    job.poisons = {(n, 0): "raise" for n in unlucky if n in tried}
    ended = job.start(workers=1)
    assert end(ended) is End.ALL_DONE
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (len(tried), 400 - len(tried))


def test_what_fails_after_a_success_is_isolated_again(make: Make) -> None:
    bad = {divmod(item, 10): "raise" for item in range(4000) if item < 3000 or item == 3955}
    job = make(4000, 10, range(0), threshold=NEVER, max_retries=0)
    job.poisons = bad | {(n, i): "raise" for n in range(300, 400) for i in range(10) if n < 390}
    ended = job.start(workers=1)
    assert ended.ledger.items_succeeded == 99


def test_a_rule_of_stop_when_lets_the_job_stop_too(make: Make) -> None:
    script = StopRule(failures=FailureClass.SCRIPT, count=100, fraction=None, window=None, minimum=100)
    job = make(1000, 10, range(1000), threshold=NEVER, stop_when=(script,))
    assert end(job.start(workers=1)) is End.SCRIPT


def test_the_tries_that_led_to_the_verdict_are_on_record(make: Make) -> None:
    job = make(1000, 10, range(1000), max_retries=2)
    job.start(workers=1)
    tries = [entry for entry in read_journal(job.journal_path) if isinstance(entry.record, FailedTry)]
    assert len(tries) == sum(job.calls.values())


@pytest.mark.parametrize("count", range(1, 33))
def test_the_order_of_places_holds_each_of_them_once(count: int) -> None:
    assert sorted(spread_order(count)) == list(range(count))


def test_the_first_places_are_far_from_each_other() -> None:
    assert spread_order(8)[:4] == [0, 4, 2, 6]
    assert SPREAD <= PLACES


def test_few_mini_batches_give_several_files_each() -> None:
    found = spread_candidates([3, 4], lambda mini_batch: 40, True, 20)
    assert {one.span.first: len(one.alone) for one in found} == {3: 10, 4: 10}


def test_parts_of_an_earlier_start_are_tried_before_there_is_a_verdict(make: Make) -> None:
    job = make(12, 12, range(11), max_retries=1, threshold=ErrorThreshold(items=11, fraction=None))
    job.start(workers=1, kill_in_pass=8)
    ended = job.start(workers=1)
    assert end(ended) is End.ALL_DONE
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (11, 1)


@pytest.mark.parametrize("bad", [[3], [0, 9], [2, 3, 4], [0, 2, 4, 6, 8], [*range(9)]])
def test_files_that_the_script_names_are_tried_alone_and_the_others_once_more(
    make: Make, bad: list[int]
) -> None:
    job = make(20, 10, range(0), max_retries=3)
    job.poisons = {(1, item): "raise" for item in bad}
    job.blames = lambda poisoned: poisoned
    ended = job.start(workers=1)
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (len(bad), 20 - len(bad))
    beside = [item for item in range(10) if item not in bad and (item == 0 or item - 1 in bad)]
    assert job.calls[1] == 1 + 2 * len(bad) + len(beside)


def test_files_that_are_named_and_not_in_the_mini_batch_do_not_count(make: Make) -> None:
    job = make(20, 10, range(0), max_retries=3)
    job.poisons = {(1, 4): "raise"}
    job.blames = lambda poisoned: [77]
    ended = job.start(workers=1)
    assert ended.ledger.items_failed == 1
    assert job.calls[1] >= 4  # it is repeated as a whole, as if nothing had been named


def test_a_script_that_names_every_file_of_the_input_is_found_out(make: Make) -> None:
    job = make(1000, 10, range(1000))
    job.blames = lambda poisoned: poisoned
    assert end(job.start(workers=1)) is End.SCRIPT


def test_a_piece_of_nothing_but_bad_rows_is_not_taken_apart_to_its_last_row(make: Make) -> None:
    job = make(20_000, 10_000, range(10_000, 20_000), threshold=NEVER, counts_rows=True)
    ended = job.start(workers=1)
    assert ended.ledger.items_failed == 10_000
    assert job.calls[1] < 4 + 5 * MOST_BAD_ROWS + 2 * 14
    assert ended.ledger.items_succeeded == 10_000


def test_bad_rows_among_good_ones_are_found_however_many_they_are(make: Make) -> None:
    job = make(2000, 1000, range(1000, 2000, 5), threshold=NEVER, counts_rows=True)
    assert job.start(workers=2).ledger.items_failed == 200


def test_bad_files_are_found_though_all_of_a_mini_batch_are_bad(make: Make) -> None:
    job = make(400, 200, range(201, 400), threshold=NEVER)
    assert job.start(workers=2).ledger.items_failed == 199
