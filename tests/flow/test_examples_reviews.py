"""The reviews example: its page as typed, its rows against a plain loop, and its memory."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from flow.clone import TEXT_BLOCK, files_below, load, new_clone, page, type_page, typed
from flow.mill import REPOSITORY

EXAMPLE = "reviews-by-row"

# Beside the example's script in its copy: the same, and the peak memory of the worker's process.
MEASURED = """
import os
import re
from pathlib import Path
import score
from score import init

def run(mini_batch):
    done = score.run(mini_batch)
    peak_kb = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
    Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "peak-kb").write_text(peak_kb)
    return done
"""


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the examples in which every command of the page was typed, and what they printed."""
    clone = new_clone(tmp_path_factory.mktemp("reviews"))
    return clone, type_page(clone, EXAMPLE)


def test_page_shows_what_is_printed(reviews: tuple[Path, str]) -> None:
    clone, printed = reviews

    rows, comparison = TEXT_BLOCK.findall(page(clone, EXAMPLE))
    assert rows in printed
    assert comparison in printed


def test_each_file_gives_its_rows_in_order_with_what_vader_says(reviews: tuple[Path, str]) -> None:
    vader = SentimentIntensityAnalyzer()

    expected = {}
    for path in files_below(REPOSITORY / "examples" / EXAMPLE / "reviews"):
        header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        scored = [[*row, vader.polarity_scores(row[2])["compound"]] for row in rows]
        file = io.StringIO(newline="")
        csv.writer(file).writerows([[*header, "sentiment"], *scored])
        expected[path.name] = file.getvalue().encode()

    output = reviews[0] / "out/reviews"
    assert {path.name: path.read_bytes() for path in files_below(output)} == expected
    assert len(expected) == 5


def test_rows_with_line_breaks_quotes_and_a_byte_order_mark_stay_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["good\nand bad", 'a "good" one, they say', "old\rline ends", ""]
    file = tmp_path / "in.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in texts)])
    output = tmp_path / "output"
    output.mkdir()
    monkeypatch.setenv("AZUREML_BI_OUTPUT_PATH", str(output))
    script = load(REPOSITORY / "examples" / EXAMPLE / "score.py")
    script.init()

    done = script.run([str(file)])

    with (output / "in.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert done == [str(file)]
    assert [row["text"] for row in rows] == texts
    assert [row["sentiment"] for row in rows][3] == "0.0"


def test_twenty_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    clone = new_clone(tmp_path)

    assert peak_kb(clone, rows=40_000) <= 1.1 * peak_kb(clone, rows=2_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_rows_take_the_memory_of_fifty_thousand(tmp_path: Path) -> None:
    clone = new_clone(tmp_path)

    assert peak_kb(clone, rows=1_000_000) <= 1.3 * peak_kb(clone, rows=50_000)


def peak_kb(clone: Path, rows: int) -> int:
    """Score a file of so many short reviews, see that all are there, and return the worker's peak memory."""
    (clone / "examples" / EXAMPLE / "measured.py").write_text(MEASURED)
    source = clone / f"{rows}/reviews.csv"
    source.parent.mkdir()
    with source.open("w", newline="") as file:
        csv.writer(file).writerow(["id", "rating", "text"])
        csv.writer(file).writerows([number, 0, "not so good"] for number in range(rows))

    typed(
        clone,
        f"gristmill run examples/{EXAMPLE}/deployment.yml --input {source.parent} --output-path out/{rows} "
        "--set code_configuration.scoring_script=measured.py --use-current-python",
    )

    with (clone / f"out/{rows}/reviews.csv").open(newline="") as file:
        _, *scored = csv.reader(file)
    assert scored == [[str(number), "0", "not so good", "-0.3865"] for number in range(rows)]
    return int((clone / f"out/{rows}/peak-kb").read_text())
