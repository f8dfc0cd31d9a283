"""What no committed file may hold: a registry's host, a path of the machine that it was written on."""

from __future__ import annotations

from pathlib import Path

import pytest

# In pieces, so that this file passes its own tests.
REGISTRY_HOSTS = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs"),
        ("registry", "yarnpkg"),
        ("anaconda", "org"),
        ("anaconda", "com"),
        ("crates", "io"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("rubygems", "org"),
        ("repo1", "maven", "org"),
    )
]
MACHINE_PATHS = [
    "/" + "/".join(pieces)
    for pieces in (
        ("work", "main"),
        ("work", "shared"),
        ("work", ".library"),
        ("root", ""),
        ("opt", "wheels"),
        ("opt", "pypi"),
        ("tmp", "venv"),
        ("tmp", "brief"),
        ("tmp", "bash_jobs"),
    )
]


def lines_with(needles: list[str], files: list[Path]) -> list[str]:
    """Return `file:line: needle` for each occurrence."""
    found = []
    for file in files:
        for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").splitlines(), start=1):
            found += [f"{file}:{number}: {needle}" for needle in needles if needle in line]
    return found


def test_the_list_of_files_holds_the_whole_project(files: list[Path], root: Path) -> None:
    known = {"pyproject.toml", "run.py", ".ci/run", "src/gristmill/errors.py", "requirements/dev.lock"}
    assert known <= {file.relative_to(root).as_posix() for file in files}


@pytest.mark.parametrize("needle", [*REGISTRY_HOSTS, *MACHINE_PATHS])
def test_each_forbidden_text_is_found_where_it_stands(needle: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text(f"fine\nsee {needle}x\n")
    assert f"{bad}:2: {needle}" in lines_with([*REGISTRY_HOSTS, *MACHINE_PATHS], [bad])


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    assert lines_with(REGISTRY_HOSTS, files) == []


def test_no_file_names_a_path_of_this_machine(files: list[Path]) -> None:
    assert lines_with(MACHINE_PATHS, files) == []


def test_no_lock_of_a_kind_that_names_addresses(files: list[Path]) -> None:
    kinds = {"uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"}
    assert [file for file in files if file.name in kinds] == []


def test_source_files_are_at_most_400_lines(files: list[Path], root: Path) -> None:
    sources = [file for file in files if file.suffix == ".py" and root / "src" in file.parents]
    lengths = {
        file.relative_to(root).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in sources
    }
    assert lengths["src/gristmill/errors.py"] > 50
    assert {name: length for name, length in lengths.items() if length > 400} == {}
