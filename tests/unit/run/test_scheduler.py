"""The loop of a job, one fact at a time; "for all" is in tests/property/test_scheduler.py."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from doubles.scripted_engine import ScriptedEngine
from doubles.scripted_job import ScriptedJob, ScriptedPlan
from gristmill.engine.contract import Event, Farewell, Notice, Scored
from gristmill.errors import InputError, StorageError
from gristmill.run import scheduler as scheduler_module
from gristmill.run.commit import Committer
from gristmill.run.delivery import Delivery
from gristmill.run.journal import Journal, read_journal
from gristmill.run.ledger import Ledger
from gristmill.run.outputs import Outputs
from gristmill.run.progress import Progress
from gristmill.run.records import FailedTry, Mark, Modules, PlanComplete, Revoked
from gristmill.run.scheduler import End, Scheduler
from gristmill.run.triage import Rules
from gristmill.spec.values import ErrorThreshold

Make = Callable[..., ScriptedJob]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda **wishes: ScriptedJob(folder=tmp_path / "job", **wishes)


def records(job: ScriptedJob, kind: type) -> list[Any]:
    return [entry.record for entry in read_journal(job.journal_path) if isinstance(entry.record, kind)]


def limit(items: int) -> ErrorThreshold:
    return ErrorThreshold(items=items, fraction=None)


# Tries


@pytest.mark.parametrize("act", ["raise", "exit", "hang", "bad_return"])
def test_a_mini_batch_that_always_fails_is_tried_four_times(make: Make, act: str) -> None:
    job = make(items=4, script={1: [act] * 9}, max_retries=3)
    ended = job.start()
    assert dict(job.calls) == {0: 1, 1: 4, 2: 1, 3: 1}
    assert ended.output == b"0 0\n2 0\n3 0\n"


@pytest.mark.parametrize("act", ["raise", "exit", "hang", "bad_return"])
def test_success_at_the_last_try_is_success(make: Make, act: str) -> None:
    job = make(items=2, script={1: [act] * 3}, max_retries=3)
    ended = job.start()
    assert job.calls[1] == 4
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (0, 2)


def test_without_retries_there_is_one_call(make: Make) -> None:
    job = make(items=2, script={0: ["raise"]}, max_retries=0)
    job.start()
    assert dict(job.calls) == {0: 1, 1: 1}


def test_what_waited_behind_a_dead_worker_uses_up_no_try(make: Make) -> None:
    job = make(items=6, script={0: ["exit"]}, max_retries=0)
    ended = job.start(workers=1)
    assert dict(job.calls) == dict.fromkeys(range(6), 1)
    assert {task.attempt for task in ended.engine.tasks} == {1}
    assert ended.ledger.items_failed == 1


def test_every_failed_try_is_recorded_with_its_number_and_reason(make: Make) -> None:
    job = make(items=1, script={0: ["raise", "exit", "hang", "bad_return"]}, max_retries=3)
    job.start(workers=1)
    tries = [(one.attempt, one.reason, one.final, one.items) for one in records(job, FailedTry)]
    assert tries == [
        (1, "exception", False, 1), (2, "worker_died", False, 1), (3, "timeout", False, 1),
        (4, "bad_return", True, 1),
    ]  # fmt: skip


def test_all_items_of_a_failed_mini_batch_are_failed(make: Make) -> None:
    ended = make(items=25, mini_batch_size=10, script={2: ["raise"] * 4}).start()
    assert (ended.ledger.items_failed, ended.ledger.items_succeeded) == (5, 20)


def test_a_short_mini_batch_counts_its_missing_results_and_is_not_repeated(make: Make) -> None:
    job = make(items=10, mini_batch_size=5, script={0: ["short"]})
    ended = job.start()
    assert (ended.ledger.items_missing, ended.ledger.items_succeeded, job.calls[0]) == (1, 9, 1)


# Ends


def test_when_everything_is_done_the_engine_is_closed_and_not_halted(make: Make) -> None:
    ended = make(items=5).start()
    assert ended.ending is not None
    assert (ended.ending.end, ended.engine.is_closed, ended.engine.is_halted) == (End.ALL_DONE, True, False)


def test_at_threshold_zero_the_first_failure_stops_the_job(make: Make) -> None:
    job = make(items=100, script={0: ["raise"]}, max_retries=0, threshold=limit(0))
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.THRESHOLD
    assert (ended.engine.is_halted, ended.engine.is_closed) == (True, True)
    assert sum(job.calls.values()) < 10


def test_failures_at_the_threshold_do_not_stop_the_job(make: Make) -> None:
    job = make(items=9, script={n: ["raise"] for n in (1, 3)}, max_retries=0, threshold=limit(2))
    ended = job.start()
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE


def test_missing_results_count_against_the_threshold(make: Make) -> None:
    job = make(items=9, mini_batch_size=3, script={0: ["empty"]}, threshold=limit(2))
    ended = job.start()
    assert ended.ending is not None
    assert ended.ending.end is End.THRESHOLD


def test_a_share_is_looked_at_once_enough_items_are_done(make: Make) -> None:
    fifth = ErrorThreshold(items=None, fraction=0.2, minimum_sample=10)
    job = make(items=50, script={n: ["raise"] for n in range(9)}, max_retries=0, threshold=fifth)
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.THRESHOLD
    assert ended.ledger.items_done >= 10


def test_a_cancelled_job_tells_who_wanted_it(make: Make) -> None:
    ended = make(items=50).start(cancel_in_pass=3)
    assert ended.ending is not None
    assert (ended.ending.end, ended.ending.message) == (End.CANCELLED, "asked to")
    assert ended.engine.answers == ended.engine.handed_out
    assert 0 < ended.ledger.items_done < 50


def test_a_disk_that_fills_under_a_worker_stops_the_job_and_uses_up_no_try(make: Make) -> None:
    job = make(items=9, script={4: ["no_disk"]}, max_retries=0)
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN
    assert "no space left on device; make room or repair the disk, then resume" in ended.ending.message
    assert records(job, FailedTry) == []
    assert job.start().ledger.items_succeeded == 9


# Workers


def test_a_first_start_that_fails_ends_the_job_with_the_scripts_traceback(make: Make) -> None:
    job = make(items=9)
    ended = job.start(workers=2, starts={0: ["fail"], 1: ["fail"]})
    assert ended.ending is not None
    assert ended.ending.end is End.CANNOT_START
    assert ended.ending.message == "init() raised\nTraceback: in init()"
    assert ended.ending.log == "logs/0"
    assert sum(job.calls.values()) == 0
    assert ended.engine.restarts == []


def test_a_slot_that_never_starts_again_is_given_up_and_the_others_go_on(make: Make) -> None:
    script = {0: ["exit"], **{n: ["hang"] * 9 for n in range(1, 12)}}
    job = make(items=12, script=script, max_retries=8)
    ended = job.start(workers=2, starts={0: ["ok", *["fail"] * 9]})
    assert ended.engine.restarts == [(0, 1.0), (0, 5.0), (0, 15.0)]
    assert ended.engine.given_up == [0]
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert "worker 0 is given up: init() raised" in ended.notices


def test_when_no_slot_is_left_the_job_ends(make: Make) -> None:
    job = make(items=9, script={0: ["exit"]})
    ended = job.start(workers=1, starts={0: ["ok", *["fail"] * 9]})
    assert ended.ending is not None
    assert ended.ending.end is End.CANNOT_START
    assert ended.engine.restarts == [(0, 1.0), (0, 5.0), (0, 15.0)]
    assert ended.ledger.items_done == 0


def test_a_worker_that_dies_before_its_first_mini_batch_every_time_is_given_up(make: Make) -> None:
    job = make(items=9)
    ended = job.start(workers=1, starts={0: ["die"] * 50})
    assert ended.ending is not None
    assert ended.ending.end is End.CANNOT_START
    assert len(ended.engine.restarts) == 3


def test_a_good_start_forgets_the_bad_ones_before(make: Make) -> None:
    job = make(items=9, script={0: ["exit", "exit"], 1: ["exit", "exit"]}, max_retries=9)
    starts = {0: ["ok", "fail", "fail", "ok", "fail", "fail", "ok", "fail", "fail", "ok"]}
    ended = job.start(workers=1, starts=starts)
    assert ended.engine.restarts == [(0, 1.0), (0, 5.0)] * 3
    assert ended.ledger.items_succeeded == 9


def test_a_replaced_worker_is_told(make: Make) -> None:
    ended = make(items=3, script={0: ["exit"]}).start(workers=1)
    assert "worker 0 is gone; it is replaced" in ended.notices


# The script's own modules


def test_modules_are_recorded_once(make: Make) -> None:
    job = make(items=6, script={0: ["exit"]})
    job.start(modules=lambda start: (("score.py", "aa"), *([("late.py", "bb")] if start > 1 else [])))
    assert [one.modules for one in records(job, Modules)] == [(("score.py", "aa"),), (("late.py", "bb"),)]


def test_a_module_that_changed_stops_the_job_and_is_named(make: Make) -> None:
    job = make(items=60, script={0: ["exit"]})
    ended = job.start(workers=1, modules=lambda start: (("score.py", f"hash-{start}"),))
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN
    assert "score.py in the job's copy of the code has changed" in ended.ending.message


def test_a_module_that_changed_before_a_resume_stops_the_job(make: Make) -> None:
    job = make(items=60)
    job.start(cancel_in_pass=2, modules=lambda start: (("score.py", "old"),))
    ended = job.start(modules=lambda start: (("score.py", "new"),))
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN


# Plan, columns, files


def test_work_is_done_before_the_listing_is_over(make: Make) -> None:
    job = make(items=50, grows_by=1)
    job.start(workers=2)
    kinds = [type(entry.record) for entry in read_journal(job.journal_path)]
    assert 0 < kinds.index(Scored) < kinds.index(PlanComplete)


def test_the_end_of_the_listing_is_recorded_once_over_all_starts(make: Make) -> None:
    job = make(items=50)
    job.start(cancel_in_pass=3)
    job.start()
    assert records(job, PlanComplete) == [PlanComplete(50, 50)]


class BrokenPlan(ScriptedPlan):
    """Its input goes away after the first mini-batches."""

    def step(self, budget_s: float) -> None:
        if self.mini_batches:
            raise InputError("the input folder is gone")
        self.mini_batches = 2


def test_an_input_that_goes_away_stops_the_job_and_keeps_what_is_finished(make: Make) -> None:
    ended = make(items=9).start(plan=BrokenPlan(9, 1))
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN
    assert "the input folder is gone. What was finished is kept" in ended.ending.message
    assert ended.engine.is_closed


def test_columns_of_all_parts_share_one_numbering(make: Make) -> None:
    job = make(
        items=6, script={2: ["exit"]}, with_header=True, columns=lambda n: ("a",) if n % 2 else ("b", "a"),
        rows=lambda n, items: [b"%d\n" % n] if n % 2 else [b"x,%d\n" % n],
    )  # fmt: skip
    ended = job.start(workers=3)
    assert sorted(ended.ledger.columns) == [("a",), ("b", "a")]
    assert ended.output == b"b,a\nx,0\n,1\nx,2\n,3\nx,4\n,5\n"


def test_columns_keep_their_numbers_after_a_resume(make: Make) -> None:
    job = make(items=30, with_header=True, columns=lambda n: (f"c{n % 3}",))
    job.start(workers=2, cancel_in_pass=4)
    ended = job.start(workers=2)
    assert sorted(ended.ledger.columns) == [("c0",), ("c1",), ("c2",)]
    assert ended.assembly is not None
    assert ended.assembly.columns == ("c0", "c1", "c2")


def test_files_of_a_script_are_moved_once_their_outcome_is_synced(make: Make) -> None:
    job = make(items=3, script={1: ["raise", "file"]})
    job.start()
    assert (job.output / "1.txt").read_text() == "1\n"
    assert isinstance(records(job, Mark)[0], Mark)


def test_a_long_job_is_synced_while_it_runs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "SYNC_EVERY_S", -1.0)
    job = make(items=9, script={0: ["file"]})
    job.start(workers=1, kill_in_pass=4)
    assert len(records(job, Mark)) == 3
    assert (job.output / "0.txt").exists()


def test_before_every_mark_the_parts_are_synced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, mark = ScriptedEngine.sync, Journal.mark
    monkeypatch.setattr(ScriptedEngine, "sync", lambda self: (order.append("parts"), sync(self))[1])
    monkeypatch.setattr(Journal, "mark", lambda self: (order.append("mark"), mark(self))[1])
    monkeypatch.setattr(ScriptedJob, "publish", lambda *given: (None, b""))
    make(items=3).start()
    assert order == ["parts", "mark"]


# Outcomes that are held: a library keeps a file in the output folder open


def test_a_held_outcome_brings_its_files_once_its_worker_tells_one_that_is_not_held(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "SYNC_EVERY_S", -1.0)
    job = make(items=3, script={0: ["hold"], 1: ["hold"], 2: ["let_go"]})
    seen: list[list[str]] = []
    deliver = Outputs.deliver

    def watched(self: Outputs) -> None:
        deliver(self)
        seen.append([path.name for path in job.output.iterdir()])

    monkeypatch.setattr(Outputs, "deliver", watched)
    ended = job.start(workers=1)
    assert ended.ledger.held == {}
    assert next(names for names in seen if names) == ["2.txt"]
    assert ended.output == b"0 0\n1 0\n2 0\n"
    assert records(job, Farewell) == records(job, Revoked) == []


def test_held_outcomes_count_once_their_worker_says_goodbye(make: Make) -> None:
    job = make(items=4, script={0: ["hold"]})
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert [one.held for one in records(job, Scored)] == [1, 1, 1, 1]
    assert len(records(job, Farewell)) == 1
    assert ended.ledger.held == {}
    assert (ended.output, dict(job.calls)) == (b"0 0\n1 0\n2 0\n3 0\n", dict.fromkeys(range(4), 1))


def test_a_goodbye_that_leaves_nothing_and_releases_nothing_is_not_recorded(make: Make) -> None:
    job = make(items=4)
    job.start(workers=2)
    assert records(job, Farewell) == []


@pytest.mark.parametrize("act", ["exit", "hang"])
def test_what_was_held_when_its_worker_died_is_void_and_run_again(make: Make, act: str) -> None:
    job = make(items=4, script={0: ["hold"], 2: [act]})
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert sorted(one.span.first for one in records(job, Revoked)) == [0, 1]
    assert dict(job.calls) == {0: 2, 1: 2, 2: 2, 3: 1}
    assert ended.output == b"0 0\n1 0\n2 0\n3 0\n"
    assert (ended.ledger.items_succeeded, ended.ledger.items_failed) == (4, 0)


def test_void_outcomes_are_run_again_under_the_number_of_their_try(make: Make) -> None:
    job = make(items=2, script={0: ["raise", "hold"], 1: ["exit", "exit"]}, max_retries=2)
    job.start(workers=1)
    attempts = [one.attempt for one in records(job, Scored) if one.span.first == 0]
    assert attempts == [2, 2]


def test_only_what_the_dead_worker_held_is_void(make: Make) -> None:
    job = make(items=6, script={0: ["hold"], 1: ["hold"], 4: ["exit"]})
    ended = job.start(workers=2)
    dead = {one.part for one in records(job, Revoked)}
    assert len(dead) == 1
    assert ended.ledger.items_succeeded == 6
    assert ended.output == b"".join(b"%d 0\n" % number for number in range(6))


def test_a_worker_that_dies_in_shutdown_with_a_file_held_open_leaves_the_job_unfinished(make: Make) -> None:
    job = make(items=4, script={1: ["hold"]})
    ended = job.start(workers=1, dying_in_shutdown=frozenset({0}))
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN
    assert "a worker died in shutdown() while a library held a file" in ended.ending.message
    assert ended.ledger.items_succeeded == 1
    assert ended.output == b"0 0\n"
    again = job.start(workers=1)
    assert again.ending is not None
    assert again.ending.end is End.ALL_DONE
    assert dict(job.calls) == {0: 1, 1: 2, 2: 2, 3: 2}
    assert again.output == b"0 0\n1 0\n2 0\n3 0\n"


def test_a_cancelled_job_keeps_what_was_held(make: Make) -> None:
    job = make(items=20, script={1: ["hold"]})
    cancelled = job.start(workers=1, cancel_in_pass=9)
    assert cancelled.ledger.held == {}
    assert cancelled.output.startswith(b"0 0\n1 0\n2 0\n")
    assert cancelled.ledger.items_succeeded == cancelled.output.count(b"\n")
    ended = job.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert ended.output == b"".join(b"%d 0\n" % number for number in range(20))


def test_a_killed_job_runs_again_what_was_held(make: Make) -> None:
    job = make(items=20, script={1: ["hold"]})
    killed = job.start(workers=1, kill_in_pass=9)
    held = sum(len(ones) for ones in killed.ledger.held.values())
    ended = job.start(workers=1)
    assert held > 1
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert sum(job.calls.values()) == 20 + held
    assert ended.output == b"".join(b"%d 0\n" % number for number in range(20))


# What people see, and what breaks


def test_a_notice_is_told_once_per_key(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    events = ScriptedEngine.events

    def noisy(self: ScriptedEngine, timeout_s: float) -> list[Event]:
        return [Notice("nested", "return a DataFrame"), *events(self, timeout_s)]

    monkeypatch.setattr(ScriptedEngine, "events", noisy)
    assert make(items=20).start().notices.count("return a DataFrame") == 1


def run_with(tmp_path: Path, **wishes: Any) -> list[Progress]:
    plan = ScriptedPlan(5, 2)
    outputs = Outputs(
        Committer(tmp_path / "staging" / "parts", tmp_path / "staging", [], False),
        Delivery(tmp_path / "staging", tmp_path, tmp_path / "log"),
    )
    scheduler = Scheduler(
        plan=plan, engine=ScriptedEngine(staging=tmp_path / "staging", item_count=plan.item_count),
        journal=Journal(tmp_path / "journal.bin", 1, 0), ledger=Ledger(),
        rules=Rules(max_retries=3, error_threshold=limit(-1), isolates=False), outputs=outputs, **wishes,
    )  # fmt: skip
    progress = list(scheduler.run())
    outputs.close()
    return progress


def test_the_last_progress_says_that_all_is_done(tmp_path: Path) -> None:
    last = run_with(tmp_path)[-1]
    assert (last.items, last.done, last.failed, last.plan_complete) == (5, 5, 0, True)


def test_what_is_done_aside_goes_on_with_every_pass_and_is_told_to_its_end(tmp_path: Path) -> None:
    done_by: list[int] = []

    def work() -> Iterator[tuple[str, ...]]:
        for _ in range(1000):  # far more steps than there are passes
            done_by.append(1)
            yield ()
        yield ("3 files are new",)

    progress = run_with(tmp_path, aside=work())
    assert len(done_by) == 1000
    assert "3 files are new" in progress[-1].notices


def test_nobody_waits_for_what_is_done_aside_when_the_job_is_cancelled(tmp_path: Path) -> None:
    work = iter([("told in the first pass",), *[()] * 1000, ("never told",)])
    progress = run_with(tmp_path, aside=work, cancel_reason=lambda: "enough")
    told = [notice for one in progress for notice in one.notices]
    assert ("told in the first pass" in told, "never told" in told) == (True, False)


def test_an_empty_plan_ends_at_once(make: Make) -> None:
    ended = make(items=0).start()
    assert ended.ending is not None
    assert (ended.ending.end, ended.output) == (End.ALL_DONE, b"")


def test_when_the_journal_cannot_be_written_the_engine_is_stopped(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[ScriptedEngine] = []
    start, write = ScriptedEngine.start, os.write

    def watched(self: ScriptedEngine) -> None:
        engines.append(self)
        start(self)
        monkeypatch.setattr(os, "write", full)

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ScriptedEngine, "start", watched)
    job = make(items=5)
    with pytest.raises(StorageError, match="make room on its disk, then resume"):
        job.start()
    monkeypatch.setattr(os, "write", write)
    assert (engines[0].is_halted, engines[0].is_closed) == (True, True)


def test_a_loop_that_is_left_stops_the_engine(make: Make) -> None:
    ended = make(items=50).start(kill_in_pass=3)
    assert ended.ending is None
    assert (ended.engine.is_halted, ended.engine.is_closed) == (True, True)


def test_a_finished_job_that_is_started_again_runs_nothing(make: Make) -> None:
    job = make(items=9, script={3: ["raise"] * 4})
    first = job.start()
    again = job.start()
    assert again.engine.tasks == []
    assert again.output == first.output
