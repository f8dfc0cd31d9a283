"""Predictions as JSON Lines and Parquet: real columns, one type each, and where each row comes from."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pyarrow.parquet as pq
import pytest

import gristmill
from flow.mill import Ended, Mill

ROWS = """
def run(mini_batch):
    called(mini_batch)
    rows = []
    for name in names(mini_batch):
        n = int(name)
        row = {"n": n if n < 4 else n + 0.5, "tag": None if n < 2 else "t"}
        row.update(box=[n, n + 1], more={"a": n})
        rows.append(dict(row, late=True) if n >= 6 else row)
    return rows
"""
NUMBERS = [str(number) for number in range(8)]
#: One row per mini-batch of two; "bad" of the file 5 is a text where it is a number elsewhere.
CONFLICT = """
def run(mini_batch):
    called(mini_batch)
    return [{"bad": "x" if name == "5" else int(name)} for name in names(mini_batch)]
"""


@pytest.fixture(scope="module")
def parquet(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    mill = new_mill()
    mill.inputs(NUMBERS)
    mill.script(ROWS)
    mill.deployment("mini_batch_size: 2", "name: scorer")
    return mill, mill.run("--format", "parquet", "--provenance", "input_file,mini_batch,deployment")


def test_pandas_reads_real_types_in_input_order(parquet: tuple[Mill, Ended]) -> None:
    mill, ended = parquet
    assert ended.status == 0, ended.err
    assert mill.output() == ["predictions.parquet"]
    frame = eval(ended.view["read_hint"], {"pd": pd})
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "input_file": "str", "mini_batch": "int64", "deployment": "str", "file": "str", "n": "float64",
        "tag": "str", "box": "object", "more": "str", "late": "object",
    }  # fmt: skip
    assert frame["file"].tolist() == frame["input_file"].tolist() == NUMBERS
    assert frame["n"].tolist() == [0, 1, 2, 3, 4.5, 5.5, 6.5, 7.5]
    assert frame["mini_batch"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert set(frame["deployment"]) == {"scorer"}
    assert [list(box) for box in frame["box"]] == [[n, n + 1] for n in range(8)]
    assert json.loads(frame["more"][7]) == {"a": 7}
    assert frame["late"].tolist() == [None] * 6 + [True] * 2


def test_the_job_hands_out_its_frame(parquet: tuple[Mill, Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_HOME", str(parquet[0].home))
    frame = gristmill.job("j").frame()
    assert frame["n"].sum() == 30
    assert parquet[0].type("verify", "j").status == 0


def test_json_lines_are_objects_in_input_order(mill: Mill) -> None:
    mill.inputs(NUMBERS)
    mill.script(ROWS)
    mill.deployment(
        "mini_batch_size: 3", "gristmill: {output_format: jsonl, provenance: [row, model_version]}"
    )
    ended = mill.run()
    assert ended.status == 0, ended.err
    assert mill.output() == ["predictions.jsonl"]
    rows = [json.loads(line) for line in mill.bytes("out/predictions.jsonl").splitlines()]
    assert rows[0] == {
        "row": 0, "model_version": None, "file": "0", "n": 0, "tag": None, "box": [0, 1],
        "more": {"a": 0},
    }  # fmt: skip
    assert [row["file"] for row in rows] == NUMBERS
    assert list(rows[7])[-1] == "late"
    frame = eval(ended.view["read_hint"], {"pd": pd})
    assert frame["file"].tolist() == NUMBERS
    assert frame["n"].tolist() == [0, 1, 2, 3, 4.5, 5.5, 6.5, 7.5]


def test_a_conflict_of_types_names_all_that_matters_and_can_be_resumed_as_text(mill: Mill) -> None:
    mill.inputs(NUMBERS)
    mill.script(CONFLICT)
    mill.deployment("mini_batch_size: 1", "gristmill: {output_format: parquet}")

    ended = mill.run()

    assert ended.status == 1
    message = ended.view["message"]
    assert "the column bad is text in the rows of mini-batch 5 (its first file is 5), and int64" in message
    assert ended.view["next_command"] == "gristmill resume j"
    shown = pd.read_parquet(mill.root / "out/predictions.partial.parquet")["bad"].tolist()
    assert shown[:6] == ["0", "1", "2", "3", "4", "x"]
    calls = mill.calls()

    again = mill.type("resume", "j", "--json")
    assert again.view["message"] == message
    assert mill.calls() == calls

    resumed = mill.type("resume", "j", "--set", "gristmill.conflicting_types=text", "--json")
    assert resumed.status == 0, resumed.err
    assert sorted(mill.calls()) == NUMBERS, "nothing that was finished is run again"
    assert mill.output() == ["predictions.parquet"]
    read = pd.read_parquet(mill.root / "out/predictions.parquet")
    assert read["bad"].tolist() == ["0", "1", "2", "3", "4", "x", "6", "7"]
    assert mill.type("verify", "j").status == 0


def test_what_is_finished_is_shown_under_a_partial_name(mill: Mill) -> None:
    mill.inputs(NUMBERS)
    mill.script(ROWS.replace("called(mini_batch)", 'called(mini_batch); assert "5" not in names(mini_batch)'))
    mill.deployment("mini_batch_size: 1", "gristmill: {output_format: parquet, error_threshold: 0}")
    ended = mill.run("--workers", "1", "--max-retries", "0")
    assert ended.status == 1
    partial = pq.read_table(mill.root / "out/predictions.partial.parquet")
    shown = partial["file"].to_pylist()
    assert shown == sorted({*NUMBERS[:5], *shown} - {"5"})
    assert (
        ended.view["read_hint"] == f"pd.read_parquet({str(mill.root / 'out/predictions.partial.parquet')!r})"
    )


def test_a_name_that_was_given_is_kept_with_a_notice(mill: Mill) -> None:
    mill.inputs(["1"])
    mill.script(ROWS)
    mill.deployment("output_file_name: rows.csv", "gristmill: {output_format: parquet}")
    ended = mill.run()
    assert mill.output() == ["rows.csv"]
    assert "'rows.csv' will hold parquet, whatever its name; readers expect .parquet" in ended.err


def test_a_job_without_any_rows_of_its_own_files_needs_no_table(mill: Mill) -> None:
    mill.inputs(["1"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.deployment("output_action: summary_only", "gristmill: {output_format: parquet}")
    ended = mill.run()
    assert ended.status == 0, ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provenance", "row"), "--provenance row: needs the output format csv, jsonl or parquet"),
        (("--format", "csv", "--provenance", "rows"), "did you mean 'row'?"),
        (("--format", "xml"), "must be azure, csv, jsonl or parquet"),
        (("--set", "gristmill.conflicting_types=guess"), "must be error or text"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_words(mill: Mill, words: tuple[str, ...], said: str) -> None:
    mill.inputs(["1"])
    mill.script(ROWS)
    mill.deployment()
    ended = mill.run(*words)
    assert ended.status == 2
    assert said in ended.err
    assert mill.output() == []
    assert mill.jobs() == []
