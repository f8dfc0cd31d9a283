"""A job that is stopped keeps what was finished, says so, and goes on with `resume` (5.5, 5.8, 5.9)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from flow.holding import ONE_BY_ONE, held, is_gone, prepared, rows
from flow.mill import Mill, finished, until

# ------------------------------------------------------------------------------------ cancelling


def interrupt(number: signal.Signals) -> Callable[[Mill, subprocess.Popen[bytes]], None]:
    return lambda mill, process: process.send_signal(number)


def cancel_from_elsewhere(mill: Mill, process: subprocess.Popen[bytes]) -> None:
    assert mill.type("job", "cancel", "j").status == 0


CANCELS = {
    "ctrl-c": interrupt(signal.SIGINT),
    "sigterm": interrupt(signal.SIGTERM),
    "job-cancel": cancel_from_elsewhere,
}


class Cancelled:
    """A job of 8 mini-batches with 2 workers, stopped when 4 and 5 are in flight; later resumed."""

    def __init__(self, mill: Mill, stop: Callable[[Mill, subprocess.Popen[bytes]], None]) -> None:
        self.mill = prepared(
            mill,
            ["ok", "ok", "ok", "ok", "wait", "wait", "ok", "ok"],
            "mini_batch_size: 1, max_concurrency_per_instance: 2",
        )
        (mill.root / "tmp").mkdir()
        mill.variables["TMPDIR"] = str(mill.root / "tmp")
        process = mill.start_run()
        until(lambda: {"004", "005"} <= set(mill.calls()), "both held mini-batches have been called")
        self.pids = mill.lines("pids")
        stop(mill, process)
        self.ended = finished(process)
        self.left = [pid for pid in self.pids if not is_gone(pid)]
        self.temporary = os.listdir(mill.root / "tmp")
        self.output = mill.output()
        self.partial = mill.bytes("out/predictions.partial.csv")
        self.calls = mill.calls()
        self.verified = mill.type("verify", "j")
        (mill.root / "go").touch()
        self.resumed = mill.type("resume", "j", "--json")


@pytest.fixture(scope="module", params=CANCELS)
def cancelled(request: pytest.FixtureRequest, new_mill: Callable[[], Mill]) -> Cancelled:
    return Cancelled(new_mill(), CANCELS[request.param])


def test_cancelled_job_ends_with_status_three(cancelled: Cancelled) -> None:
    assert cancelled.ended.status == 3
    assert cancelled.ended.view["status"] == "Canceled"
    assert "gristmill resume j" in cancelled.ended.err


def test_what_was_in_flight_at_a_cancel_is_not_run(cancelled: Cancelled) -> None:
    total, succeeded, failed, not_run = cancelled.ended.counts
    assert (total, failed) == (8, 0)
    assert (succeeded, not_run) in {(4, 4), (5, 3), (6, 2)}
    assert len(cancelled.calls) == succeeded + 2


def test_no_worker_outlives_a_cancelled_job(cancelled: Cancelled) -> None:
    assert len(cancelled.pids) == 2
    assert cancelled.left == []


def test_cancelled_job_leaves_nothing_in_the_temporary_folder(cancelled: Cancelled) -> None:
    assert cancelled.temporary == []


def test_cancelled_job_keeps_what_was_finished_as_partial(cancelled: Cancelled) -> None:
    finished_ones = [int(name) for name in cancelled.calls if name not in {"004", "005"}]
    assert cancelled.partial == rows(*sorted(finished_ones))
    assert "predictions.csv" not in cancelled.output


def test_cancelled_job_verifies(cancelled: Cancelled) -> None:
    assert cancelled.verified.status == 0, cancelled.verified.out


def test_resume_runs_only_what_was_not_finished(cancelled: Cancelled) -> None:
    counts = [cancelled.mill.calls().count(f"{number:03d}") for number in range(8)]
    assert counts == [1, 1, 1, 1, 2, 2, 1, 1]


def test_resumed_job_has_the_output_of_an_undisturbed_run_and_no_partial(cancelled: Cancelled) -> None:
    assert cancelled.resumed.status == 0
    assert cancelled.resumed.counts == (8, 8, 0, 0)
    assert cancelled.mill.bytes() == rows(*range(8))
    assert cancelled.mill.output() == ["predictions.columns.json", "predictions.csv"]


def test_a_second_interrupt_stops_at_once_and_the_job_can_be_resumed(mill: Mill) -> None:
    process = held(mill)
    pids = mill.lines("pids")

    while process.poll() is None:
        process.send_signal(signal.SIGINT)
    until(lambda: all(map(is_gone, pids)), "the guard has ended the workers")
    (mill.root / "go").touch()

    assert finished(process).status == 3
    assert mill.type("resume", "j").status == 0
    assert mill.bytes() == rows(0, 1, 2)


def test_hangup_changes_nothing(mill: Mill) -> None:
    process = held(mill)

    process.send_signal(signal.SIGHUP)
    (mill.root / "go").touch()

    ended = finished(process)
    assert ended.status == 0
    assert ended.counts == (3, 3, 0, 0)


def test_a_running_job_is_locked_and_the_second_writer_is_told_who_holds_it(mill: Mill) -> None:
    process = held(mill)

    resumed = mill.type("resume", "j")
    shown = mill.show()
    (mill.root / "go").touch()

    assert finished(process).status == 0
    assert resumed.status == 2
    assert resumed.out == ""
    assert str(process.pid) in resumed.err
    assert shown["status"] == "Running"
    assert mill.calls() == ["000", "001", "002"]


def test_killed_job_is_shown_as_interrupted_and_resume_completes_it(mill: Mill) -> None:
    process = held(mill)

    process.kill()
    finished(process)
    until(lambda: all(map(is_gone, mill.lines("pids"))), "the guard has ended the workers")
    shown = mill.show()
    (mill.root / "go").touch()
    resumed = mill.type("resume", "j", "--json")

    assert shown["is_interrupted"]
    assert shown["next_command"] == "gristmill resume j"
    assert resumed.status == 0
    assert resumed.counts == (3, 3, 0, 0)
    assert mill.bytes() == rows(0, 1, 2)
    assert mill.calls() == ["000", "001", "001", "002"]


def test_a_script_that_is_edited_while_its_job_runs_changes_nothing(mill: Mill) -> None:
    process = held(mill)

    mill.write("code/score.py", "this is no Python")
    os.kill(int(mill.lines("pids")[0]), signal.SIGKILL)
    until(lambda: len(mill.lines("pids")) == 2, "the worker has been replaced")
    (mill.root / "go").touch()

    assert finished(process).status == 0
    assert mill.bytes() == rows(0, 1, 2)


# ------------------------------------------------------------------------------------ what is refused


def test_a_completed_job_is_not_resumed(mill: Mill) -> None:
    prepared(mill, ["ok"])
    assert mill.run().status == 0

    resumed = mill.type("resume", "j")

    assert resumed.status == 2
    assert "j is Completed" in resumed.err
    assert mill.calls() == ["000"]


@pytest.mark.parametrize(
    ("command", "status"),
    [("resume", 2), ("verify", 2), ("job show", 3), ("job logs", 2), ("job stream", 2), ("job cancel", 2)],
)
def test_an_unknown_job_is_named_in_the_answer(mill: Mill, command: str, status: int) -> None:
    ended = mill.type(*command.split(), "nobody")
    assert ended.status == status
    assert ended.out == ""
    assert "nobody" in ended.err
    assert "gristmill job list" in ended.err


def test_a_changed_model_refuses_the_resume_and_names_the_file(mill: Mill) -> None:
    mill.write("model/weights.bin", "one")
    mill.write("model/labels.txt", "same")
    process = held(mill, "--model", "model")
    process.send_signal(signal.SIGINT)
    assert finished(process).status == 3
    mill.write("model/weights.bin", "another")

    resumed = mill.type("resume", "j")

    assert resumed.status == 2
    assert "weights.bin" in resumed.err
    assert "labels.txt" not in resumed.err
    assert mill.show()["status"] == "Canceled"
    assert mill.calls() == ["000", "001"]


def test_an_existing_output_is_refused_before_anything_runs(mill: Mill) -> None:
    prepared(mill, ["ok"])
    mill.write("out/predictions.csv", "precious")

    ended = mill.run()

    assert ended.status == 2
    assert "--overwrite" in ended.err
    assert mill.bytes() == b"precious"
    assert mill.output() == ["predictions.csv"]
    assert (mill.calls(), mill.jobs()) == ([], [])


def test_summary_only_refuses_an_output_folder_with_anything_in_it(mill: Mill) -> None:
    prepared(mill, ["ok"], "output_action: summary_only")
    mill.write("out/somebody.txt", "precious")

    ended = mill.run()

    assert ended.status == 2
    assert mill.output() == ["somebody.txt"]
    assert (mill.calls(), mill.jobs()) == ([], [])
    assert mill.run("--overwrite").status == 0


@pytest.mark.parametrize(("words", "status"), [((), 0), (("--strict",), 4)])
def test_failed_items_of_a_completed_job_matter_under_strict(
    mill: Mill, words: tuple[str, ...], status: int
) -> None:
    prepared(mill, ["ok", "bad"], ONE_BY_ONE)
    assert mill.run(*words).status == status
