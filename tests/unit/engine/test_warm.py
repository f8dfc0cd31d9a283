"""Workers that go on with another job: what stays, what is switched, and what is put in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.assignment import Shift
from doubles.warm import WarmBench, notices
from gristmill.engine import standby as standby_module
from gristmill.engine.contract import (
    Columns,
    Failed,
    Farewell,
    Notice,
    Ready,
    Scored,
    Span,
    StartFailed,
    WorkerEnded,
    pieces_in,
)
from unit.engine.conftest import Warm

# What stays, what is switched

SWITCHED = """
import logging

CALLS = 0


def init():
    tell("starts", os.getpid())
    print("loaded")


def run(mini_batch, context):
    global CALLS
    CALLS += 1
    name = os.environ["GRISTMILL_JOB_NAME"]
    tell("calls", name, context.job_name, CALLS, os.getpid())
    tell("places", os.getcwd(), os.environ["TMPDIR"], os.environ["AZUREML_BI_OUTPUT_PATH"])
    tell("switched", os.environ["MLFLOW_TRACKING_URI"], os.environ["GRISTMILL_LOG_DIR"])
    print("out", name)
    os.write(2, ("err %s\\n" % name).encode())
    logging.getLogger().warning("logged %s", name)
    if context.minibatch_index == 3:
        raise ValueError("bad in " + name)
    return mini_batch
