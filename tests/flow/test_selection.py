"""Which files are scored, as said on the command line or in the deployment (contract, section 4)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from flow.mill import Mill

ECHO = """
def run(mini_batch):
    noted("calls", " ".join(os.path.relpath(path, HERE / "in") for path in mini_batch))
    return mini_batch
"""


@pytest.fixture(scope="module")
def mill(new_mill: Callable[[], Mill]) -> Mill:
    mill = new_mill()
    mill.inputs(["a.jpg", "b.txt", "raw/c.jpg", "sub/d.jpg", "sub/e.txt", "sub/raw/f.jpg", ".g.jpg"])
    mill.script(ECHO)
    mill.deployment("mini_batch_size: 10")
    mill.deployment(
        "mini_batch_size: 10", "gristmill: {include: ['*.txt'], exclude: sub/}", name="chosen.yml"
    )
    return mill


def scored(mill: Mill, *words: str, of: str = "deployment.yml", job: str) -> list[str]:
    """Run, and return what the only call of run() had."""
    before = len(mill.calls())
    ended = mill.run(*words, "--job-name", job, "--output-path", f"out-{job}", of=of)
    assert (ended.status, ended.err if ended.status else "") == (0, "")
    (call,) = mill.calls()[before:]
    return call.split()


def test_include_and_exclude_choose_files(mill: Mill) -> None:
    assert scored(mill, "--include", "*.jpg", "--include", "/b.*", "--exclude", "raw/", job="patterns") == [
        "a.jpg",
        "b.txt",
        "sub/d.jpg",
    ]


def test_deployment_chooses_files_and_options_stand_above_it(mill: Mill) -> None:
    assert scored(mill, of="chosen.yml", job="file") == ["b.txt"]
    assert scored(mill, "--include", "a.*", of="chosen.yml", job="option") == ["a.jpg"]


def test_input_list_names_the_files_in_any_order(mill: Mill) -> None:
    mill.write("list.txt", f"sub/raw/f.jpg\n{mill.root / 'in' / 'a.jpg'}\n.g.jpg\n")

    assert scored(mill, "--input-list", "list.txt", job="list") == [".g.jpg", "a.jpg", "sub/raw/f.jpg"]


def test_chosen_settings_are_kept_with_the_job(mill: Mill) -> None:
    scored(mill, "--include", "*.jpg", "--exclude", "raw", job="kept")
    record = json.loads((mill.home / "jobs" / "kept" / "job.json").read_text())

    assert '"include": ["*.jpg"]' in json.dumps(record)
    assert mill.type("verify", "kept").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--include", "*.png"], "6 that no --include pattern matches"),
        (["--exclude", "*"], "4 that an --exclude pattern matches"),
        (["--exclude", "a["], "--exclude a[: the pattern has a '[' without its ']'"),
        (["--input-list", "none.txt"], "--input-list none.txt: no such file"),
        (["--input-list", "wrong.txt"], "line 2: 'gone.jpg' does not exist"),
    ],
)
def test_wrong_choice_starts_nothing_and_is_named(mill: Mill, words: list[str], said: str) -> None:
    mill.write("wrong.txt", "a.jpg\ngone.jpg\n")
    ended = mill.run(*words, "--job-name", "wrong", "--output-path", "out-wrong")

    assert ended.status == 2
    assert said in ended.err
    assert "wrong" not in mill.jobs()


def test_what_the_listing_noticed_is_told(new_mill: Callable[[], Mill]) -> None:
    mill = new_mill()
    mill.inputs(["a", "b"])
    mill.script(ECHO)
    mill.deployment("mini_batch_size: 10")
    mill.write("list.txt", "a\nb\na\n")

    ended = mill.run("--input-list", "list.txt")

    assert (ended.status, ended.counts) == (0, (2, 2, 0, 0))

    assert "the input list names files more than once, such as 'a'" in ended.err
