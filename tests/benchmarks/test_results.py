"""The form of benchmarks' results: what is written is read again, and no verdict is given by hand."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from _bars import BARS, BY_ID, REASONS, bar
from _machine import Machine, cpu_model, versions
from _results import RESULTS, Result, Row, Series, _command, as_text, hand_in, load, save
from _turns import by_turns
from hypothesis import given
from hypothesis import strategies as st

README = RESULTS.parent / "README.md"
MACHINE = Machine(cores=2, cpu="A CPU", memory_bytes=1 << 30, kernel="6.1", python="3.11.7", load=0.1)

FIGURES = st.lists(st.integers(1, 999_999).map(lambda n: n / 1000), min_size=1, max_size=7).map(tuple)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


def result(*rows: Row, **more: object) -> Result:
    whole = Result(name="tried", question="Is it fast?", rounds=3, rows=rows, machine=MACHINE)
    return replace(whole, **more)


def row(**series: tuple[float, ...]) -> Row:
    each = tuple(Series(contestant=name, figures=figures) for name, figures in series.items())
    return Row(heading="time", label="10 files", unit="s", series=each, reference="pool")


@given(ours=FIGURES, pool=FIGURES, note=TEXTS, why=TEXTS)
def test_a_result_that_is_saved_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    ours: tuple[float, ...],
    pool: tuple[float, ...],
    note: str,
    why: str,
) -> None:
    whole = result(
        row(ours=ours, pool=pool),
        bars=(bar("P1-100k-1", ours[0], why),),
        notes=(note,),
        left_out={"peer": why},
        versions=versions("pytest"),
    )
    assert load(save(whole, tmp_path_factory.mktemp("results"))) == whole


@given(ours=FIGURES, pool=FIGURES)
def test_a_ratio_lies_between_the_least_and_the_most(
    ours: tuple[float, ...], pool: tuple[float, ...]
) -> None:
    ratio = row(ours=ours, pool=pool).ratio("ours")
    assert ratio is not None
    assert min(ours) / max(pool) <= ratio * 1.000001
    assert ratio <= max(ours) / min(pool) * 1.000001


def test_a_ratio_is_taken_round_by_round() -> None:
    assert row(ours=(1.0, 10.0, 100.0), pool=(2.0, 20.0, 50.0)).ratio("ours") == 0.5


def test_a_contestant_without_a_figure_says_why_and_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="no note that says why"):
        Series(contestant="slow", figures=())
    stopped = Series(contestant="slow", figures=(), note="stopped after 60 s")
    pool = Series(contestant="pool", figures=(1.0,))
    one = Row(heading="time", label="10 files", unit="s", series=(stopped, pool), reference="pool")
    assert one.ratio("slow") is None
    assert "slow (stopped after 60 s)" in as_text(result(one))


def test_a_figure_is_a_number() -> None:
    with pytest.raises(ValueError, match="not a number"):
        Series(contestant="ours", figures=(float("nan"),))


def test_a_row_names_each_contestant_once_and_its_reference() -> None:
    with pytest.raises(ValueError, match="reference 'pool'"):
        row(ours=(1.0,))


@pytest.mark.parametrize(
    ("id", "measured", "verdict"),
    [
        ("P1-100k-1", 0.3, "met"),
        ("P1-100k-1", 0.31, "missed"),
        ("P1-ray", 10.0, "met"),
        ("P1-ray", 9.9, "missed"),
    ],
)
def test_the_verdict_follows_from_the_figure(id: str, measured: float, verdict: str) -> None:
    assert bar(id, measured).verdict == verdict


def test_a_bar_that_was_not_measured_says_why() -> None:
    with pytest.raises(ValueError, match="say why"):
        bar("P1-ray", None)
    assert bar("P1-ray", None, "ray cannot be installed").verdict == "not measured"


def test_an_unknown_bar_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="P1-100k-1"):
        bar("P99", 1.0)


def test_reasons_are_of_bars_that_there_are() -> None:
    assert REASONS.keys() <= BY_ID.keys()


def test_bars_have_one_id_each() -> None:
    assert len({target.id for target in BARS}) == len(BARS)


def test_a_quick_result_stands_apart(tmp_path: Path) -> None:
    hand_in(result(row(ours=(1.0,), pool=(2.0,)), is_quick=True), folder=tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")] == [
        "quick/tried.json"
    ]


def test_no_path_gets_into_the_command() -> None:
    assert _command("tried", ["--rounds", "5", "--input=/home/me/x"]) == (
        "python3 run.py bench tried --rounds 5 PATH"
    )


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match=r"other\.json is not a result"):
        load(path)


def test_a_processor_without_a_name_is_its_architecture() -> None:
    assert cpu_model("processor : 0\nmodel name\t: Fast CPU\n") == "Fast CPU"
    assert cpu_model("processor : 0\n") == platform.machine()


def test_every_round_asks_each_once_in_turn() -> None:
    asked: list[str] = []

    def ask(name: str) -> float:
        asked.append(name)
        return float(len(asked))

    took = by_turns({"a": lambda: ask("a"), "b": lambda: ask("b")}, rounds=2)
    assert asked == ["a", "b"] * 3
    assert took == {"a": (3.0, 5.0), "b": (4.0, 6.0)}


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_committed_result_is_in_the_form(path: Path) -> None:
    kept = load(path)
    assert kept.name == path.stem
    assert not kept.is_quick
    for one in kept.bars:
        assert one.id in BY_ID, "benchmarks/_bars.py holds all that is promised"
        assert one.is_met or one.why or one.id in REASONS, (
            f"{one.id} is {one.verdict}: say why in _bars.REASONS"
        )


def test_the_page_for_authors_shows_a_program_that_works(tmp_path: Path) -> None:
    program = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert program is not None
    for form in RESULTS.parent.glob("_*.py"):
        shutil.copy(form, tmp_path)
    (tmp_path / "sorting.py").write_text(program[1], encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "sorting.py", "--quick"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "1,000 numbers, s" in ended.stdout
    assert [one.contestant for one in load(tmp_path / "results/quick/sorting.json").rows[0].series] == [
        "sorted",
        "reversed",
    ]
