"""The sample: spread, in an order of chance, each file once before any comes again; bad ones never again."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import InputError
from gristmill.service.tuning.facts import Files
from gristmill.service.tuning.supply import SAMPLE, Supply
from gristmill.spec.deployment import bare_script
from gristmill.spec.values import Settings

NAMES = [f"{number}.txt" for number in range(10)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    script = tmp_path / "code" / "score.py"
    script.parent.mkdir()
    script.write_text("def run(mini_batch):\n    return mini_batch\n")
    return bare_script(script).settings


def made(folder: Path, contents: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in contents.items():
        (folder / name).write_text(text)
    return folder


def test_every_file_comes_once_before_any_comes_again() -> None:
    supply = Supply("/in", NAMES, 10)

    first = [*supply.take(4), *supply.take(4), *supply.take(2)]

    assert sorted(first) == NAMES
    assert first != NAMES  # the order is one of chance
    assert supply.new == 0
    assert supply.take(4) == first[:4]


def test_a_call_never_holds_a_file_twice() -> None:
    supply = Supply("/in", NAMES, 10)
    supply.take(7)

    assert len(set(supply.take(10))) == 10
    assert len(supply.take(100)) == 10


def test_file_that_is_left_out_never_comes_again() -> None:
    supply = Supply("/in", NAMES, 10)
    taken = supply.take(3)

    supply.leave_out(taken[1])
    supply.leave_out(taken[1])

    assert supply.usable == 9
    assert supply.new == 7
    assert taken[1] not in [name for _ in range(9) for name in supply.take(3)]


def test_last_file_may_be_left_out() -> None:
    supply = Supply("/in", ["a"], 1)
    supply.leave_out("a")

    assert (supply.usable, supply.take(3)) == (0, [])


def test_sizes_and_lines_are_those_of_the_files(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", {"a.csv": "1\n2\n3\n", "b.csv": "1\n", "c.csv": "1\n2\n3\n4\n5"})
    supply = Supply(str(folder), ["a.csv", "b.csv", "c.csv"], 30)

    assert supply.facts() == Files(files=30, sampled=3, median_bytes=6, largest_bytes=9, total_bytes=170)
    assert supply.median_rows() == 3


def test_files_that_are_no_text_tables_have_no_lines(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", {"a.png": "x\n", "b.png": "x\n", "c.csv": "x\n"})

    assert Supply(str(folder), ["a.png", "b.png", "c.csv"], 3).median_rows() is None


def test_sample_is_spread_over_the_input_and_knows_how_many_there_are(
    tmp_path: Path, settings: Settings
) -> None:
    folder = made(tmp_path / "in", {f"{number:05d}": "" for number in range(3000)})

    supply = Supply.of(folder, settings, tmp_path / "plan")

    numbers = sorted(int(name) for name in supply.take(SAMPLE))
    assert supply.files == 3000
    assert len(numbers) == SAMPLE
    assert numbers[0] < 10
    assert numbers[-1] > 2990


def test_one_file_alone_is_a_sample(tmp_path: Path, settings: Settings) -> None:
    folder = made(tmp_path / "in", {"a": "x", "b": "x"})

    supply = Supply.of(folder / "a", settings, tmp_path / "plan")

    assert (supply.files, supply.take(5), supply.root) == (1, ["a"], str(folder))


def test_empty_input_is_refused(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "in").mkdir()

    with pytest.raises(InputError, match="has no files"):
        Supply.of(tmp_path / "in", settings, tmp_path / "plan")


def test_cached_files_are_forgotten_and_files_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", {"a": "x" * 100_000})
    supply = Supply(str(folder), ["a", "gone"], 2)

    supply.forget_cached(["a", "gone"])

    assert (folder / "a").read_text() == "x" * 100_000
    assert supply.facts().largest_bytes == 100_000
