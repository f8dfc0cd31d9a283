"""`split_rows` and `split_bytes`: large tables in pieces, in every way that a job may go on."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from flow.mill import Mill

ROWS = 60
# Returns one result per row; `BAD` names a row that makes it raise, `KIND` what it returns.
SCRIPT = """
import csv, json

def rows_of(path):
    if path.endswith(".csv"):
        with open(path, newline="") as file:
            return list(csv.DictReader(file))
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in open(path)]
    if path.endswith(".parquet"):
        import pandas as pd
        return pd.read_parquet(path).astype(str).to_dict("records")
    return [{"n": "other"}]

def run(mini_batch, context):
    called(mini_batch)
    results = []
    for path in mini_batch:
        noted("sources", json.dumps([os.path.basename(path), *context.source[path]]))
        for row in rows_of(path):
            if row["n"] == os.environ.get("BAD") and not (HERE / "mended").exists():
                raise ValueError("row " + row["n"])
            results.append("row " + row["n"])
    noted("left", str(sorted(os.listdir(os.getcwd()))))
    if os.environ.get("KIND") == "frame":
        import pandas as pd
        return pd.DataFrame({"row": results})
    if os.environ.get("KIND") == "paths":
        return [os.path.basename(path) for path in mini_batch]
    return results
"""


def csv_text(rows: range) -> str:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerows([["n", "words"], *([n, f'line\nof "{n}"' if n % 3 else "plain, n"] for n in rows)])
    return sink.getvalue()


def tables(mill: Mill) -> None:
    mill.inputs(
        {
            "big.csv": csv_text(range(ROWS)),
            "d/lines.jsonl": "".join(json.dumps({"n": str(n), "w": "x"}) + "\n" for n in range(100, 125)),
            "empty.csv": "n,words\n",
            "note.txt": "hello",
            "small.csv": csv_text(range(200, 203)),
        }
    )
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 3, max_concurrency_per_instance: 2")


def parquet(mill: Mill) -> None:
    pd.DataFrame({"n": range(300, 330)}).to_parquet(mill.root / "in" / "p.parquet")


FILES = {"big.csv", "d/lines.jsonl", "note.txt", "small.csv"}
ITEMS = ROWS + 25 + 1 + 1 + 3


@pytest.fixture(scope="module")
def scored(new_mill: Callable[[], Mill]) -> Mill:
    """Split, and not split though rows are counted: the same job twice."""
    mill = new_mill()
    tables(mill)
    parquet(mill)
    split = mill.run("--set", "gristmill.split_rows=10")
    whole = mill.run("--set", "gristmill.split_rows=1000", "--output-path", "whole", "--job-name", "w")
    assert (split.status, whole.status) == (0, 0), split.err + whole.err
    assert split.counts == whole.counts == (ITEMS + 30, ITEMS + 30, 0, 0)
    return mill


def test_predictions_are_those_of_a_job_that_is_not_split(scored: Mill) -> None:
    assert scored.bytes() == scored.bytes("whole/predictions.csv")
    assert scored.bytes().count(b"\n") == ITEMS + 30 - 1  # of a file without rows there is nothing to say
    assert scored.lines("out/predictions.csv")[:2] == ["row 0", "row 1"]


def test_script_gets_pieces_with_their_sources_and_nothing_of_them_is_left(scored: Mill) -> None:
    sources = [json.loads(line) for line in scored.lines("sources")]
    root = scored.root / "in"
    assert ["big.rows-10-19.csv", str(root / "big.csv"), 10] in sources
    assert ["lines.rows-20-24.jsonl", str(root / "d/lines.jsonl"), 20] in sources
    assert ["p.rows-0-9.parquet", str(root / "p.parquet"), 0] in sources
    assert ["small.csv", str(root / "small.csv"), 0] in sources
    assert "big.rows-10-19.csv" in scored.calls()
    assert "empty.csv note.txt" in scored.calls()
    assert list(Path("/tmp").glob(f"gristmill-{scored.show()['name']}*")) == []


def test_every_item_is_accounted_for(scored: Mill) -> None:
    verified = scored.type("verify", "j")
    assert (verified.status, f"{ITEMS + 30} items" in verified.out) == (0, True)


@pytest.mark.parametrize(
    ("kind", "output_format"), [("frame", "azure"), ("list", "csv"), ("frame", "csv"), ("paths", "csv")]
)
def test_bytes_do_not_depend_on_the_split(mill: Mill, kind: str, output_format: str) -> None:
    tables(mill)
    options = ["--format", output_format, "--workers", "1"]
    split = mill.run(*options, "--split-bytes", "1kB", KIND=kind)
    elsewhere = ["--output-path", "whole", "--job-name", "w"]
    whole = mill.run(*options, "--split-bytes", "1MB", *elsewhere, KIND=kind)
    assert split.counts == whole.counts == (ITEMS, ITEMS, 0, 0), split.err
    assert (mill.bytes() == mill.bytes("whole/predictions.csv")) == (kind != "paths")
    if output_format == "csv":
        files = pd.read_csv(mill.root / "out" / "predictions.csv")["file"]
        assert set(files) == FILES | ({"empty.csv"} if kind == "paths" else set())


def test_one_bad_row_costs_one_row_and_is_replayed_and_rerun(mill: Mill) -> None:
    tables(mill)
    failing = mill.run("--set", "gristmill.split_rows=10", BAD="37")
    assert failing.counts == (ITEMS, ITEMS - 1, 1, 0)
    [entry] = mill.failures()
    assert (entry["input"], entry["file"], entry["first_row"]) == ("big.rows-37-37.csv", "big.csv", 37)
    replayed = mill.type("replay", "j", "big.rows-37-37.csv", BAD="37")
    assert (replayed.status, "ValueError: row 37" in replayed.err + replayed.out) == (1, True)
    neighbours = mill.type("replay", "j", "big.rows-30-36.csv", BAD="37")
    assert neighbours.status == 0, neighbours.err
    refused = mill.type("replay", "j", "big.csv", BAD="37")
    assert "is split by rows in job j; name some of its rows, such as big.rows-0-9.csv" in refused.err
    assert mill.type("replay", "j", "small.csv").status == 0
    (mill.root / "mended").touch()
    again = mill.type("rerun", "j", "--failed", "--json", BAD="37")
    assert again.counts == (ITEMS, ITEMS, 0, 0), again.err
    lines = mill.lines("out/predictions.csv")
    assert [line for line in lines if line in {"row 36", "row 37", "row 38"}] == [
        "row 36",
        "row 37",
        "row 38",
    ]
    assert mill.type("verify", "j").status == 0


def test_file_that_changed_is_refused_by_name_and_its_rows_fail_when_forced(mill: Mill) -> None:
    tables(mill)
    stopped = mill.run(
        "--set", "gristmill.split_rows=10", "settings.error_threshold=0", BAD="0", of="deployment.yml"
    )
    assert stopped.status == 1
    os.utime(mill.root / "in" / "big.csv", ns=(1, 1))
    refused = mill.type("resume", "j")
    assert (refused.status, "big.csv has changed since its rows were counted" in refused.err) == (2, True)
    forced = mill.type("resume", "j", "--force", "--json", "--set", "settings.error_threshold=-1")
    total, succeeded, failed, not_run = forced.counts
    assert (total, not_run) == (ITEMS, 0)
    assert succeeded + failed == ITEMS
    assert {entry["file"] for entry in mill.failures()} == {"big.csv"}
    assert all("has changed since its rows were counted" in entry["message"] for entry in mill.failures())


def test_new_files_are_split_too(mill: Mill) -> None:
    tables(mill)
    assert mill.run("--set", "gristmill.split_rows=10").status == 0
    mill.inputs({"c.csv": csv_text(range(400, 415))})
    again = mill.type("resume", "j", "--new", "--json")
    assert again.counts == (ITEMS + 15, ITEMS + 15, 0, 0), again.err
    assert "c.rows-10-14.csv" in mill.calls()
    assert mill.type("verify", "j").status == 0


def test_a_limit_counts_files_and_projects_rows(mill: Mill) -> None:
    tables(mill)
    ended = mill.run("--set", "gristmill.split_rows=10", "--limit", "2")
    assert ended.status == 0, ended.err
    view = mill.show()
    assert view["projection"]["items"] == view["total"] * 5 // 2


def test_quote_that_is_never_closed_is_told(mill: Mill) -> None:
    mill.inputs({"a.csv": 'n,w\n1,x\n2,"y\n3,z\n', "b.txt": "b"})
    mill.script(SCRIPT)
    mill.deployment()
    ended = mill.run("--split-rows", "1")
    assert ended.counts == (3, 3, 0, 0), ended.err
    assert "a.csv has a quote in row 1 (counted from 0) that is never closed" in ended.err


def test_parquet_without_pyarrow_fails_and_names_the_package(mill: Mill) -> None:
    tables(mill)
    parquet(mill)
    mill.write("code/pyarrow.py", "raise ImportError('none here')\n")
    mill.script("def run(mini_batch):\n    return list(mini_batch)\n")
    ended = mill.run("--split-rows", "10", "--include", "*.parquet")
    assert ended.counts == (30, 0, 30, 0)
    messages = {entry["message"].partition(",")[0] for entry in mill.failures()}
    assert messages == {"p.parquet is split by rows"}
    assert "the package 'pyarrow'" in mill.failures()[0]["message"]


def test_splits_by_rows_and_by_bytes_exclude_each_other(mill: Mill) -> None:
    tables(mill)
    refused = mill.run("--split-rows", "10", "--split-bytes", "1MB")
    assert refused.status == 2
    assert "splits files by bytes, and 'split_rows' splits them by rows; keep one of them" in refused.err
