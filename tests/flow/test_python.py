"""Gristmill from Python: real jobs, begun by `gristmill.run` and its like."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gristmill
from flow.holding import SCRIPT as HOLDING
from flow.holding import is_gone
from flow.mill import Ended, Mill, finished, until
from gristmill.errors import InputError, JobStateError, OutputError, SpecError, UnknownJobError

WORDS = """
def init(): pass
def run(mini_batch):
    texts = [Path(path).read_text() for path in mini_batch]
    return [{"n": int(text), "half": int(text) / 2, "word": "w" + text} for text in texts]
"""


@pytest.fixture
def here(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> Mill:
    """A folder that is the current one, of this process too."""
    return at_home(mill, monkeypatch)


def at_home(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> Mill:
    monkeypatch.chdir(mill.root)
    monkeypatch.setenv("GRISTMILL_HOME", str(mill.home))
    monkeypatch.setenv("MILL", str(mill.root))
    return mill


def numbers(mill: Mill, count: int) -> None:
    mill.inputs({f"{number:03d}": str(number) for number in range(count)})


def typed_in_python(mill: Mill, program: str) -> subprocess.Popen[bytes]:
    """Run a program as ``python -c`` does; the caller waits for it with `finished`."""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=mill.root,
        env=mill.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def held_in_python(mill: Mill, program: str) -> subprocess.Popen[bytes]:
    """Run a program whose job holds in its second mini-batch."""
    mill.inputs({"000": "ok", "001": "wait", "002": "ok"})
    mill.script(HOLDING)
    process = typed_in_python(mill, f"import gristmill\n{program}")
    until(lambda: "001" in mill.calls() or process.poll() is not None, "the held mini-batch has been called")
    return process


HELD = "gristmill.run('code/score.py', input='in', output='out', name='j', workers=1, mini_batch_size=1)"


# ------------------------------------------------------------------------------------ the job that comes back


@pytest.fixture(scope="module")
def scored(
    new_mill: Callable[[], Mill],
) -> tuple[Mill, gristmill.Job]:
    """Five files in two workers."""
    mill = new_mill()
    numbers(mill, 5)
    mill.script(WORDS)
    with pytest.MonkeyPatch.context() as monkeypatch:
        at_home(mill, monkeypatch)
        job = gristmill.run("code/score.py", input="in", output="out", name="j", workers=2, mini_batch_size=2)
    return mill, job


def test_run_returns_the_job_that_ended(scored: tuple[Mill, gristmill.Job]) -> None:
    mill, job = scored
    assert (job.name, job.status, job.is_interrupted, job.message) == ("j", "Completed", False, "")
    assert (job.total, job.succeeded, job.failed, job.not_run) == (5, 5, 0, 0)
    assert (job.input, job.output) == (mill.root / "in", mill.root / "out")
    assert job.predictions == mill.root / "out/predictions.csv"
    assert job.folder == mill.home / "jobs/j"


def test_frame_holds_the_predictions_in_input_order(scored: tuple[Mill, gristmill.Job]) -> None:
    expected = pd.DataFrame(
        {
            "file": pd.Series(["000", "001", "002", "003", "004"], dtype=object),
            "n": [0, 1, 2, 3, 4],
            "half": [0.0, 0.5, 1.0, 1.5, 2.0],
            "word": ["w0", "w1", "w2", "w3", "w4"],
        }
    )
    pd.testing.assert_frame_equal(scored[1].frame(), expected)


def test_job_without_failures_has_none(scored: tuple[Mill, gristmill.Job]) -> None:
    assert scored[1].failures() == []
    assert scored[1].failures_frame().shape[0] == 0


def test_job_shows_itself_in_one_line(scored: tuple[Mill, gristmill.Job]) -> None:
    assert repr(scored[1]) == "<gristmill.Job j: Completed: all 5 items>"


def test_logs_are_those_that_the_command_lists(scored: tuple[Mill, gristmill.Job]) -> None:
    logs = [str(path.relative_to(scored[1].folder)) for path in scored[1].logs()]
    assert logs[0] == "logs/job_result.txt"
    assert "logs/user/stdout/node-0/process000.stdout.txt" in logs


def test_job_proves_that_it_is_complete(
    scored: tuple[Mill, gristmill.Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home(scored[0], monkeypatch)
    assert scored[1].verify().ok
    predictions = scored[1].predictions
    assert predictions is not None
    before = predictions.read_bytes()
    predictions.write_bytes(before.replace(b"w3", b"w7"))
    try:
        assert not scored[1].verify().ok
    finally:
        predictions.write_bytes(before)


def test_jobs_are_found_by_their_names(
    scored: tuple[Mill, gristmill.Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home(scored[0], monkeypatch)
    assert gristmill.job("j").succeeded == 5
    assert [job.name for job in gristmill.jobs()] == ["j"]
    with pytest.raises(UnknownJobError, match="no-such"):
        gristmill.job("no-such")


def test_run_is_still_the_function_after_its_package_is_loaded(scored: tuple[Mill, gristmill.Job]) -> None:
    assert "gristmill.run.execution" in sys.modules
    assert gristmill.run.__module__ == "gristmill.api.start"


# ------------------------------------------------------------------------------------ each output format

FRAME = """
import pandas as pd
def init(): pass
def run(mini_batch):
    assert "bad" not in names(mini_batch)
    return pd.DataFrame({
        "a name": names(mini_batch),
        "text": ['say "hi"', "line1\\nline2"][: len(mini_batch)],
        "p": [0.1, None][: len(mini_batch)],
    })
