"""pip's settings of a machine, as pip reads them, and what uv is told of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.environments.pip_settings import constraints, pip_settings, uv_variables


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine whose configuration files lie below a folder."""
    (tmp_path / "xdg" / "pip").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "pip").mkdir(parents=True)
    (tmp_path / "xdg" / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://all.example/simple\nconstraint = /etc/c.txt\ntimeout = 99\n"
        "[install]\nno-binary = x\n"
    )
    (tmp_path / "home" / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nextra_index_url =\n  https://a.example/simple\n  https://b.example/simple\n"
        "[install]\ntimeout = 7\n[list]\nformat = json\n"
    )
    return {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "HOME": str(tmp_path / "home"), "PATH": "/bin"}


def test_settings_are_those_that_pip_itself_lists(machine: dict[str, str]) -> None:
    variables = {**machine, "PIP_FIND_LINKS": "/wheels", "PIP_NO_INDEX": "0"}
    command = [Path(sys.base_prefix, "bin", "python3"), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"there is no pip to compare with: {listed.stderr.strip()[-100:]}")
    said = {}
    for section in ("global", "install", ":env:"):
        for line in listed.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                said[key.removeprefix(f"{section}.")] = value.strip("'").replace("\\n", "\n")

    assert pip_settings(variables) == said


def test_uv_is_told_in_its_own_words(machine: dict[str, str]) -> None:
    told = uv_variables({**machine, "PIP_FIND_LINKS": "/wheels /more", "PIP_TRUSTED_HOST": "a b"})

    assert told["UV_DEFAULT_INDEX"] == "https://all.example/simple"
    assert told["UV_INDEX"] == "https://a.example/simple https://b.example/simple"
    assert told["UV_FIND_LINKS"] == "/wheels,/more"
    assert (told["UV_INSECURE_HOST"], told["UV_HTTP_TIMEOUT"]) == ("a b", "7")
    assert told["UV_CONSTRAINT"] == "/etc/c.txt"
    assert told["UV_PYTHON_DOWNLOADS"] == "never"


def test_what_is_said_to_uv_itself_stands_above(machine: dict[str, str]) -> None:
    assert uv_variables({**machine, "UV_DEFAULT_INDEX": "https://mine"})["UV_DEFAULT_INDEX"] == "https://mine"


def test_all_indexes_are_looked_at_only_where_there_are_several(machine: dict[str, str]) -> None:
    alone = {**machine, "XDG_CONFIG_HOME": "/nowhere"}

    assert uv_variables(machine)["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "UV_INDEX_STRATEGY" not in uv_variables(alone)
    assert uv_variables(alone, several_indexes=True)["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    own = {**machine, "UV_INDEX_STRATEGY": "first-index"}
    assert uv_variables(own)["UV_INDEX_STRATEGY"] == "first-index"


def test_no_file_counts_where_pip_is_told_so(machine: dict[str, str]) -> None:
    assert pip_settings({**machine, "PIP_CONFIG_FILE": "/dev/null"}) == {}


def test_no_index_is_told_only_where_it_is_on(machine: dict[str, str]) -> None:
    assert "UV_NO_INDEX" not in uv_variables({**machine, "PIP_NO_INDEX": "0"})
    assert uv_variables({**machine, "PIP_NO_INDEX": "1"})["UV_NO_INDEX"] == "1"


def test_constraints_of_the_machine_are_files(machine: dict[str, str]) -> None:
    assert constraints({**machine, "PIP_CONSTRAINT": "/a.txt https://x/c.txt /b.txt"}) == [
        Path("/a.txt"),
        Path("/b.txt"),
    ]


def test_nothing_of_an_active_environment_reaches_uv(machine: dict[str, str]) -> None:
    active = {"VIRTUAL_ENV": "/v", "CONDA_PREFIX": "/c", "PYTHONPATH": "/p", "UV_PYTHON": "3.9"}

    assert not active.keys() & uv_variables({**machine, **active}).keys()
