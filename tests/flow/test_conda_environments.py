"""Environments with packages of conda's: solved and installed by py-rattler, or by the tool that a user has.

No network and no conda: the channel is a folder that the test makes, the tool a program that really makes an
environment and writes down how it was called.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doubles.conda_channel import channel
from doubles.wheels import wheel
from flow.mill import Ended, Mill, finished, until

SCRIPT = """
import json
import sys
import grain
import probe_b

def run(mini_batch):
    seen = [sys.prefix, grain.__version__, probe_b.__version__, os.environ.get("CONDA_PREFIX")]
    seen.append(os.environ.get("GRAIN_DATA"))
    return [json.dumps(seen) for _ in mini_batch]
"""
VERSION = ".".join(map(str, sys.version_info[:3]))
BASE = Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}")
# As conda, mamba and micromamba are called; it makes an environment of a Python that is there.
TOOL = f"""#!{sys.executable}
import json, os, pathlib, subprocess, sys, time
args = sys.argv[1:]
with open(os.environ["MILL"] + "/called-with", "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *args]) + "\\n")
if args[0] == "init":
    sys.exit(0)
while "held" in os.listdir(os.environ["MILL"]) and "go" not in os.listdir(os.environ["MILL"]):
    time.sleep(0.01)
if "no-such-grain" in args:
    print("PackagesNotFoundError: no-such-grain is not available from current channels")
    sys.exit(1)
prefix = pathlib.Path(args[-1] + "/.pixi/envs/default") if args[0] == "install" else pathlib.Path(
    args[args.index("--prefix") + 1])
subprocess.run([{str(BASE)!r}, "-m", "venv", "--without-pip", prefix], check=True)
(prefix / "conda-meta").mkdir()
library = next((prefix / "lib").glob("python3*/site-packages"))
(library / "grain.py").write_text("__version__ = 'by the tool'")
"""


def prepared(mill: Mill, packages: str, channels: str) -> Mill:
    wheel(mill.root / "wheels", "probe-b", "2.5")
    mill.variables = {
        "UV_CACHE_DIR": str(mill.root / "uv-cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(mill.root / "wheels"),
        "PATH": os.defpath,
    }
    mill.inputs(["a", "b"])
    mill.script(SCRIPT)
    mill.write(
        "conda.yaml", f"channels: [{channels}]\ndependencies: [{packages}, pip: [probe-b]]\nname: grains\n"
    )
    mill.deployment("", "environment: {conda_file: conda.yaml}")
    return mill


def with_tool(mill: Mill, name: str) -> list[list[str]]:
    """Run a job where a conda tool is on PATH; return how the tool was called."""
    tool = mill.write(f"tools/{name}", TOOL)
    tool.chmod(0o755)
    mill.variables["PATH"] = f"{tool.parent}:{mill.variables['PATH']}"
    ended = mill.run()
    assert ended.status == 0, ended.err
    assert [json.loads(line)[1] for line in mill.bytes().decode().splitlines()] == ["by the tool"] * 2
    return [json.loads(line) for line in mill.lines("called-with")]


@pytest.fixture(scope="module")
def solved(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    pytest.importorskip("rattler", reason="py-rattler, which solves and installs, is not here")
    mill = new_mill()
    folder = channel(mill.root / "channel", BASE, VERSION, {"grain": "1.2", "other-grain": "3.0"})
    prepared(mill, f"python={VERSION}, grain>=1", folder.as_uri())
    return mill, mill.run("--offline")


def test_conda_packages_are_solved_and_installed_without_a_network(solved: tuple[Mill, Ended]) -> None:
    mill, ended = solved
    assert ended.status == 0, ended.err
    rows = [json.loads(line) for line in mill.bytes().decode().splitlines()]
    prefix = rows[0][0]

    assert rows == [[prefix, "1.2", "2.5", prefix, f"{prefix}/share/grain"]] * 2
    assert Path(prefix).is_relative_to(mill.home / "environments")
    assert "building it with py-rattler" in ended.err


def test_solved_environment_is_used_again(solved: tuple[Mill, Ended]) -> None:
    mill, _ = solved
    again = mill.run("--job-name", "k", "--output-path", "out-2")

    assert again.status == 0, again.err
    assert "building it" not in again.err
    assert json.loads(mill.type("env", "show", "grains", "--json").out)["builder"] == "py-rattler"


def test_what_cannot_be_solved_is_told_with_its_line(solved: tuple[Mill, Ended]) -> None:
    mill, _ = solved
    folder = (mill.root / "channel").as_uri()
    mill.write("bad.yaml", f"channels: ['{folder}']\ndependencies:\n  - grain\n  - other-grain>=9\n")
    before = os.listdir(mill.home / "environments")
    ended = mill.type("env", "build", "bad.yaml", "--offline")

    assert ended.status == 2
    assert "No candidates were found for other-grain" in ended.err
    assert ended.err.splitlines()[-1] == "gristmill: error: bad.yaml:4:5: other-grain>=9"
    assert os.listdir(mill.home / "environments") == before


@pytest.mark.parametrize("name", ["micromamba", "conda"])
def test_tool_of_the_user_makes_the_environment(mill: Mill, name: str) -> None:
    prepared(mill, "python=3.99, grain=1.*", "forge, nodefaults")
    ((called, command, *options),) = with_tool(mill, name)
    prefix = options[options.index("--prefix") + 1]

    assert (called, command) == (name, "create")
    assert options == [
        *("--yes", "--prefix", prefix, "--override-channels", "--channel", "forge"),
        *("python=3.99", "grain=1.*"),
    ]
    assert json.loads(mill.type("env", "list", "--json").out)[0]["builder"] == name


def test_pixi_makes_a_workspace(mill: Mill) -> None:
    prepared(mill, "grain", "forge")
    first, second = with_tool(mill, "pixi")
    folder = next(iter((mill.home / "environments").glob("*/workspace")))

    assert first[:3] == ["pixi", "init", "--import"]
    assert second == ["pixi", "install", "--manifest-path", str(folder)]
    assert json.loads(Path(first[3]).read_text()) == {
        "channels": ["forge"],
        "dependencies": ["python", "grain"],
    }


def test_words_of_a_tool_that_fails_are_told(mill: Mill) -> None:
    prepared(mill, "no-such-grain", "forge")
    tool = mill.write("tools/mamba", TOOL)
    tool.chmod(0o755)
    ended = mill.run(PATH=f"{tool.parent}:{os.defpath}")

    assert ended.status == 2
    assert "PackagesNotFoundError: no-such-grain is not available" in ended.err
    assert ended.err.splitlines()[-1].startswith("gristmill: error: conda.yaml:2:")
    assert os.listdir(mill.home / "environments") == []


def test_tool_that_lost_its_job_is_waited_for_before_another_builds(mill: Mill) -> None:
    prepared(mill, "grain", "forge")
    tool = mill.write("tools/mamba", TOOL)
    tool.chmod(0o755)
    mill.variables["PATH"] = f"{tool.parent}:{mill.variables['PATH']}"
    (mill.root / "held").touch()
    killed = mill.start_run()
    until(lambda: mill.lines("called-with"), "the tool is called")
    killed.kill()
    finished(killed)
    again = mill.start_run()
    for line in again.stderr or ():
        if b"another process builds it just now; waiting for it" in line:
            break
    (mill.root / "go").touch()
    ended = finished(again)

    assert ended.status == 0, ended.err
    assert len(mill.lines("called-with")) == 2
    assert [one["is_complete"] for one in json.loads(mill.type("env", "list", "--json").out)] == [True]
