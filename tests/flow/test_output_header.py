"""`include_output_header`: the names of the columns stand exactly once, at the top (contract, 1.1)."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from flow.mill import Ended, Mill, finished, until

SWITCH = 'properties: {include_output_header: "true"}'
SETTINGS = "code/parallel_run_step.settings.json"

# What a file holds is what its mini-batch returns.
SCRIPT = """
import numpy as np, pandas as pd

def init(): pass

def run(mini_batch):
    called(mini_batch)
    kind = Path(mini_batch[0]).read_text()
    if kind == "list":
        return names(mini_batch)
    if kind == "other":
        return pd.DataFrame({"file": names(mini_batch), "label": "x"})
    return pd.DataFrame({"file": names(mini_batch), "a score": [0.5], 'say "hi"': [np.nan]})
"""
HEADER = b'file "a score" "say ""hi"""\n'


def ran(mill: Mill, kinds: list[str], more: str = SWITCH, *words: str) -> Ended:
    mill.inputs({str(number + 1): kind for number, kind in enumerate(kinds)})
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2", more)
    return mill.run(*words)


@pytest.fixture(scope="module")
def frames(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    return mill, ran(mill, ["frame"] * 5)


def test_header_stands_once_at_the_top_in_pandas_own_words(frames: tuple[Mill, Ended]) -> None:
    assert frames[0].bytes() == HEADER + b"1 0.5 \n2 0.5 \n3 0.5 \n4 0.5 \n5 0.5 \n"


def test_printed_line_of_python_reads_a_file_with_its_header(frames: tuple[Mill, Ended]) -> None:
    read = eval(frames[1].view["read_hint"], {"pd": pd})
    assert read.columns.tolist() == ["file", "a score", 'say "hi"']
    assert read["file"].tolist() == ["1", "2", "3", "4", "5"]


def test_columns_file_says_that_there_is_a_header(frames: tuple[Mill, Ended]) -> None:
    columns = json.loads(frames[0].bytes("out/predictions.columns.json"))
    assert (columns["header"], columns["columns"]) == (True, ["file", "a score", 'say "hi"'])


def test_job_with_a_header_verifies_and_a_changed_header_is_found(frames: tuple[Mill, Ended]) -> None:
    mill = frames[0]
    assert mill.type("verify", "j").status == 0
    target = mill.root / "out/predictions.csv"
    target.write_bytes(target.read_bytes().replace(b"a score", b"a scare", 1))
    assert "the first line of" in mill.type("verify", "j").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"sep": ",", "index": True}, b',file,a score,"say ""hi"""\n0,1,0.5,\n0,2,0.5,\n'),
        (
            {"sep": ";", "quoting": 1, "na_rep": "-"},
            b'"file";"a score";"say ""hi"""\n"1";"0.5";"-"\n"2";"0.5";"-"\n',
        ),
        ({"columns": ["a score", "file"], "header": False}, b'"a score" file\n0.5 1\n0.5 2\n'),
        ({"index": True, "index_label": "row"}, b'row file "a score" "say ""hi"""\n0 1 0.5 \n0 2 0.5 \n'),
        ({"quotechar": "'"}, b"file 'a score' 'say \"hi\"'\n1 0.5 \n2 0.5 \n"),
    ],
    ids=str,
)
def test_header_follows_the_settings_beside_the_script(
    mill: Mill, arguments: dict[str, object], expected: bytes
) -> None:
    mill.write(SETTINGS, json.dumps({"append_row": {"pandas.DataFrame.to_csv": arguments}}))

    ended = ran(mill, ["frame", "frame"])

    assert mill.bytes() == expected
    read = eval(ended.view["read_hint"], {"pd": pd})
    assert len(read) == 2


def test_lists_have_no_header(mill: Mill) -> None:
    ended = ran(mill, ["list", "list"])

    assert mill.bytes() == b"1\n2\n"
    assert json.loads(mill.bytes("out/predictions.columns.json"))["header"] is False
    assert ended.status == 0