"""


@pytest.fixture(scope="module")
def two_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmBench, Shift, Shift]]:
    bench = WarmBench(tmp_path_factory.mktemp("two-jobs"), SWITCHED, files=[b"%d" % n for n in range(5)])
    first, second = bench.work("first"), bench.work("second")
    yield bench, first, second
    bench.close()


Two = tuple[WarmBench, Shift, Shift]


def test_the_same_process_serves_both_jobs_and_init_is_called_once(two_jobs: Two) -> None:
    bench, first, second = two_jobs
    [process] = bench.told("starts")
    assert {line.split()[3] for line in bench.told("calls")} == {process}
    assert bench.idle() == [int(process)]
    assert (len(first.all(Ready)), len(second.all(Ready))) == (1, 1)
    assert notices(first.events + second.events) == []


def test_globals_of_the_script_stay(two_jobs: Two) -> None:
    assert [int(line.split()[2]) for line in two_jobs[0].told("calls")] == list(range(1, 11))


def test_the_name_of_the_job_is_switched_in_the_environment_and_in_the_context(two_jobs: Two) -> None:
    names = [line.split()[:2] for line in two_jobs[0].told("calls")]
    assert names == [["first", "first"]] * 5 + [["second", "second"]] * 5


@pytest.mark.parametrize(("kind", "word"), [("stdout", "out"), ("stderr", "err")])
def test_what_is_printed_is_in_the_log_of_its_job_alone(two_jobs: Two, kind: str, word: str) -> None:
    bench = two_jobs[0]
    head = "loaded\n" if kind == "stdout" else ""
    assert bench.log("first", kind) == head + f"{word} first\n" * 5
    assert bench.log("second", kind) == f"{word} second\n" * 5


@pytest.mark.parametrize("job", ["first", "second"])
def test_what_is_logged_and_what_failed_is_in_the_logs_of_its_job_alone(two_jobs: Two, job: str) -> None:
    bench, *shifts = two_jobs
    other = {"first": "second", "second": "first"}[job]
    logged, errors = bench.log(job, "entry_script_log"), bench.log(job, "error")
    assert (logged.count(f"logged {job}"), logged.count(other)) == (5, 0)
    assert (errors.count(f"ValueError: bad in {job}"), errors.count(other)) == (1, 0)
    [failed] = shifts[job == "second"].all(Failed)
    assert failed.message.startswith(f"ValueError: bad in {job}")
    assert failed.log.startswith("logs/user/error/node-0/process000.txt:")


def test_the_places_of_a_worker_stay_the_same_for_its_whole_life(two_jobs: Two) -> None:
    assert len(set(two_jobs[0].told("places"))) == 1


def test_mlflow_s_store_and_the_folder_of_logs_are_those_of_the_job(two_jobs: Two) -> None:
    stores = [line.split()[0] for line in two_jobs[0].told("switched")]
    folders = [line.split()[1] for line in two_jobs[0].told("switched")]
    for number, name in ((0, "first"), (5, "second")):
        job = two_jobs[0].folder / name
        assert set(stores[number : number + 5]) == {(job / "mlruns").as_uri()}
        assert set(folders[number : number + 5]) == {f"{job}/logs/user/entry_script_log/node-0"}


def test_rows_go_to_the_part_of_their_job(two_jobs: Two) -> None:
    bench, *shifts = two_jobs
    for name, shift in zip(("first", "second"), shifts, strict=True):
        bench.bench.assignment = bench.assignments[name]
        rows = [row for scored in sorted(shift.all(Scored)) for row in bench.bench.rows(scored)]
        assert rows == [f"{bench.bench.input}/{n}" for n in (0, 1, 2, 4)]


def test_a_script_that_names_a_store_of_its_own_keeps_it(warm: Warm) -> None:
    bench = warm(
        """
        def init():
            os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///mine"

        def run(mini_batch):
            tell("stores", os.environ["MLFLOW_TRACKING_URI"])
            return mini_batch
        """,
        files=[b"a"],
    )
    bench.work("first")
    bench.work("second")
    assert bench.told("stores") == ["sqlite:///mine"] * 2


def test_columns_and_notices_are_told_anew_for_each_job(warm: Warm) -> None:
    bench = warm("def run(mini_batch):\n    return [{'a': 1} for _ in mini_batch]", files=[b"a"])
    first, second = (bench.work(name, output_format="csv") for name in ("first", "second"))
    assert [len(shift.all(Columns)) for shift in (first, second)] == [1, 1]
    assert [[n.key for n in shift.all(Notice)] for shift in (first, second)] == [["no_init"]] * 2


def test_what_is_printed_between_jobs_is_in_the_log_of_the_one_before(warm: Warm) -> None:
    bench = warm(
        """
        def later():
            wait_for("over")
            print("later", flush=True)
            tell("printed")

        def init():
            threading.Thread(target=later, daemon=True).start()

        def run(mini_batch):
            return mini_batch
        """,
        files=[b"a"],
    )
    bench.work("first")
    (bench.bench.seen / "over").touch()
    shift = bench.begin("none", seats=0)
    shift.until(lambda: bench.told("printed"))
    shift.engine.close()
    bench.work("second")
    assert (bench.log("first", "stdout"), bench.log("second", "stdout")) == ("later\n", "")


def test_modules_are_proven_for_each_job_those_too_that_are_imported_late(warm: Warm) -> None:
    bench = warm(
        """
        def run(mini_batch):
            import late
            return mini_batch
        """,
        files=[b"a"],
    )
    for code in (bench.bench.code, bench.standby.code):
        (code / "late.py").write_text("A = 1\n")
    first, second = bench.work("first"), bench.work("second")
    assert [name for name, _ in first.all(Ready)[0].modules] == ["score.py"]
    assert [name for name, _ in second.all(Ready)[0].modules] == ["late.py", "score.py"]


def test_a_worker_with_other_code_than_the_job_s_is_replaced_and_nobody_is_told(warm: Warm) -> None:
    bench = warm("def run(mini_batch):\n    tell('calls', os.getpid())\n    return mini_batch", files=[b"a"])
    bench.work("first")
    [old] = bench.idle()
    bench.bench.script.write_text(bench.bench.script.read_text() + "\n")
    shift = bench.work("second")
    assert [type(event) for event in shift.events if isinstance(event, StartFailed | WorkerEnded)] == []
    assert len(shift.all(Ready)) == 1
    assert [int(process) == old for process in bench.told("calls")] == [True, False]


# What is put in order


def test_what_lies_in_the_working_folder_is_removed_but_for_what_init_made(warm: Warm) -> None:
    bench = warm(
        """
        import tempfile

        def init():
            os.mkdir("cache")

        def run(mini_batch):
            tell("found", *sorted(name for name in os.listdir(".") if not name.startswith(".")))
            open("left.txt", "w").close()
            os.mkdir("folder")
            tempfile.mkdtemp()
            return mini_batch
        """,
        files=[b"a"],
    )
    first = bench.work("first")
    bench.work("second")
    found = [line.split() for line in bench.told("found")]
    assert found[0] == ["cache"]
    assert [name[:3] for name in found[1]] == ["cac", "tmp"]  # which somebody may have remembered
    assert [event.key for event in first.all(Notice)] == ["missed"]


APPENDS = """
def run(mini_batch, context):
    out = os.environ["AZUREML_BI_OUTPUT_PATH"]
    tell("found", *sorted(os.listdir(out)))
    os.makedirs(out + "/parts", exist_ok=True)
    with open(out + "/all.csv", "a") as file:
        if file.tell() == 0:
            file.write("head\\n")
        file.write("%s %d\\n" % (context.job_name, context.minibatch_index))
    with open(out + "/parts/%d" % context.minibatch_index, "w") as file:
        file.write(context.job_name)
    return mini_batch
