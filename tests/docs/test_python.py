"""What the documents say of Python: it runs, and nothing is left out."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gristmill
from flow.mill import REPOSITORY, Mill

PAGE = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST_FILES = re.compile(r"^for n in .*?^END$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def newcomer(tmp_path: Path) -> Mill:
    """A folder with the files of the README's first job."""
    commands = FIRST_FILES.search(README)
    assert commands is not None
    (tmp_path / "texts").mkdir()
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands[0]], cwd=tmp_path, check=True)
    assert len(list((tmp_path / "texts").iterdir())) == 99
    return Mill(tmp_path)


def said_by(blocks: list[str], mill: Mill) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=mill.root,
        env=mill.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_python_of_the_readme_runs(newcomer: Mill) -> None:
    said = said_by(PYTHON.findall(README), newcomer)

    assert "words" in said
    assert said.endswith("[99 rows x 3 columns]\n")


def test_python_of_the_page_runs(newcomer: Mill) -> None:
    blocks = PYTHON.findall(PAGE)

    said = said_by(blocks, newcomer)

    assert len(blocks) == 3
    assert said.startswith("Completed: all 99 items\n")
    assert "99.txt" in said


@pytest.mark.parametrize("name", gristmill.__all__)
def test_every_name_is_on_the_page(name: str) -> None:
    assert getattr(gristmill, name) is not None
    assert re.search(rf"`gristmill\.{name}\b", PAGE)


def members() -> list[str]:
    public = [name for name in vars(gristmill.Job) if not name.startswith("_")]
    fields = [field.name for field in dataclasses.fields(gristmill.FailedItem)]
    return [*public, *fields, *inspect.signature(gristmill.run).parameters]


@pytest.mark.parametrize("name", sorted(set(members())))
def test_every_member_and_argument_is_on_the_page(name: str) -> None:
    assert re.search(rf"`{name}(\(\))?`", PAGE)