def test_header_of_the_first_frame_stands_above_lists_before_it(mill: Mill) -> None:
    ended = ran(mill, ["list", "list", "frame", "list", "frame"])

    assert mill.bytes() == HEADER + b"1\n2\n3 0.5 \n4\n5 0.5 \n"
    read = eval(ended.view["read_hint"], {"Path": Path})
    assert read == [HEADER.decode().rstrip("\n"), "1", "2", "3 0.5 ", "4", "5 0.5 "]
    assert mill.type("verify", "j").status == 0


def test_frames_with_other_columns_stand_as_they_are_and_are_noticed_once(mill: Mill) -> None:
    ended = ran(mill, ["frame", "other", "frame", "other"])

    assert mill.bytes() == HEADER + b"1 0.5 \n2 x\n3 0.5 \n4 x\n"
    assert ended.err.count("data frames with different columns") == 1
    assert mill.type("verify", "j").status == 0


def test_a_job_without_the_switch_says_nothing_of_other_columns(mill: Mill) -> None:
    ended = ran(mill, ["frame", "other"], "")

    assert mill.bytes() == b"1 0.5 \n2 x\n"
    assert "different columns" not in ended.err


@pytest.mark.parametrize("more", [SWITCH, ""])
def test_comma_separated_output_has_its_one_header_with_and_without_the_switch(mill: Mill, more: str) -> None:
    ran(mill, ["frame", "frame"], f"gristmill: {{output_format: csv}}\n{more}")

    assert mill.bytes() == b'file,a score,"say ""hi"""\n1,0.5,\n2,0.5,\n'


def test_switch_may_come_from_the_command_line_and_from_tags(mill: Mill) -> None:
    ran(mill, ["frame"], "", "--set", "tags.include_output_header=True")

    assert mill.bytes() == HEADER + b"1 0.5 \n"


def test_script_without_pandas_is_not_made_to_import_it(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(
        "import sys\n"
        "def init(): pass\n"
        "def run(mini_batch):\n"
        "    return ['pandas' in sys.modules for _ in mini_batch]\n"
    )
    mill.deployment("", SWITCH)

    mill.run()

    assert mill.bytes() == b"False\nFalse\n"


def test_header_in_the_settings_file_is_refused_with_the_switch_to_use(mill: Mill) -> None:
    mill.write(SETTINGS, json.dumps({"append_row": {"pandas.DataFrame.to_csv": {"header": True}}}))

    ended = ran(mill, ["frame"])

    assert ended.status != 0
    assert "write 'properties: {include_output_header: \"true\"}' in the deployment" in ended.err


# A frame from each mini-batch; the second waits for a file called `go`.
HOLDING = """
import pandas as pd

def init():
    noted("pids", str(os.getpid()))

def run(mini_batch):
    called(mini_batch)
    if names(mini_batch) == ["001"]:
        held_until("go")
    return pd.DataFrame({"name": names(mini_batch), "size": 1})
"""


def held(mill: Mill) -> subprocess.Popen[bytes]:
    """Start a job that holds in its second mini-batch."""
    mill.inputs(["000", "001", "002"])
    mill.script(HOLDING)
    mill.deployment("mini_batch_size: 1", SWITCH)
    process = mill.start_run()
    until(lambda: "001" in mill.calls(), "the held mini-batch has been called")
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_job_that_is_resumed_has_its_header_once(mill: Mill, end: signal.Signals) -> None:
    process = held(mill)
    process.send_signal(end)
    finished(process)
    (mill.root / "go").touch()

    assert mill.type("resume", "j").status == 0
    assert mill.bytes() == b"name size\n000 1\n001 1\n002 1\n"
    assert mill.calls() == ["000", "001", "001", "002"]
    assert mill.type("verify", "j").status == 0


def test_partial_output_has_the_header_too(mill: Mill) -> None:
    process = held(mill)
    process.send_signal(signal.SIGINT)

    assert finished(process).status == 3
    assert mill.bytes("out/predictions.partial.csv") == b"name size\n000 1\n"
