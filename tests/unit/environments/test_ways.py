"""Ways to build that a usual machine does not take: without uv, and with a Python that uv has to fetch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from doubles.wheels import wheel
from gristmill.environments import building, interpreters, venv
from gristmill.environments.seeds import as_requirement
from gristmill.service.environments import build_environment
from gristmill.settings import Home
from gristmill.spec.packages import Line
from worker.interpreters import interpreters as of_this_machine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.chdir(tmp_path)
    wheel(tmp_path / "wheels", "probe-a", "1.0", requires=["probe-b>=2"])
    wheel(tmp_path / "wheels", "probe-b", "2.5")
    return tmp_path


def built(folder: Path, python: str) -> tuple[str, tuple[str, ...], list[str]]:
    """Build an environment; return what built it, what is in it, and what was said."""
    (folder / "c.yaml").write_text(
        f"dependencies: [{python}, {{pip: [--no-index, --find-links wheels, --pre, probe-a]}}]\n"
    )
    said: list[str] = []
    view, _ = build_environment(Path("c.yaml"), Home(path=folder / "home"), said.append, offline=False)
    return view.builder, view.packages, said


@pytest.mark.parametrize(
    ("listed", "requirement"),
    [
        ("pip", "pip"),
        ("pip=*", "pip"),
        ("pip=23.2", "pip==23.2.*"),
        ("pip=23.2.1=pyhd8ed1ab_0", "pip==23.2.1.*"),
        ("conda-forge::pip 23.*", "pip==23.*"),
        ("pip<=23.2.1", "pip<=23.2.1"),
        ("setuptools>=60,<70", "setuptools>=60,<70"),
    ],
)
def test_package_of_condas_part_is_written_as_pip_does(listed: str, requirement: str) -> None:
    assert as_requirement(Line(text=listed, place="c.yaml:1:1")).text == requirement


def test_pip_comes_from_pythons_own_bundle_as_mlflow_limits_it(folder: Path) -> None:
    _, packages, _ = built(folder, "python>=3.8, pip<=99")

    assert [one.partition("==")[0] for one in packages if one.startswith("pip=")] == ["pip"]


@pytest.mark.slow  # Python's own venv and pip take some seconds
def test_where_uv_is_not_to_be_had_pip_does_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "uv_program", lambda _: None)
    builder, packages, _ = built(folder, "python>=3.8")

    assert builder == "pip"
    assert {"probe-a==1.0", "probe-b==2.5"} <= set(packages)


def test_python_that_is_not_here_is_fetched_by_uv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in uv's place "fetches" a Python of this machine, which nobody else finds."""
    real = next((one for one in of_this_machine() if f"3.{sys.version_info[1]}" not in one.name), None)
    if real is None:
        pytest.skip("there is no second Python on this machine")
    minor = real.name.removeprefix("python3.")
    uv = venv.uv_program(os.environ)
    assert uv is not None
    place = folder / "fetched" / f"cpython-3.{minor}.0-linux" / "bin"
    fake = folder / "uv"
    fake.write_text(
        f"#!/bin/sh\nPATH={os.defpath}\n"
        f'if [ "$1" = python ]; then echo "$*" > {folder}/asked; mkdir -p {place};'
        f' exec ln -s {real} {place}/python3.{minor}; fi\nexec {uv} "$@"\n'
    )
    fake.chmod(0o755)
    for module in (venv, building):
        monkeypatch.setattr(module, "uv_program", lambda _: str(fake))
    monkeypatch.setattr(interpreters, "_SYSTEM", ())
    monkeypatch.setenv("PATH", str(folder / "empty"))
    monkeypatch.setenv("PYENV_ROOT", str(folder / "empty"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(folder / "fetched"))
    builder, packages, said = built(folder, f"python=3.{minor}")

    assert builder == "uv"
    assert {"probe-a==1.0", "probe-b==2.5"} <= set(packages)
    assert said[0] == f"there is no Python 3.{minor} on this machine; uv fetches one"
    assert (folder / "asked").read_text() == f"python install --no-bin 3.{minor}\n"