"""
FRAME_ROWS = [["0", 'say "hi"', 0.1], ["1", "line1\nline2", None], ["2", 'say "hi"', 0.1]]


def values(frame: pd.DataFrame) -> list[list[object]]:
    """Return the rows; missing values as None, and the first cell, a number to pandas, as text."""
    rows = frame.astype(object).where(frame.notna(), None).values.tolist()
    return [[str(first), *rest] for first, *rest in rows]


@pytest.mark.parametrize("format", ["azure", "csv"])
def test_frames_come_back_from_each_format(here: Mill, format: str) -> None:
    here.inputs(["0", "1", "2"])
    here.script(FRAME)

    job = gristmill.run("code/score.py", input="in", format=format, mini_batch_size=2)

    frame = job.frame()
    columns = ["a name", "text", "p"] if format == "azure" else ["file", "a name", "text", "p"]
    assert list(frame.columns) == columns
    assert values(frame[["a name", "text", "p"]]) == FRAME_ROWS


def test_settings_beside_the_script_are_read_back(here: Mill) -> None:
    here.inputs(["0", "1", "2"])
    here.script(FRAME)
    here.write(
        "code/parallel_run_step.settings.json",
        '{"append_row": {"pandas.DataFrame.to_csv": {"sep": ";", "quotechar": "\'", "index": true}}}',
    )

    here.deployment()

    job = gristmill.run("deployment.yml", input="in", mini_batch_size=2)

    assert list(job.frame().columns) == ["", "a name", "text", "p"]
    assert values(job.frame()[["a name", "text", "p"]]) == FRAME_ROWS


def test_columns_are_known_without_the_file_that_names_them(here: Mill) -> None:
    here.inputs(["0", "1", "2"])
    here.script(FRAME)
    job = gristmill.run("code/score.py", input="in", format="azure", mini_batch_size=2)
    columns = job.output / "predictions.columns.json"

    columns.write_text("{}")
    with pytest.raises(JobStateError, match=r"predictions\.columns\.json"):
        job.frame()
    columns.unlink()

    assert list(job.frame().columns) == ["a name", "text", "p"]
    assert values(job.frame()) == FRAME_ROWS


@pytest.mark.parametrize("check", [True, False])
def test_header_in_azures_format_is_no_row(here: Mill, check: bool) -> None:
    here.inputs(["0", "1", "2"] if check else ["0", "1", "bad"])
    here.script(FRAME)
    here.deployment("error_threshold: 0", "properties: {include_output_header: 'true'}")

    job = gristmill.run("deployment.yml", input="in", mini_batch_size=2, max_retries=0, check=check)

    assert job.status == ("Completed" if check else "Failed")
    assert list(job.frame().columns) == ["a name", "text", "p"]
    assert values(job.frame()) == FRAME_ROWS[: job.succeeded]
    assert job.succeeded == (3 if check else 2)


@pytest.mark.parametrize(
    ("returned", "lines"),
    [
        ("[path[-1] + ' x, \"y\"' for path in mini_batch]", ['0 x, "y"', '1 x, "y"', '2 x, "y"']),
        ("[float(path[-1]) for path in mini_batch]", ["0.0", "1.0", "2.0"]),
        ("['' for path in mini_batch]", ["", "", ""]),
        (
            "pd.DataFrame({'a': ['x y']}) if mini_batch[0][-1] == '1' else ['l']",
            ["l", '"x y"', "l"],
        ),
    ],
)
def test_lists_in_azures_format_come_back_as_lines(here: Mill, returned: str, lines: list[str]) -> None:
    here.inputs(["0", "1", "2"])
    here.script(f"import pandas as pd\ndef run(mini_batch): return {returned}\n")

    job = gristmill.run("code/score.py", input="in", format="azure", mini_batch_size=1)

    assert list(job.frame().columns) == ["prediction"]
    assert list(job.frame()["prediction"]) == lines


def test_names_that_look_like_numbers_or_nothing_stay_texts(here: Mill) -> None:
    here.inputs(["007", "1e5", "NA", "nan", "not-utf8-\udcff"])
    here.script("def run(mini_batch): return [len(name) for name in names(mini_batch)]\n")

    frame = gristmill.run("code/score.py", input="in").frame()

    assert list(frame["file"]) == ["007", "1e5", "NA", "nan", "not-utf8-\udcff"]
    assert list(frame["prediction"]) == [3, 3, 2, 3, 10]
    assert frame["prediction"].dtype == "int64"


def test_columns_of_the_same_name_keep_it(here: Mill) -> None:
    here.inputs(["a"])
    here.script(
        "import pandas as pd\ndef run(mini_batch): return pd.DataFrame([[1, 2]], columns=['x', 'x'])\n"
    )

    frame = gristmill.run("code/score.py", input="in").frame()

    assert list(frame.columns) == ["file", "x", "x"]
    assert frame.values.tolist() == [["a", 1, 2]]


def test_script_with_files_of_its_own_has_no_frame(here: Mill) -> None:
    here.inputs(["a"])
    here.script("def run(mini_batch): return mini_batch\n")

    job = gristmill.run("code/score.py", input="in", settings={"settings.output_action": "summary_only"})

    assert (job.succeeded, job.predictions) == (1, None)
    with pytest.raises(JobStateError, match="no predictions"):
        job.frame()


# ------------------------------------------------------------------------------------ what failed

FAILING = """
def init(): pass
def run(mini_batch):
    if "bad" in mini_batch[0]:
        raise ValueError("as asked")
    return names(mini_batch)[:-1] if len(mini_batch) > 1 else names(mini_batch)
