"""One bad file costs one file, however it kills (contract, 5.3)."""

from __future__ import annotations

import pytest

from flow.mill import Mill

HARMFUL = """
import signal
def run(mini_batch):
    called(mini_batch)
    rows = []
    for path in mini_batch:
        kind = Path(path).read_text()
        if kind == "raise":
            raise ValueError("as asked")
        if kind == "exit":
            os._exit(3)
        if kind == "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            held_until("never")
        rows.append(os.path.basename(path))
    if "return" in [Path(path).read_text() for path in mini_batch]:
        return "not a list"
    return rows
"""
REASONS = {
    "raise": "exception",
    "exit": "worker_died",
    "segv": "worker_died",
    "kill": "worker_died",
    "hang": "timeout",
    "return": "bad_return",
}


@pytest.fixture(scope="module", params=[1, 2])
def poisoned(request: pytest.FixtureRequest, new_mill):  # type: ignore[no-untyped-def]
    """Score 60 files, ten per mini-batch, of which one of each kind is harmful, two in one mini-batch."""
    mill = new_mill()
    places = dict(zip([3, 17, 24, 38, 39, 51], REASONS, strict=True))
    mill.inputs({f"{number:02}": places.get(number, "ok") for number in range(60)})
    mill.script(HARMFUL)
    mill.deployment(
        f"mini_batch_size: 10, max_concurrency_per_instance: {request.param}, "
        "retry_settings: {max_retries: 1, timeout: 0.7}"
    )
    return mill, mill.run(), places


def test_every_good_file_is_scored_once_and_in_order(poisoned) -> None:  # type: ignore[no-untyped-def]
    mill, ended, places = poisoned
    good = [f"{number:02}" for number in range(60) if number not in places]
    assert ended.counts == (60, 54, 6, 0), ended.err
    assert mill.bytes().decode().split() == good
    assert mill.type("verify", "j").status == 0


def test_every_bad_file_is_named_with_the_right_reason(poisoned) -> None:  # type: ignore[no-untyped-def]
    mill, _, places = poisoned
    found = {line["input"]: line["reason"] for line in mill.failures()}
    assert found == {f"{number:02}": REASONS[kind] for number, kind in places.items()}


def test_a_bad_file_is_tried_alone_at_most_twice(poisoned) -> None:  # type: ignore[no-untyped-def]
    mill, _, places = poisoned
    calls = mill.calls()
    assert {number: calls.count(f"{number:02}") for number in places} == dict.fromkeys(places, 2)


def test_without_isolation_a_bad_file_takes_its_mini_batch_along(mill: Mill) -> None:
    mill.inputs({f"{number:02}": "raise" if number == 7 else "ok" for number in range(20)})
    mill.script(HARMFUL)
    mill.deployment("mini_batch_size: 10", "gristmill: {isolate_failures: false}")

    assert mill.run().counts == (20, 10, 10, 0)


def test_a_run_that_must_not_be_repeated_is_not_isolated_unless_asked_for(mill: Mill) -> None:
    mill.inputs({f"{number:02}": "raise" if number == 7 else "ok" for number in range(20)})
    mill.script(HARMFUL)
    mill.deployment("mini_batch_size: 10, retry_settings: {max_retries: 0}")

    whole = mill.run("--job-name", "whole", "--output-path", "whole")
    asked = mill.run("--set", "gristmill.isolate_failures=true")

    assert whole.counts == (20, 10, 10, 0)
    assert asked.counts == (20, 19, 1, 0)


def test_a_script_that_fails_on_everything_is_found_out_at_once(mill: Mill) -> None:
    mill.inputs(dict.fromkeys([f"{number:04}" for number in range(2000)], "raise"))
    mill.script(HARMFUL)
    mill.deployment("mini_batch_size: 10, error_threshold: 100, retry_settings: {max_retries: 1}")

    ended = mill.run()

    assert ended.status == 1
    assert "it is the fault of the script" in ended.err
    assert len(mill.calls()) < 80


def test_a_job_that_is_stopped_while_it_isolates_goes_on_with_the_rest(mill: Mill) -> None:
    mill.inputs({f"{number:02}": "raise" if number in (3, 7) else "ok" for number in range(20)})
    mill.script(
        HARMFUL.replace("    called(mini_batch)\n", "    called(mini_batch)\n    stop_once(mini_batch)\n")
        + """
def stop_once(mini_batch):
    if len(mini_batch) < 5 and not (HERE / "stopped").exists():
        (HERE / "stopped").touch()
        os.kill(os.getppid(), 15)
        held_until("never")
"""
    )
    mill.deployment("mini_batch_size: 10, retry_settings: {max_retries: 1}")

    cancelled = mill.run()
    resumed = mill.type("resume", "j", "--json")

    assert cancelled.status == 3
    assert resumed.counts == (20, 18, 2, 0)
    assert mill.type("verify", "j").status == 0


def test_parts_of_the_only_mini_batch_are_kept_when_its_job_is_stopped(mill: Mill) -> None:
    mill.inputs({f"{number:02}": "raise" if number == 3 else "ok" for number in range(10)})
    mill.script(
        HARMFUL.replace("    called(mini_batch)\n", "    called(mini_batch)\n    stop_once(mini_batch)\n")
        + """
def stop_once(mini_batch):
    if names(mini_batch)[0] == "04" and not (HERE / "stopped").exists():
        (HERE / "stopped").touch()
        os.kill(os.getppid(), 15)
        held_until("never")
"""
    )
    mill.deployment("mini_batch_size: 10, retry_settings: {max_retries: 1}")
    items, scored, failed, not_run = mill.run().counts
    assert (items, failed, scored + not_run) == (10, 0, 10)
    assert scored > 0

    resumed = mill.type("resume", "j", "--json")

    assert resumed.counts == (10, 9, 1, 0)
    assert mill.bytes().split() == [b"%02d" % number for number in range(10) if number != 3]
    assert mill.calls().count("09") == 1
    assert mill.type("verify", "j").status == 0
