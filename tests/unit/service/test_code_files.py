"""The code of a deployment, as it is chosen and kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.service.code_files import code_files, keep_code
from gristmill.settings import Home
from gristmill.storage.contents import Contents
from gristmill.storage.incoming import remove_tree
from unit.service.assets.options import write


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(path=tmp_path / "home")
    remove_tree(tmp_path / "home")


def kept(home: Home, key: str) -> list[str]:
    """Return the files of a content."""
    path = Contents(home.contents).path(key)
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def test_what_is_no_code_is_not_kept(home: Home, tmp_path: Path) -> None:
    code = write(
        tmp_path / "code",
        {
            "score.py": "1",
            "lib/a.py": "1",
            "lib/__pycache__/a.pyc": "1",
            ".git/HEAD": "1",
            "own-env/pyvenv.cfg": "1",
            "data/big.bin": "1",
            ".amlignore": "data/\n",
        },
    )
    key, notices = keep_code(code, "score.py", home)
    assert kept(home, key) == [".amlignore", "lib/a.py", "score.py"]
    assert Contents(home.contents).path(key).name == "code"
    assert notices == ()
    write(code, {"data/other.bin": "2"})
    assert keep_code(code, "./score.py", home) == (key, ())


def test_the_script_is_kept_whatever_is_ignored(home: Home, tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"a.txt": "1", "sub/deep/score.py": "1", ".gitignore": "sub/\n"})
    key, notices = keep_code(code, "sub/deep/score.py", home)
    assert kept(home, key) == [".gitignore", "a.txt", "sub/deep/score.py"]
    assert notices == ("sub/deep/score.py is left out by .gitignore, but copied: it is the scoring script",)


def test_a_home_in_the_code_is_no_code(tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"score.py": "1", "home/jobs/j/job.json": "1"})
    home = Home(path=code / "home")
    first, _ = keep_code(code, "score.py", home)
    assert kept(home, first) == ["score.py"]
    assert keep_code(code, "score.py", home)[0] == first
    remove_tree(home.path)


def test_links_to_nothing_are_noticed_and_pipes_too(home: Home, tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"score.py": "1"})
    (code / "gone").symlink_to("nowhere")
    os.mkfifo(code / "pipe")
    key, notices = keep_code(code, "score.py", home)
    assert kept(home, key) == ["score.py"]
    assert notices == (f"gone and 1 more like it in {code} was not copied: no file, or a link to nothing",)


def test_folders_come_before_what_is_in_them(tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"z/y/x.py": "1", "a.py": "1", "z/b.py": "1"})
    found = [one.relative for one in code_files(code, "a.py", ours=frozenset()).found]
    assert found == ["a.py", "z", "z/b.py", "z/y", "z/y/x.py"]
