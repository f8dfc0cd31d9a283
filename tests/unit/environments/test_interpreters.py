"""The Python that comes nearest to what is asked for, among those that are found and run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.environments import interpreters as module
from gristmill.environments.interpreters import Interpreters, patch_notice
from gristmill.environments.python_wish import PythonWish, python_wish
from gristmill.errors import InterpreterError
from gristmill.spec.packages import Line

HERE = sys.version_info[1]
OTHER = 9 if HERE != 9 else 10


def wish(text: str) -> PythonWish:
    return python_wish([Line(text=text, place="c.yaml:1:1")])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Interpreters]:
    """A machine that has only the Pythons of these versions: name below the folder → version."""
    monkeypatch.setattr(module, "_SYSTEM", ())

    def with_pythons(**places: str) -> Interpreters:
        for place, version in places.items():
            numbers = tuple(map(int, version.split(".")))
            name = f"python{numbers[0]}.{numbers[1]}"
            folder = {
                "path": tmp_path / "bin",
                "pyenv": tmp_path / "pyenv" / "versions" / version / "bin",
                "pyenv2": tmp_path / "pyenv" / "versions" / version / "bin",
                "uv": tmp_path / "uv" / f"cpython-{version}-linux" / "bin",
                "shims": tmp_path / "shims",
            }[place]
            folder.mkdir(parents=True, exist_ok=True)
            said = (
                f'print("[[{", ".join(map(str, numbers))}], \\"tag\\"]")' if place != "shims" else "exit(127)"
            )
            file = folder / name
            file.write_text(f"#!{sys.executable}\n{said}\n")
            file.chmod(0o755)
        variables = {
            "PATH": f"{tmp_path}/shims:{tmp_path}/bin",
            "PYENV_ROOT": str(tmp_path / "pyenv"),
            "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv"),
            "HOME": str(tmp_path),
        }
        return Interpreters(variables)

    return with_pythons


def chosen(found: Interpreters, text: str) -> str | None:
    interpreter = found.choose(wish(text), is_strict=False)
    return None if interpreter is None else ".".join(map(str, interpreter.version))


def test_pythons_are_found_on_path_of_pyenv_and_of_uv(machine: Callable[..., Interpreters]) -> None:
    found = machine(shims=f"3.{OTHER}.0", path=f"3.{OTHER}.1", pyenv=f"3.{OTHER}.2", uv=f"3.{OTHER}.3")

    assert sorted(one.version[2] for one in found.of_minor(OTHER)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (f"python=3.{OTHER}.4", f"3.{OTHER}.4"),
        (f"python=3.{OTHER}", f"3.{OTHER}.20"),
        (f"python=3.{OTHER}.6", f"3.{OTHER}.4"),
        (f"python=3.{OTHER}.19", f"3.{OTHER}.20"),
        (f"python<3.{OTHER}.10,>=3.{OTHER}", f"3.{OTHER}.4"),
        ("python=3.77", None),
    ],
)
def test_nearest_patch_release_is_chosen(
    machine: Callable[..., Interpreters], asked: str, version: str | None
) -> None:
    assert chosen(machine(path=f"3.{OTHER}.20", pyenv=f"3.{OTHER}.4"), asked) == version


def test_python_that_runs_gristmill_goes_first_where_any_will_do(
    machine: Callable[..., Interpreters],
) -> None:
    here = ".".join(map(str, sys.version_info[:3]))

    assert chosen(machine(path="3.99.0"), "python") == here
    assert chosen(machine(path="3.99.0"), f"python>3.{HERE + 1}") == "3.99.0"


def test_minor_version_that_has_what_is_asked_for_goes_before_a_near_one(
    machine: Callable[..., Interpreters],
) -> None:
    found = machine(path="3.99.5", pyenv="3.98.7")

    assert chosen(found, "python=3.99.9|=3.98.7") == "3.98.7"


def test_another_patch_release_is_told(machine: Callable[..., Interpreters]) -> None:
    asked = wish(f"python=3.{OTHER}.6")

    assert patch_notice(asked, (3, OTHER, 4)) == (
        f"c.yaml:1:1: python=3.{OTHER}.6: Python 3.{OTHER}.4 takes its place, the nearest that is here",
    )
    assert patch_notice(asked, (3, OTHER, 6)) == ()


def test_strict_wish_refuses_another_patch_release(machine: Callable[..., Interpreters]) -> None:
    found = machine(path=f"3.{OTHER}.4")

    with pytest.raises(InterpreterError, match=rf"the nearest Python on this machine is 3\.{OTHER}\.4 "):
        found.choose(wish(f"python=3.{OTHER}.6"), is_strict=True)
