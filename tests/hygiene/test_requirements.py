"""The locks hold what the .in files name, with hashes, and say nothing about where it came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
GROUPS = ["demo", "dev", "installer", "peers", "runtime"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)(?: ; (.+?))? \\$", re.MULTILINE)


def requirements(group: str) -> list[str]:
    """Return the requirements of `<group>.in`, and of the files that it includes."""
    lines = (REQUIREMENTS / f"{group}.in").read_text(encoding="utf-8").splitlines()
    meant = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    included = [line for name in meant if name.startswith("-r ") for line in requirements(name[3:-3])]
    return included + [line for line in meant if not line.startswith("-r ")]


def names(wanted: list[str]) -> set[str]:
    """Return the normalised names of requirements."""
    return {re.sub(r"[-_.]+", "-", NAME.match(line)[0]).lower() for line in wanted}


def lock(group: str) -> str:
    return (REQUIREMENTS / f"{group}.lock").read_text(encoding="utf-8")


def pins(group: str) -> set[tuple[str, str, str]]:
    """Return (name, version, marker) of each entry of a lock."""
    return set(PIN.findall(lock(group)))


def test_every_group_has_a_source_and_a_lock() -> None:
    assert sorted(path.stem for path in REQUIREMENTS.glob("*.in")) == GROUPS
    assert sorted(path.stem for path in REQUIREMENTS.glob("*.lock")) == GROUPS


@pytest.mark.parametrize(("group", "name"), [("demo", "magika"), ("dev", "pathspec"), ("installer", "uv")])
def test_sources_are_read_with_what_they_include(group: str, name: str) -> None:
    assert name in names(requirements(group))


@pytest.mark.parametrize("group", GROUPS)
def test_a_lock_holds_all_that_its_source_names(group: str) -> None:
    assert names(requirements(group)) - {name for name, _, _ in pins(group)} == set()


@pytest.mark.parametrize("group", GROUPS)
def test_a_lock_names_no_address(group: str) -> None:
    assert "==" in lock(group)
    assert "://" not in lock(group)


@pytest.mark.parametrize("group", GROUPS)
def test_every_entry_of_a_lock_has_a_hash(group: str) -> None:
    entries = [entry for entry in re.split(r"^(?=\S)", lock(group), flags=re.MULTILINE) if entry.strip()]
    assert len(entries) == len(PIN.findall(lock(group))) >= 1
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "demo"), ("demo", "dev")])
def test_tests_run_with_the_versions_that_users_get(smaller: str, larger: str) -> None:
    assert pins(smaller) - pins(larger) == set()


def test_runtime_requirements_are_the_dependencies_of_the_package() -> None:
    project = tomllib.loads((REQUIREMENTS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(project["dependencies"]) == sorted(requirements("runtime"))
