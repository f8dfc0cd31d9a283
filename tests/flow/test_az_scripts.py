"""`gristmill az -- COMMAND`: the command finds our `az`, and ends as it would have ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import Mill, finished, until


@pytest.fixture(scope="module")
def scripts(new_mill: Callable[[], Mill]) -> Mill:
    """One job has run."""
    mill = new_mill()
    mill.inputs(["a", "b"])
    mill.script("def run(mini_batch):\n    return names(mini_batch)\n")
    mill.deployment()
    assert mill.run().status == 0
    return mill


def test_az_ml_is_this_gristmill_over_this_home(scripts: Mill) -> None:
    script = scripts.write(
        "ask.sh",
        "set -e\ncd /\naz account set --subscription x\n"
        'echo "$(az ml job show -n j --query status -o tsv) $(az ml job list --query [].name -o tsv)"\n'
        "az ml job show --name j\n",
    )

    ended = scripts.type("az", "--", "bash", str(script))

    first, _, rest = ended.out.partition("\n")
    assert (ended.status, ended.err, first) == (0, "", "Completed j")
    assert json.loads(rest)["name"] == "j"


def test_nothing_stays_and_nothing_is_remembered(scripts: Mill, tmp_path: Path) -> None:
    asked = "az configure --defaults workspace=w; az ml workspace show --query name -o tsv"

    first = scripts.type("az", "--", "sh", "-c", asked, TMPDIR=str(tmp_path))
    second = scripts.type("az", "--", "az", "ml", "workspace", "show", "--query", "name", "-o", "tsv")

    assert (first.out, second.out) == ("w\n", "default\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["az", "vm", "create"], 2),
        (["no-such-program"], 2),
        ([], 2),
    ],
)
def test_exit_status_is_that_of_the_command(scripts: Mill, words: list[str], status: int) -> None:
    ended = scripts.type("az", "--", *words)

    assert ended.status == status
    assert "Traceback" not in ended.err


def test_az_ml_without_a_script_is_told_what_it_is_called_here(scripts: Mill) -> None:
    ended = scripts.type("az", "ml", "job", "list")

    assert (ended.status, ended.out) == (2, "")
    assert "what az ml does is done by gristmill itself" in ended.err


def test_command_may_have_options_and_dashes_of_its_own(scripts: Mill) -> None:
    assert scripts.type("az", "--", "printf", "%s.", "--", "-n", "--name").out == "--.-n.--name."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_are_passed_on(scripts: Mill, tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 9' TERM HUP INT; : > {ready}; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        [sys.executable, "-m", "gristmill", "az", "--", "bash", "-c", script],
        env=scripts.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that no terminal sends the signal, too
    )
    until(ready.exists, "the script runs")

    os.kill(process.pid, number)

    assert finished(process).status == 9


def test_gristmill_is_not_in_the_way_of_modules_where_the_script_stands(scripts: Mill) -> None:
    scripts.write("argparse.py", "raise RuntimeError('the wrong one')\n")

    ended = scripts.type(
        "az", "--", "sh", "-c", "az ml job show -n j --query name -o tsv", PYTHONSAFEPATH="1"
    )

    assert (ended.status, ended.out) == (0, "j\n")
