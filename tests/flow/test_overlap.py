"""Outputs among the inputs are told, or refused, before they are scored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.holding import prepared
from flow.mill import Ended, Mill

HOLDS = "the input holds what job"
LIES = "lies in the input folder"


@pytest.fixture(scope="module")
def scored(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    """A job that wrote into a folder of its input."""
    mill = prepared(new_mill(), ["ok", "ok"])
    return mill, mill.run("--output-path", "in/out")


def again(mill: Mill, job: str, *words: str) -> Ended:
    return mill.run("--job-name", job, "--output-path", job, *words)


def test_an_output_folder_in_the_input_is_left_out_and_told(scored: tuple[Mill, Ended]) -> None:
    assert scored[1].counts == (2, 2, 0, 0)
    assert f"notice: the output folder {scored[0].root}/in/out {LIES}" in scored[1].err
    assert "--exclude 'out/'" in scored[1].err


def test_an_earlier_output_in_the_input_is_told(scored: tuple[Mill, Ended]) -> None:
    ended = again(scored[0], "second")

    wrote = f"wrote ({scored[0].root}/in/out/predictions.csv), and it is scored as well"
    assert f"notice: {HOLDS} j {wrote}; --exclude 'out/' leaves it out" in ended.err


def test_an_earlier_output_as_the_input_is_told(scored: tuple[Mill, Ended]) -> None:
    ended = again(scored[0], "third", "--input", "in/out")

    assert f"{HOLDS} j wrote ({scored[0].root}/in/out/predictions.csv), and it is scored" in ended.err
    assert "--exclude 'predictions.csv' leaves it out" in ended.err


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("a", ("--exclude", "out/")),
        ("b", ("--include", "00*")),
        ("c", ("--no-recursive",)),
    ],
)
def test_an_earlier_output_that_is_not_scored_is_not_told(
    scored: tuple[Mill, Ended], job: str, words: tuple[str, ...]
) -> None:
    ended = again(scored[0], job, *words)

    assert ended.counts == (2, 2, 0, 0)
    assert HOLDS not in ended.err


def test_the_input_folder_as_output_folder_is_refused(mill: Mill) -> None:
    prepared(mill, ["ok"])

    ended = mill.run("--output-path", "in/../in")

    assert ended.status == 2
    assert "is the input folder, and the predictions would be scored by the next job" in ended.err
    assert mill.jobs() == []
    assert mill.output("in") == ["000"]


def test_messages_about_an_input_list_name_the_file_of_the_user(mill: Mill) -> None:
    prepared(mill, ["ok"])
    mill.write("wanted.txt", "000\nmissing\n")

    ended = mill.run("--input-list", "wanted.txt")

    assert ended.status == 2
    assert f"the input list '{mill.root / 'wanted.txt'}' has 1 entry that cannot be scored" in ended.err
