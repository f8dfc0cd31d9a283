"""Jobs in environments of their own: what the script sees, what is built once, what is left after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from doubles.wheels import wheel
from flow.mill import Ended, Mill, finished, until
from worker.interpreters import interpreters

SCRIPT = """
import importlib.util
import json
import sys
import probe_a
import probe_b

def run(mini_batch):
    called(mini_batch)
    if not (HERE / "repaired").exists() and (HERE / "broken").exists():
        raise ValueError("as asked")
    if (HERE / "held").exists():
        noted("begun", "now")
        held_until("go")
    seen = {
        "python": list(sys.version_info[:3]),
        "prefix": sys.prefix,
        "versions": [probe_a.__version__, probe_b.__version__],
        "ours": [name for name in ("gristmill", "pathspec", "ruamel") if importlib.util.find_spec(name)],
        "variables": {name: os.environ.get(name) for name in ("VIRTUAL_ENV", "PYTHONPATH")},
        "path": os.environ["PATH"].split(":")[0],
    }
    return [json.dumps(seen) for _ in mini_batch]
"""
OLDEST = interpreters()[0]


def version_of(python: Path) -> tuple[int, int, int]:
    said = subprocess.run(
        [python, "-I", "-c", "import sys; print(*sys.version_info[:3])"], capture_output=True, check=True
    ).stdout
    major, minor, patch = map(int, said.split())
    return major, minor, patch


def prepared(mill: Mill, *, more: str = "", python: str = "python>=3.8") -> Mill:
    """Write a script, its deployment, and a folder of packages that pip and uv take for a registry."""
    wheel(mill.root / "wheels", "probe-b", "2.5")
    wheel(mill.root / "wheels", "probe-a", "1.0", requires=["probe-b>=2"])
    mill.variables = {
        "UV_CACHE_DIR": str(mill.root / "uv-cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(mill.root / "wheels"),
    }
    mill.inputs(["a", "b"])
    mill.script(SCRIPT)
    lines = f"[probe-a{more}]"
    mill.write("conda.yaml", f"name: probes\ndependencies:\n  - {python}\n  - pip\n  - pip: {lines}\n")
    mill.deployment("mini_batch_size: 1", "environment: {image: some/image, conda_file: conda.yaml}")
    return mill


def building(ended: Ended) -> int:
    return ended.err.count(": building it ")


@dataclass(frozen=True, kw_only=True)
class Built:
    mill: Mill
    first: Ended
    second: Ended
    wanted: tuple[int, int, int]
    """The version of Python that is there, of which another patch release was asked for."""

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.mill.bytes().decode().splitlines()]


@pytest.fixture(scope="module")
def built(new_mill: Callable[[], Mill]) -> Built:
    """Two jobs, one after the other, that want the same environment of the oldest Python."""
    major, minor, patch = version_of(OLDEST)
    mill = prepared(new_mill(), python=f"python={major}.{minor}.{patch + 50}", more=", azureml-core")
    first = mill.run()
    second = mill.run("--job-name", "k", "--output-path", "out-2")
    assert (first.status, second.status) == (0, 0), first.err + second.err
    return Built(mill=mill, first=first, second=second, wanted=(major, minor, patch))


def test_script_runs_in_the_python_and_with_the_packages_of_its_conda_file(built: Built) -> None:
    assert [tuple(row["python"]) for row in built.rows] == [built.wanted] * 2
    assert [row["versions"] for row in built.rows] == [["1.0", "2.5"]] * 2


def test_packages_of_the_host_cannot_be_imported(built: Built) -> None:
    assert [row["ours"] for row in built.rows] == [[], []]
    assert built.rows[0]["variables"] == {"VIRTUAL_ENV": built.rows[0]["prefix"], "PYTHONPATH": None}
    assert built.rows[0]["path"] == f"{built.rows[0]['prefix']}/bin"


def test_what_was_chosen_is_told(built: Built) -> None:
    major, minor, patch = built.wanted
    assert (
        f"environment probes: building it for Python {major}.{minor}.{patch}, 4 lines" not in built.first.err
    )
    assert f"environment probes: building it for Python {major}.{minor}.{patch}, 3 lines" in built.first.err
    assert f"Python {major}.{minor}.{patch} takes its place, the nearest that is here" in built.first.err
    assert "'some/image' is not used on this machine" in built.first.err
    assert "azureml-core, which only Azure's own driver needs, left out" in built.first.err


def test_second_job_with_the_same_list_builds_nothing(built: Built) -> None:
    assert (building(built.first), building(built.second)) == (1, 0)
    assert built.mill.bytes("out/predictions.csv") == built.mill.bytes("out-2/predictions.csv")


def test_environment_is_listed_and_shown(built: Built) -> None:
    listed = json.loads(built.mill.type("env", "list", "--json").out)
    shown = json.loads(built.mill.type("env", "show", "probes", "--json").out)

    assert [one["key"] for one in listed] == [shown["key"]]
    assert shown["is_complete"]
    assert {"probe-a==1.0", "probe-b==2.5"} <= set(shown["packages"])
    assert shown["python_version"] == ".".join(map(str, built.wanted))
    assert shown["python"] in built.mill.type("env", "show", shown["key"][:6]).out
    assert built.mill.type("env", "build", "deployment.yml").out == f"{shown['python']}\n"


def test_job_keeps_what_was_in_its_environment(built: Built) -> None:
    kept = json.loads((built.mill.home / "jobs/j/environment.json").read_text())

    assert {"probe-a==1.0", "probe-b==2.5"} <= set(kept["packages"])


def test_check_tries_the_script_out_in_its_environment(built: Built) -> None:
    ended = built.mill.type("check", "deployment.yml", "--input", "in")

    assert ended.status == 0, ended.out + ended.err
    assert f"Python {'.'.join(map(str, built.wanted))}" in ended.out
    assert building(ended) == 0


def test_replay_runs_in_the_environment_of_the_job(built: Built) -> None:
    ended = built.mill.type("replay", "j", "a")

    assert ended.status == 0, ended.err
    assert str(built.mill.home / "environments") in ended.err


def test_jobs_without_an_environment_import_nothing_of_it(mill: Mill) -> None:
    program = (
        "import sys; import gristmill.cli.start, gristmill.service.jobs, gristmill.service.check;"
        "print([name for name in sys.modules if name.startswith('gristmill.environments')])"
    )
    said = subprocess.run([sys.executable, "-c", program], env=mill.environment(), capture_output=True)

    assert said.stdout == b"[]\n", said.stderr


def test_missing_package_belongs_into_the_conda_file(built: Built) -> None:
    mill = built.mill
    mill.script("import no_such_package\ndef run(mini_batch): return mini_batch\n", "code/lacking.py")
    lacking = ("--set", "code_configuration.scoring_script=lacking.py")
    ended = mill.run(*lacking, "--job-name", "l", "--output-path", "out-3")
    checked = mill.type("check", "deployment.yml", *lacking)

    assert ended.status == 1
    assert ": list it in the conda file of the deployment, or name another with --python" in ended.err
    assert "list it in the conda file, or name another Python with --python PATH" in checked.out


def stopped(mill: Mill, *words: str) -> subprocess.Popen[bytes]:
    """Start a job, and return when it has stopped itself between the building and the record of it."""
    process = mill.start_run(*words, GRISTMILL_FAULT_POINT="environment.before_record:1")
    state = Path(f"/proc/{process.pid}/stat")
    until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "the building job stops")
    return process


def test_two_jobs_that_want_the_same_build_it_once(mill: Mill) -> None:
    prepared(mill)
    first = stopped(mill)
    second = mill.start_run("--job-name", "k", "--output-path", "out-2")
    lines = []
    for line in second.stderr or ():
        lines.append(line)
        if b"another process builds it just now; waiting for it" in line:
            break
    os.kill(first.pid, signal.SIGCONT)
    one, two = finished(first), finished(second)

    assert (one.status, two.status) == (0, 0), one.err + two.err
    assert (building(one), b"".join(lines).count(b"building it"), building(two)) == (1, 0, 0)


def test_killed_build_leaves_nothing_that_looks_whole(mill: Mill) -> None:
    prepared(mill)
    process = stopped(mill)
    process.kill()
    finished(process)
    (half,) = json.loads(mill.type("env", "list", "--json").out)

    again = mill.run()

    assert not half["is_complete"]
    assert again.status == 0, again.err
    assert building(again) == 1
    (whole,) = json.loads(mill.type("env", "list", "--json").out)
    assert (whole["key"], whole["is_complete"]) == (half["key"], True)


def test_interrupted_build_leaves_nothing(mill: Mill) -> None:
    prepared(mill)
    process = stopped(mill)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    ended = finished(process)

    assert ended.status == 3, ended.err
    assert os.listdir(mill.home / "environments") == []
    assert mill.jobs() == []


def test_environment_in_use_is_not_removed(mill: Mill) -> None:
    prepared(mill)
    (mill.root / "held").touch()
    job = mill.start_run()
    until(lambda: mill.lines("begun"), "the job runs")

    kept = json.loads(mill.type("env", "prune", "--all", "--json").out)
    (mill.root / "go").touch()
    ended = finished(job)
    gone = json.loads(mill.type("env", "prune", "--all", "--json").out)

    assert (len(kept["kept"]), kept["removed"]) == (1, [])
    assert ended.status == 0, ended.err
    assert (gone["kept"], len(gone["removed"])) == ([], 1)
    assert os.listdir(mill.home / "environments") == []


def test_resume_refuses_an_environment_with_other_versions(mill: Mill) -> None:
    prepared(mill)
    (mill.root / "broken").touch()
    assert mill.run("--error-threshold", "0", "--max-retries", "0").status == 1
    mill.type("env", "prune", "probes")
    (mill.root / "repaired").touch()
    wheel(mill.root / "wheels", "probe-b", "3.0")

    refused = mill.type("resume", "j")
    forced = mill.type("resume", "j", "--force")

    assert refused.status == 2
    assert (
        "built anew, and other packages are in it: probe-b==2.5 is gone, probe-b==3.0 is new" in refused.err
    )
    assert forced.status == 0, forced.err
    assert json.loads(mill.bytes().decode().splitlines()[0])["versions"] == ["1.0", "3.0"]


def test_job_goes_on_in_its_environment_though_a_wheel_of_it_is_gone(mill: Mill) -> None:
    prepared(mill, more=", ./local-1.0-py3-none-any.whl")
    local = wheel(mill.root, "local", "1.0")
    (mill.root / "broken").touch()
    failed = mill.run("--error-threshold", "0", "--max-retries", "0")
    assert (failed.status, building(failed)) == (1, 1), failed.err
    (mill.root / "repaired").touch()
    local.unlink()
    ended = mill.type("resume", "j")

    assert (ended.status, building(ended)) == (0, 0), ended.err
