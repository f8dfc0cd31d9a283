"""`python3 run.py bench` goes on when one fails, and says so at the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _all import _options
from _results import RESULTS

FAILING = "raise SystemExit('no model')\n"
WORKING = """\
import sys
from _results import Result, Row, Series, hand_in
series = (Series(contestant="Gristmill", figures=(1.0,), note=" ".join(sys.argv[1:])),)
row = Row(heading="time", label="work", unit="s", series=series)
result = Result(name="working", question="?", rounds=1, rows=(row,), is_quick="--quick" in sys.argv)
raise SystemExit(hand_in(result))
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder of two benchmarks, the first of which fails."""
    here = tmp_path / "benchmarks"
    here.mkdir()
    (tmp_path / "docs").mkdir()
    for form in RESULTS.parent.glob("_*.py"):
        shutil.copy(form, here)
    (here / "broken.py").write_text(FAILING)
    (here / "working.py").write_text(WORKING)
    return here


def run(bench: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, bench / "_all.py", *words], capture_output=True, text=True, check=False
    )


def test_a_failing_benchmark_does_not_keep_back_the_others(bench: Path) -> None:
    ended = run(bench, "--rounds", "3")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "failed: broken"
    assert "working: done" in ended.stderr
    assert '"note": "--rounds 3"' in (bench / "results/working.json").read_text(encoding="utf-8")
    assert "## Working" in (bench.parent / "docs/performance.md").read_text(encoding="utf-8")


def test_only_what_has_no_result_is_measured_again(bench: Path) -> None:
    run(bench, "working")
    ended = run(bench, "--only-missing")

    assert "1 of 1: broken" in ended.stderr
    assert "working" not in ended.stderr


def test_who_waits_is_told_how_long_it_took_before(bench: Path) -> None:
    run(bench, "working")
    path = bench / "results/working.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"took_s": 0.0', '"took_s": 90.0'), encoding="utf-8"
    )

    assert "1 of 1: working, which took 1.5 minutes for its last result" in run(bench, "working").stderr


def test_a_quick_run_changes_no_page(bench: Path) -> None:
    ended = run(bench, "working", "--quick")

    assert ended.returncode == 0
    assert (bench / "results/quick/working.json").exists()
    assert not (bench.parent / "docs/performance.md").exists()


def test_the_page_alone_measures_nothing(bench: Path) -> None:
    ended = run(bench, "--page")

    assert ended.returncode == 0
    assert "bench:" not in ended.stderr
    assert (bench.parent / "docs/performance.md").exists()


def test_words_before_the_first_option_are_names_and_what_is_not_ours_is_passed_on() -> None:
    names, given, rest = _options(["overhead", "models", "--quick", "--rounds", "3", "--files", "9"])
    assert (names, given.quick, given.rounds, rest) == (["overhead", "models"], True, 3, ["--files", "9"])