"""


def _pieces(bench: WarmBench, name: str, shift: Shift) -> str:
    text = b""
    for scored in sorted(shift.all(Scored)):
        data = bench.assignments[name].part_path(scored.part).read_bytes()

        def read(length: int, at: int, data: bytes = data) -> bytes:
            return data[at : at + length]

        for piece in pieces_in(read, scored.offset + scored.length, scored.attached):
            text += data[piece.offset : piece.offset + piece.length]
    return text.decode()


def test_files_in_the_output_folder_belong_to_their_job(warm: Warm) -> None:
    bench = warm(APPENDS, files=[b"a", b"b"])
    for name in ("first", "second"):
        shift = bench.work(name)
        assert _pieces(bench, name, shift) == f"head\n{name} 0\n{name} 1\n"
        assert bench.aside(name) == {"0-0-1/parts/0": name, "1-0-1/parts/1": name}
    # a folder stays, for a script that remembers which it has made
    assert bench.told("found") == ["", "all.csv parts", "parts", "all.csv parts"]


def test_files_reach_an_output_on_another_file_system(warm: Warm) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == os.stat("/tmp").st_dev:
        pytest.skip("there is no second file system")
    bench = warm(APPENDS, files=[b"a", b"b"])
    staging = other / f"gristmill-test-{os.getpid()}"
    try:
        for name in ("first", "second"):
            bench.work(name, staging=staging / name)
            assert bench.aside(name) == {"0-0-1/parts/0": name, "1-0-1/parts/1": name}
    finally:
        standby_module.shutil.rmtree(staging)


def test_what_a_thread_leaves_after_the_last_mini_batch_is_taken_with_the_farewell(warm: Warm) -> None:
    bench = warm(
        """
        def run(mini_batch):
            out = os.environ["AZUREML_BI_OUTPUT_PATH"]
            def late():
                wait_for("go")
                open(out + "/late.txt", "w").close()
                tell("written")
            threading.Thread(target=late, daemon=True).start()
            return mini_batch
        """,
        files=[b"a"],
    )
    shift = bench.begin("first")
    shift.serve([Span(0, 1)])
    (bench.bench.seen / "go").touch()
    shift.until(lambda: bench.told("written"))
    [farewell] = [event for event in shift.engine.close() if isinstance(event, Farewell)]
    assert farewell.files == 1
    assert bench.aside("first") == {"shutdown/late.txt": ""}
    assert len(bench.idle()) == 1
