"""docs/performance.md is what the committed results say, and says what is missing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from _bars import BARS, bar
from _machine import Machine
from _page import DOCS, PAGE, as_page, committed
from _plots import PLOTS
from _results import Result, Row, Series

MACHINE = Machine(cores=2, cpu="A CPU", memory_bytes=1 << 30, kernel="6.1", python="3.11.7", load=0.1)
OURS = Series(contestant="Gristmill", figures=(1.0, 2.0, 3.0))
POOL = Series(contestant="Pool", figures=(2.0, 4.0, 6.0), note="chunksize 1")
STOPPED = Series(contestant="Slow", figures=(), note="stopped after 60 s")
ROW = Row(heading="time", label="10 files", unit="s", series=(OURS, POOL, STOPPED), reference="Pool")
RESULT = Result(
    name="overhead",
    question="Is it fast?",
    rounds=3,
    rows=(ROW,),
    bars=(bar("P1-100k-1", 0.5, "because"),),
    left_out={"Spark": "it needs Java"},
    machine=MACHINE,
    date="2026-01-02T03:04:05+00:00",
)


def test_the_page_is_what_the_committed_results_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_page(committed()), (
        "python3 run.py bench --page makes it anew"
    )


def test_every_plot_of_the_page_is_there_and_small() -> None:
    for file in re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (DOCS / file).stat().st_size < 100_000


def test_every_bar_stands_on_the_page_also_without_a_result() -> None:
    page = as_page({})
    assert f"{len(BARS)} bars: 0 met, 0 missed, {len(BARS)} not measured." in page
    assert all(f"| {target.id} |" in page for target in BARS)


def test_a_missed_bar_says_so_and_why() -> None:
    page = as_page({"overhead": RESULT})
    assert "| ≤ 0.3 × | 0.5 × | **missed**: because" in page


def test_an_older_result_is_held_against_what_is_promised_today() -> None:
    older = replace(bar("P1-100k-1", 0.5, "because"), limit=0.9)
    assert older.is_met
    assert "| ≤ 0.3 × | 0.5 × | **missed**" in as_page({"overhead": replace(RESULT, bars=(older,))})


@pytest.mark.parametrize("rows", [1, 9])
def test_a_table_shows_median_spread_ratio_and_who_has_no_figure(rows: int) -> None:
    many = tuple(replace(ROW, label=f"{number} files") for number in range(rows))
    page = as_page({"overhead": replace(RESULT, rows=many)})
    assert page.count("2 (1–3), 0.5 ×") == rows
    assert page.count("4 (2–6); chunksize 1") == rows
    assert page.count("stopped after 60 s") == rows
    assert "* Left out: Spark, because it needs Java." in page


def test_every_plot_shows_a_table_of_a_benchmark_with_promises() -> None:
    assert {plot.benchmark for plot in PLOTS} <= {target.benchmark for target in BARS}
    results = committed()
    for plot in PLOTS:
        rows = results[plot.benchmark].rows if plot.benchmark in results else ()
        assert not rows or plot.heading in {row.heading for row in rows}