"""


def test_failures_are_values_with_reason_and_traceback(here: Mill) -> None:
    here.inputs(["a", "b", "bad-1", "bad-2", "z"])
    here.script(FAILING)

    job = gristmill.run("code/score.py", input="in", mini_batch_size=2, max_retries=1, error_threshold=-1)

    assert (job.status, job.succeeded, job.failed) == ("Completed", 2, 3)
    short, first, second = job.failures()
    assert (short.input, short.candidates, short.missing) == (None, ("a", "b"), 1)
    assert (short.reason, short.tries) == ("missing_result", 1)
    assert (first.input, first.candidates, first.missing) == ("bad-1", ("bad-1",), 1)
    assert (first.reason, first.tries) == ("exception", 2)
    assert first.message.startswith("ValueError: as asked")
    assert first.traceback.endswith("ValueError: as asked\n")
    assert (second.input, second.traceback) == ("bad-2", first.traceback)


def test_failures_as_a_frame_have_a_row_each(here: Mill) -> None:
    here.inputs(["a", "b", "bad-1", "bad-2"])
    here.script(FAILING)

    job = gristmill.run("code/score.py", input="in", mini_batch_size=2, max_retries=0, error_threshold=-1)

    frame = job.failures_frame()
    assert list(frame["input"].astype(object).where(frame["input"].notna(), None)) == [None, "bad-1", "bad-2"]
    assert list(frame["missing"]) == [1, 1, 1]
    assert list(frame["reason"]) == ["missing_result", "exception", "exception"]


def test_job_that_fails_raises_with_its_message_and_goes_on_when_resumed(here: Mill) -> None:
    here.inputs({"000": "ok", "001": "bad", "002": "ok"})
    here.script(HOLDING)
    options = {"workers": 1, "mini_batch_size": 1, "max_retries": 0, "error_threshold": 0}

    with pytest.raises(gristmill.JobFailedError) as raised:
        gristmill.run("code/score.py", input="in", output="out", name="j", **options)  # type: ignore[arg-type]

    job = raised.value.job
    assert "001: ValueError: as asked" in str(raised.value)
    assert str(job.folder / "logs") in str(raised.value)
    assert (job.status, job.failed) == ("Failed", 1)
    assert job.predictions == here.root / "out/predictions.partial.csv"
    assert "000" in set(job.frame()["file"]) <= {"000", "002"}

    here.write("repaired", "")
    again = job.resume()
    assert (again.status, again.succeeded, again.failed) == ("Completed", 3, 0)
    assert sorted(here.calls()) == ["000", "001", "001", "002"]


def test_partial_predictions_in_azures_format_have_their_columns(here: Mill) -> None:
    here.inputs(["a", "b"])
    here.script(
        "import pandas as pd\n"
        "def run(mini_batch):\n"
        "    assert names(mini_batch) == ['a']\n"
        "    return pd.DataFrame({'name': names(mini_batch), 'p': [0.5]})\n"
    )

    job = gristmill.run(
        "code/score.py",
        input="in",
        format="azure",
        workers=1,
        mini_batch_size=1,
        max_retries=0,
        error_threshold=0,
        check=False,
    )

    assert job.status == "Failed"
    assert job.frame().to_dict("list") == {"name": ["a"], "p": [0.5]}


def test_unchecked_job_that_fails_is_returned(here: Mill) -> None:
    here.inputs(["a"])
    here.script("def init(): raise OSError('no model <here>')\ndef run(mini_batch): return mini_batch\n")

    job = gristmill.run("code/score.py", input="in", check=False)

    assert (job.status, job.predictions) == ("Failed", None)
    assert "no model <here>" in job.message
    assert "no model &lt;here&gt;" in job._repr_html_()
    assert "<here>" not in job._repr_html_()


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mini_batch_size": 0}, SpecError, "mini_batch_size=0: settings.mini_batch_size: must be"),
        ({"workers": "many"}, SpecError, "workers='many': gristmill.workers: must be"),
        ({"timeout": -1}, SpecError, "timeout=-1: settings.retry_settings.timeout: must be"),
        ({"error_threshold": "most"}, SpecError, "error_threshold='most': settings.error_threshold: must be"),
        ({"format": "xml"}, SpecError, "format='xml': gristmill.output_format: must be"),
        ({"model": "nowhere"}, SpecError, "model='nowhere': model"),
        ({"settings": {"gristmill.workerz": 3}}, SpecError, "settings={'gristmill.workerz': 3}: "),
        ({"input": "nowhere"}, InputError, "the input nowhere does not exist"),
        ({"input": ""}, SpecError, "input='': is empty"),
        ({"output": "code/score.py"}, OutputError, "is a file; output= takes a folder"),
        ({"name": ""}, SpecError, "name='': is empty"),
        ({"name": "a b"}, SpecError, "name=a b: a job's name has"),
        ({"name": 5}, SpecError, "name=5: must be a text"),
        ({"input": ["data"]}, SpecError, "input=['data']: must be a path, as a text or a pathlib.Path"),
        ({"input": None}, SpecError, "input=None: must be a path"),
        ({"input": b"in"}, SpecError, "input=b'in': must be a path"),
        ({"output": 7}, SpecError, "output=7: must be a path"),
        ({"model": ["m"]}, SpecError, "model=['m']: model"),
        ({"include": 5}, SpecError, "include=5: must be a pattern such as '*.jpg', or a list of them"),
        ({"settings": ["a"]}, SpecError, "settings=['a']: must be a mapping of keys"),
        ({"settings": {5: 1}}, SpecError, "settings={5: 1}: must be a mapping of keys"),
    ],
)
def test_bad_argument_is_named_and_starts_nothing(
    here: Mill, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    numbers(here, 1)
    here.script(WORDS)

    with pytest.raises(error) as raised:
        gristmill.run("code/score.py", **{"input": "in", **arguments})  # type: ignore[arg-type]

    assert message in str(raised.value)
    assert "--" not in str(raised.value)
    assert here.jobs() == []


def test_script_that_is_no_path_is_named() -> None:
    with pytest.raises(SpecError, match="script_or_deployment=None: must be a path"):
        gristmill.run(None, input="in")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["nobody", "", 5])
@pytest.mark.parametrize("function", [gristmill.job, gristmill.resume])
def test_unknown_job_is_answered_with_the_function_that_lists_them(
    here: Mill, function: Callable[[Any], gristmill.Job], name: object
) -> None:
    with pytest.raises(UnknownJobError, match=r"gristmill\.jobs\(\) (names|lists) those that are"):
        function(name)


def test_all_bad_arguments_are_named_at_once(here: Mill) -> None:
    numbers(here, 1)
    here.script(WORDS)

    with pytest.raises(SpecError) as raised:
        gristmill.run("code/score.py", input="in", mini_batch_size=0, max_retries=-1)

    assert [line.partition(":")[0] for line in raised.value.problems] == [
        "mini_batch_size=0",
        "max_retries=-1",
    ]


def test_output_that_exists_is_replaced_only_if_asked_for(here: Mill) -> None:
    numbers(here, 2)
    here.script(WORDS)
    gristmill.run("code/score.py", input="in", output="out")

    with pytest.raises(OutputError, match="overwrite=True to replace it"):
        gristmill.run("code/score.py", input="in", output="out")

    numbers(here, 3)
    job = gristmill.run("code/score.py", input="in", output="out", overwrite=True)
    assert job.frame()["n"].tolist() == [
        0,
        1,
        2,
    ]


def test_patterns_choose_among_the_inputs(here: Mill) -> None:
    here.inputs(["a.txt", "b.txt", "c.jpg"])
    here.script("def run(mini_batch): return [1 for path in mini_batch]\n")

    job = gristmill.run("code/score.py", input="in", include="*.txt", exclude=["b*"])

    assert list(job.frame()["file"]) == ["a.txt"]


def test_deployment_runs_with_arguments_above_it(here: Mill) -> None:
    numbers(here, 4)
    here.script("def run(mini_batch): return [len(mini_batch) for path in mini_batch]\n")
    here.deployment("mini_batch_size: 1")

    job = gristmill.run("deployment.yml", input=here.root / "in", mini_batch_size=2)

    assert list(job.frame()["prediction"]) == ["2", "2", "2", "2"]


# ------------------------------------------------------------------------------------ where it is called


def test_jobs_without_names_run_in_threads_at_once(here: Mill) -> None:
    numbers(here, 2)
    here.script(WORDS)
    gristmill.run("code/score.py", input="in", name="first")
    before = signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(gristmill.run, "code/score.py", input="in", workers=1) for _ in range(3)]
        jobs = [one.result() for one in running]

    assert [job.succeeded for job in jobs] == [2, 2, 2]
    assert len({job.name for job in jobs}) == len({job.output for job in jobs}) == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_process_is_left_as_it_was(here: Mill) -> None:
    numbers(here, 2)
    here.script(WORDS)
    program = (
        "import gc, os, threading, gristmill\n"
        "def things():\n"
        "    gc.collect()\n"
        "    children = open(f'/proc/self/task/{os.getpid()}/children').read()\n"
        "    descriptors = len(os.listdir('/proc/self/fd'))\n"
        "    return descriptors, threading.active_count(), children, os.getcwd(), dict(os.environ)\n"
        "def run(): return gristmill.run('code/score.py', input='in', workers=2, mini_batch_size=1)\n"
        "run()\n"
        "before = things()\n"
        "job = run()\n"
        "assert things() == before, (things(), before)\n"
    )

    assert finished(typed_in_python(here, program)).status == 0


def test_running_event_loop_is_left_as_it_was(here: Mill) -> None:
    numbers(here, 2)
    here.script(WORDS)

    async def both() -> tuple[int, int]:
        job = gristmill.run("code/score.py", input="in", workers=1)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(7)")
        return job.succeeded, await process.wait()

    assert asyncio.run(both()) == (2, 7)


def test_job_in_a_thread_is_cancelled_from_another(here: Mill) -> None:
    here.inputs({"000": "ok", "001": "wait"})
    here.script(HOLDING)
    ended: list[gristmill.Job] = []

    def work() -> None:
        ended.append(
            gristmill.run("code/score.py", input="in", name="j", workers=1, mini_batch_size=1, check=False)
        )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: "001" in here.calls(), "the held mini-batch has been called")
        assert gristmill.job("j").cancel().status == "Canceled"
    finally:
        here.write("go", "")
        thread.join()

    assert (ended[0].status, ended[0].succeeded, ended[0].not_run) == ("Canceled", 1, 1)


def test_script_without_a_main_guard_runs_once(here: Mill) -> None:
    numbers(here, 2)
    here.script(WORDS)
    program = here.write(
        "program.py",
        "import os, gristmill\n"
        "os.write(1, b'begins\\n')\n"
        "job = gristmill.run('code/score.py', input='in', workers=2, mini_batch_size=1)\n"
        "print(job.frame()['n'].tolist())\n",
    )

    ended = subprocess.run(
        [sys.executable, program.name], cwd=here.root, env=here.environment(), capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "begins\n[0, 1]\n"


def ran_in_python(mill: Mill, arguments: str = "") -> Ended:
    numbers(mill, 2)
    mill.script("def run(mini_batch): return [1 for path in mini_batch]\n")
    call = f"gristmill.run('code/score.py', input='in', name='j'{arguments})"
    return finished(typed_in_python(mill, f"import gristmill; print({call})"))


def test_progress_and_notices_are_lines_on_stderr_where_nobody_looks(mill: Mill) -> None:
    ended = ran_in_python(mill)

    assert (ended.status, ended.out) == (0, "<gristmill.Job j: Completed: all 2 items>\n")
    first, *notices, last = ended.err.splitlines()
    assert first == "job j; output in j"
    assert all(line.startswith("notice: ") for line in notices)
    assert len(notices) >= 1
    assert last.startswith("2 of 2 items, 0 failed")


def test_nothing_is_shown_without_progress(mill: Mill) -> None:
    ended = ran_in_python(mill, ", progress=False")

    assert (ended.status, ended.err) == (0, "")


def test_gristmill_is_imported_without_anything_heavy(mill: Mill) -> None:
    heavy = ["pydantic", "ruamel", "rich", "pandas", "gristmill.service", "gristmill.api", "gristmill.run"]
    program = (
        f"import sys, gristmill; print([name for name in {heavy} if name in sys.modules]); gristmill.run"
    )

    assert finished(typed_in_python(mill, program)) == Ended(status=0, out="[]\n", err="")


def test_other_platforms_are_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(ImportError, match="runs on Linux, WSL2 and containers included; this is darwin"):
        _ = gristmill.run


def test_name_that_does_not_exist_is_no_attribute() -> None:
    assert not hasattr(gristmill, "runs")
    assert set(gristmill.__all__) <= set(dir(gristmill))


# ------------------------------------------------------------------------------------ interrupts


def test_ctrl_c_cancels_the_job_in_order_and_then_raises(mill: Mill) -> None:
    process = held_in_python(
        mill,
        "import signal\n"
        f"try: {HELD}\n"
        "except KeyboardInterrupt as error: print(error)\n"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n",
    )
    process.send_signal(signal.SIGINT)
    ended = finished(process)

    said, restored = ended.out.splitlines()
    assert said.startswith("job j: Canceled")
    assert said.endswith("; gristmill.resume('j') goes on with it")
    assert restored == "True"
    assert "Traceback" not in ended.err
    assert [pid for pid in mill.lines("pids") if not is_gone(pid)] == []
    view = mill.show()
    assert (view["status"], view["succeeded"], view["not_run"]) == ("Canceled", 1, 2)

    mill.write("go", "")
    ended = finished(typed_in_python(mill, "import gristmill; print(gristmill.resume('j', progress=False))"))
    assert ended.out == "<gristmill.Job j: Completed: all 3 items>\n"
    assert mill.calls() == ["000", "001", "001", "002"]


def test_process_that_is_killed_leaves_an_interrupted_job(mill: Mill) -> None:
    process = held_in_python(mill, HELD)
    process.kill()
    finished(process)
    mill.write("go", "")
    program = (
        "import gristmill as g; job = g.job('j'); print(job.is_interrupted, job.resume(progress=False).total)"
    )

    assert finished(typed_in_python(mill, program)).out == "True 3\n"


# ------------------------------------------------------------------------------------ without pandas


def test_frame_without_pandas_says_what_to_install(
    scored: tuple[Mill, gristmill.Job], tmp_path: Path
) -> None:
    (tmp_path / "pandas.py").write_text(
        "raise ModuleNotFoundError('No module named pandas', name='pandas')\n"
    )
    program = (
        f"import sys; sys.path.insert(0, {os.fspath(tmp_path)!r}); import gristmill\n"
        "try: gristmill.job('j').frame()\n"
        "except gristmill.GristmillError as error: print(error)"
    )

    ended = finished(typed_in_python(scored[0], program))

    assert ended.out.startswith("a data frame needs the package pandas")
    assert "pip install pandas" in ended.out
