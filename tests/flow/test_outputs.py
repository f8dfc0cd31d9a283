"""What stands in the output folder at the end: exact bytes, input order, nothing else (1.1, 1.3, 1.5)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from flow.mill import Ended, Mill

# ------------------------------------------------------------------------------------ the contract's bytes

GOLDEN = """
import numpy as np, pandas as pd

def init(): pass

def run(mini_batch):
    if "list" in mini_batch[0]:
        return ["plain text, as it is", 3.5, True, None, {"a": [1]}, [1, "x"]]
    return pd.DataFrame({
        "file": ["a.csv", "b c.csv"], "p": [0.1, 1.0], "n": [np.nan, 3.0], "s": ['say "hi"', "x,y"],
        "l": [[1, 2], [3]], "t": ["line1\\nline2", None], "b": [True, False],
    })
"""
GOLDEN_ROWS = b'a.csv 0.1  "say ""hi""" "[1, 2]" "line1\nline2" True\n"b c.csv" 1.0 3.0 x,y [3]  False\n'
LIST_ROWS = b"plain text, as it is\n3.5\nTrue\nNone\n{'a': [1]}\n[1, 'x']\n"


@pytest.fixture(scope="module")
def golden(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    """Three mini-batches: the frame of the contract, a list, the frame again."""
    mill = new_mill()
    mill.inputs(["1-frame", "2-frame", "3-list", "4-list", "5-frame", "6-frame"])
    mill.script(GOLDEN)
    mill.deployment("mini_batch_size: 2")
    return mill, mill.run()


def test_frames_and_lists_are_written_in_the_bytes_of_the_contract(golden: tuple[Mill, Ended]) -> None:
    assert golden[0].bytes() == GOLDEN_ROWS + LIST_ROWS + GOLDEN_ROWS


def test_dicts_in_a_list_are_noticed_once_with_what_to_return_instead(golden: tuple[Mill, Ended]) -> None:
    assert golden[1].err.count("DataFrame") == 1


def test_output_folder_of_a_headerless_job_holds_predictions_and_their_columns(
    golden: tuple[Mill, Ended],
) -> None:
    assert golden[0].output() == ["predictions.columns.json", "predictions.csv"]


FRAME = """
import pandas as pd
def init(): pass
def run(mini_batch):
    frame = pd.DataFrame({"name": names(mini_batch)})
    frame["text"] = "no. " + frame["name"]
    frame["half of it"] = frame["name"].astype(int) / 2
    return frame
"""
FRAME_READ = pd.DataFrame(
    {
        "name": range(10, 17),
        "text": [f"no. {number}" for number in range(10, 17)],
        "half of it": [number / 2 for number in range(10, 17)],
    }
)


@pytest.fixture(scope="module")
def frame(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    mill.inputs([str(number) for number in range(10, 17)])
    mill.script(FRAME)
    mill.deployment("mini_batch_size: 3, output_file_name: my rows.txt")
    return mill, mill.run()


def test_frame_reads_back_as_the_documents_say(frame: tuple[Mill, Ended]) -> None:
    read = pd.read_csv(frame[0].root / "out/my rows.txt", header=None, sep=" ")
    assert read.to_numpy().tolist() == FRAME_READ.to_numpy().tolist()


def test_printed_line_of_python_reads_a_frame_back_with_its_columns(frame: tuple[Mill, Ended]) -> None:
    read = eval(frame[1].view["read_hint"], {"pd": pd})
    pd.testing.assert_frame_equal(read, FRAME_READ)
    assert frame[1].view["read_hint"] in frame[1].err


def test_columns_of_a_headerless_file_are_written_down(frame: tuple[Mill, Ended]) -> None:
    columns = json.loads(frame[0].bytes("out/my rows.columns.json"))
    assert columns["columns"] == ["name", "text", "half of it"]


def test_output_has_the_name_that_was_asked_for(frame: tuple[Mill, Ended]) -> None:
    assert frame[0].output() == ["my rows.columns.json", "my rows.txt"]
    assert frame[1].view["target"] == str(frame[0].root / "out/my rows.txt")


# ------------------------------------------------------------------------------------ comma separated

MIXED = """
import pandas as pd

def init(): pass

def run(mini_batch):
    kind = Path(mini_batch[0]).read_text()
    if kind == "list":
        return [name.upper() for name in names(mini_batch)]
    if kind == "dicts":
        return [{"label": "a,b", "score": 0.5}, {"score": 1, "extra": 'say "x"'}]
    if kind == "frame":
        return pd.DataFrame({"score": [0.1, 0.2], "label": ["x", None]})
    if kind == "three":
        return pd.DataFrame({"label": ["p", "q", "r"]})
    return ["only one"]
"""
MIXED_ROWS = [
    ["file", "prediction", "label", "score", "extra"],
    ["1", "1", "", "", ""],
    ["2", "2", "", "", ""],
    ["3", "", "a,b", "0.5", ""],
    ["4", "", "", "1", 'say "x"'],
    ["5", "", "x", "0.1", ""],
    ["6", "", "", "0.2", ""],
    ["", "", "p", "", ""],
    ["", "", "q", "", ""],
    ["", "", "r", "", ""],
    ["", "only one", "", "", ""],
]


@pytest.fixture(scope="module")
def mixed(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    kinds = ["list", "dicts", "frame", "three", "short"]
    mill.inputs({str(number + 1): kinds[number // 2] for number in range(9)})
    mill.inputs({"91": "short"})
    mill.script(MIXED)
    mill.deployment("mini_batch_size: 2", "gristmill: {output_format: csv, workers: 2}")
    return mill, mill.run()


def test_mini_batches_with_different_columns_share_one_table(mixed: tuple[Mill, Ended]) -> None:
    text = mixed[0].bytes().decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == MIXED_ROWS


def test_header_stands_exactly_once(mixed: tuple[Mill, Ended]) -> None:
    assert mixed[0].bytes().count(b"label") == 1
    assert mixed[0].bytes().startswith(b"file,prediction,label,score,extra\n")


def test_file_with_a_header_reads_back_with_the_printed_line(mixed: tuple[Mill, Ended]) -> None:
    read = eval(mixed[1].view["read_hint"], {"pd": pd})
    assert read.columns.tolist() == MIXED_ROWS[0]
    assert len(read) == 10


ODD_LINES = ["a\x0bb\x0cc", "d\x85e", "f\u2028g", "h\ri", "", "j"]


def test_printed_line_of_python_gives_a_line_for_each_element(mill: Mill) -> None:
    mill.inputs(map(str, range(6)))
    mill.script(f"def run(mini_batch): return [{ODD_LINES!r}[int(name)] for name in names(mini_batch)]\n")
    mill.deployment("mini_batch_size: 2")

    assert eval(mill.run().view["read_hint"], {"Path": Path}) == ODD_LINES


@pytest.mark.parametrize(
    ("format", "returned"),
    [("csv", "[1] * len(b)"), ("azure", "pandas.DataFrame({'file': names(b), 'p': 1.5})")],
)
def test_printed_line_of_python_keeps_names_of_files_as_texts(mill: Mill, format: str, returned: str) -> None:
    mill.inputs(["001", "1e5", "NA"])
    mill.script(f"import pandas\ndef run(b): return {returned}\n")
    mill.deployment()

    read = eval(mill.run("--format", format).view["read_hint"], {"pd": pd})

    assert list(read["file"]) == ["001", "1e5", "NA"]


def test_output_folder_of_a_table_holds_predictions_and_failures(mixed: tuple[Mill, Ended]) -> None:
    assert mixed[1].counts == (10, 9, 1, 0)
    assert mixed[0].output() == ["failures.jsonl", "predictions.csv"]


def test_bare_script_writes_a_table_and_azure_writes_lines(mill: Mill) -> None:
    mill.inputs(["sub/b", "a"])
    mill.script("def run(mini_batch): return names(mini_batch)\n")

    table = mill.run("--output-path", "table", of="code/score.py")
    lines = mill.run("--output-path", "lines", "--job-name", "k", "--format", "azure", of="code/score.py")

    assert (table.status, lines.status) == (0, 0)
    assert mill.bytes("table/predictions.csv") == b"file,prediction\na,a\nsub/b,b\n"
    assert mill.bytes("lines/predictions.csv") == b"a\nb\n"


# ------------------------------------------------------------------------------------ names of files

NAMES = [
    " leading",
    'a "quoted" name',
    "comma, and more",
    "line\nbreak",
    "not-utf8-\udcff\udc80",
    "tab\there",
    "trailing ",
    "ünï-日本",
    "~back\\slash",
]


@pytest.fixture(scope="module")
def named(new_mill: Callable[[], Mill]) -> tuple[Mill, list[Ended]]:
    """Files with difficult names, scored as lines and as a table; the script opens each of them."""
    mill = new_mill()
    mill.inputs(NAMES)
    mill.script(
        """
def init(): pass
def run(mini_batch):
    for path in mini_batch:
        assert Path(path).read_bytes() == os.fsencode(os.path.basename(path))
    if any("not-utf8" in path for path in mini_batch):
        print(mini_batch)
        noted("calls", mini_batch[0])
    return names(mini_batch)
"""
    )
    mill.deployment("mini_batch_size: 2")
    table = mill.run("--output-path", "table", "--job-name", "k", "--format", "csv")
    return mill, [mill.run(), table]


def in_plan_order(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))


def test_difficult_names_fail_nothing(named: tuple[Mill, list[Ended]]) -> None:
    assert [(ended.status, ended.counts) for ended in named[1]] == [(0, (9, 9, 0, 0))] * 2


def test_difficult_names_are_written_as_their_bytes(named: tuple[Mill, list[Ended]]) -> None:
    expected = "".join(f"{name}\n" for name in in_plan_order(NAMES))
    assert named[0].bytes() == expected.encode("utf-8", "surrogateescape")


def test_difficult_names_come_back_from_the_table(named: tuple[Mill, list[Ended]]) -> None:
    text = named[0].bytes("table/predictions.csv").decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["file", "prediction"], *([name, name] for name in in_plan_order(NAMES))]


def test_difficult_names_that_fail_are_listed(mill: Mill) -> None:
    mill.inputs([*NAMES, "good"])
    mill.script(
        "def run(mini_batch):\n"
        "    if 'good' not in mini_batch[0]: raise OSError(mini_batch[0])\n"
        "    return [1]\n"
    )
    mill.deployment("mini_batch_size: 1, retry_settings: {max_retries: 0}")

    ended = mill.run()

    assert ended.counts == (10, 1, 9, 0)
    assert [entry["input"] for entry in mill.failures()] == in_plan_order(NAMES)


# ------------------------------------------------------------------------------------ order of completion


def test_rows_are_in_input_order_when_the_first_mini_batch_is_the_last_to_end(mill: Mill) -> None:
    mill.inputs([f"{number:02d}" for number in range(20)])
    mill.script(
        """
def init(): pass
def run(mini_batch):
    if names(mini_batch) == ["00"]:
        held_until("last")
    called(mini_batch)
    if len((HERE / "calls").read_text().split()) == 19:
        noted("last", "")
    return names(mini_batch)
"""
    )
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2")

    assert mill.run().status == 0
    assert mill.calls()[-1] == "00"
    assert len(mill.calls()) == 20
    assert mill.bytes() == b"".join(b"%02d\n" % number for number in range(20))


# ------------------------------------------------------------------------------------ where output goes


def test_output_goes_to_a_folder_with_the_jobs_name_unless_given(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return [1]\n")
    mill.deployment()

    ended = mill.type("run", "deployment.yml", "--input", "in", "--job-name", "my-job")

    assert ended.status == 0
    assert ended.out == ""
    assert mill.output("my-job") == ["predictions.columns.json", "predictions.csv"]


def test_overwrite_replaces_what_an_earlier_job_wrote(mill: Mill) -> None:
    mill.inputs({"a": "bad", "b": "good"})
    mill.script(
        "def run(mini_batch):\n"
        "    assert Path(mini_batch[0]).read_text() == 'good'\n"
        "    return names(mini_batch)\n"
    )
    mill.deployment("mini_batch_size: 1, retry_settings: {max_retries: 0}")
    assert mill.run().counts == (2, 1, 1, 0)
    mill.inputs({"a": "good"})

    ended = mill.run("--job-name", "k", "--overwrite")

    assert ended.counts == (2, 2, 0, 0)
    assert mill.bytes() == b"a\nb\n"
    assert mill.output() == ["predictions.columns.json", "predictions.csv"]


# ---------------------------------------------------------------------------------------- the copied code


def test_code_that_is_copied_has_neither_the_input_nor_outputs_of_earlier_jobs(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.write("score.py", "def init(): pass\ndef run(b): return b\n")
    mill.write("labels/x.txt", "x")
    mill.write("deployment.yml", "code_configuration: {code: ., scoring_script: score.py}\n")

    assert [mill.run(*words).status for words in ([], ["--job-name", "k", "--output-path", "two"])] == [0, 0]

    copied = mill.home / "jobs/k/code"
    files = sorted(str(path.relative_to(copied)) for path in copied.rglob("*.*") if path.suffix != ".pyc")
    assert files == ["deployment.yml", "labels/x.txt", "score.py"]


def test_part_of_an_output_without_a_header_is_not_said_to_have_one(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script("def run(b):\n    assert names(b) != ['b']\n    return names(b)\n")
    mill.deployment("mini_batch_size: 1, error_threshold: 0, retry_settings: {max_retries: 0}")

    view = mill.run("--workers", "1").view

    assert view["target"].endswith("predictions.partial.csv")
    assert view["read_hint"] is None
