"""Which jobs may share loaded workers; whatever nobody has thought about keeps them apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, Standing, threads_of
from gristmill.service.warm_key import TOLD_ANEW, warm_key

#: Another value for each field of an assignment.
OTHER: dict[str, Any] = {
    "job": "other",
    "run_id": "other",
    "fence": 2,
    "interpreter": Interpreter(path=Path("/other"), version=(3, 9, 0), cache_tag="", chosen=""),
    "plan": Path("/other"),
    "root": "/other",
    "staging": Path("/other"),
    "logs": Path("/other"),
    "scratch": Path("/other"),
    "cache": Path("/other"),
    "earlier_runs": ("a",),
    "model": Path("/other"),
    "environment_variables": {"A": "2"},
    "output_format": "csv",
    "with_header": True,
    "provenance": {"names": ["row"]},
    "program_arguments": "--a",
    "logging_level": "debug",
    "gpus_per_worker": 0,
    "memory_per_worker_bytes": 1,
    "timeout_s": 1.0,
    "init_timeout_s": 1.0,
    "node": "node-1",
    "standing": Standing(outboxes=Path("/o"), plan=Path("/o"), code=Path("/o")),
}
#: These are in the key by other means, and have tests of their own below.
BY_CONTENT = {"code", "script", "workers"}


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    code = tmp_path / "code"
    (code / "lib").mkdir(parents=True)
    (code / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    (code / "lib" / "weights.bin").write_bytes(b"1234")
    interpreter = Interpreter(
        path=tmp_path / "env" / "bin" / "python", version=(3, 11, 0), cache_tag="", chosen=""
    )
    return Assignment(
        job="j", run_id="r", fence=1, interpreter=interpreter, code=code, script=code / "score.py",
        plan=tmp_path, root="/", staging=tmp_path, logs=tmp_path, scratch=tmp_path, cache=tmp_path,
        environment_variables={"A": "1"},
    )  # fmt: skip


def test_every_field_of_an_assignment_has_another_value_here() -> None:
    assert {one.name for one in fields(Assignment)} == OTHER.keys() | BY_CONTENT


@pytest.mark.parametrize("name", OTHER)
def test_what_cannot_be_told_anew_is_in_the_key(assignment: Assignment, name: str) -> None:
    other = replace(assignment, **{name: OTHER[name]})
    assert (warm_key(other, {}, "") == warm_key(assignment, {}, "")) is (name in TOLD_ANEW)


def test_a_model_and_an_environment_are_in_the_key(assignment: Assignment) -> None:
    keys = [
        warm_key(assignment, {}, ""),
        warm_key(assignment, {"m": "1:2"}, ""),
        warm_key(assignment, {}, "e"),
    ]
    assert len(set(keys)) == 3


def test_the_number_of_workers_counts_by_their_threads(assignment: Assignment, monkeypatch: Any) -> None:
    monkeypatch.setattr("gristmill.engine.launch.usable_cores", lambda: 8)
    keys = [warm_key(replace(assignment, workers=workers), {}, "") for workers in (1, 5, 6, 8)]
    assert [threads_of(workers) for workers in (1, 5, 6, 8)] == [8, 1, 1, 1]
    assert (keys[0] == keys[1], keys[1] == keys[2] == keys[3]) == (False, True)


def test_the_same_code_in_another_folder_has_the_same_key(assignment: Assignment, tmp_path: Path) -> None:
    moved = (tmp_path / "code").rename(tmp_path / "moved")
    (moved / "__pycache__").mkdir()
    (moved / "__pycache__" / "score.pyc").touch()
    (tmp_path / "code").symlink_to(moved)
    other = replace(assignment, code=moved, script=moved / "score.py")
    assert warm_key(other, {}, "") == warm_key(assignment, {}, "")


def _edited(code: Path) -> None:
    """Another byte, and everything else as it was."""
    weights = code / "lib" / "weights.bin"
    before = weights.stat()
    weights.write_bytes(b"1235")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "another byte": _edited,
    "one more file": lambda code: (code / "more.txt").touch(),
    "one less": lambda code: (code / "lib" / "weights.bin").unlink(),
    "another name": lambda code: (code / "lib").rename(code / "bil"),
    "a link": lambda code: (code / "data").symlink_to("/usr"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_code_has_another_key(assignment: Assignment, change: str) -> None:
    before = warm_key(assignment, {}, "")
    CHANGES[change](assignment.code)
    assert warm_key(assignment, {}, "") != before


def test_what_is_linked_counts_by_where_it_leads_and_what_it_looks_like(
    assignment: Assignment, tmp_path: Path
) -> None:
    keys = []
    for name, text in (("a", "1"), ("b", "1"), ("b", "12")):
        (tmp_path / name).write_text(text)
        (assignment.code / "link").unlink(missing_ok=True)
        (assignment.code / "link").symlink_to(tmp_path / name)
        keys.append(warm_key(assignment, {}, ""))
    assert len(set(keys)) == 3


def test_packages_that_are_installed_meanwhile_change_the_key(assignment: Assignment, tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    os.utime(site, ns=(0, 1))
    before = warm_key(assignment, {}, "")
    (site / "numpy").mkdir()
    assert warm_key(assignment, {}, "") != before


def test_how_the_interpreter_was_chosen_is_of_no_consequence(assignment: Assignment) -> None:
    other = replace(assignment, interpreter=replace(assignment.interpreter, chosen="--python"))
    assert warm_key(other, {}, "") == warm_key(assignment, {}, "")
