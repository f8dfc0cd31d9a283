"""A folder in which a user works: files, a scoring script, a deployment, and commands typed there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0

# What scripts of these tests begin with. `called` notes a call of run() before anything can go wrong in it;
# `held_until` blocks without an end of its own.
PRELUDE = """
import os, time
from pathlib import Path
HERE = Path(os.environ["MILL"])

def names(mini_batch):
    return [os.path.basename(path) for path in mini_batch]

def noted(file, line):
    log = os.open(HERE / file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, (line + "\\n").encode("utf-8", "surrogateescape"))
    os.close(log)

def called(mini_batch):
    noted("calls", " ".join(names(mini_batch)))

def held_until(file):
    while not (HERE / file).exists():
        time.sleep(0.005)
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def view(self) -> dict[str, Any]:
        """The answer on stdout: how the job ended."""
        view = json.loads(self.out)
        assert isinstance(view, dict)
        return view

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Total, succeeded, failed and not run."""
        view = self.view
        return (view["total"], view["succeeded"], view["failed"], view["not_run"])


class Mill:
    """The folder, with a Gristmill home of its own. Commands are typed in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.variables: dict[str, str] = {}

    def write(self, path: str, text: str) -> Path:
        """Write a text file; return its path."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def inputs(self, contents: dict[str, str] | Iterable[str], folder: str = "in") -> Path:
        """Make the input folder; names alone are files that hold their name. Names may have surrogates."""
        texts = contents if isinstance(contents, dict) else {name: name for name in contents}
        for name, text in texts.items():
            file = self.root / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
        return self.root / folder

    def script(self, source: str, name: str = "code/score.py") -> Path:
        """Write a scoring script, with `PRELUDE` above it."""
        return self.write(name, PRELUDE + source)

    def deployment(self, settings: str = "", more: str = "", name: str = "deployment.yml") -> Path:
        """Write a deployment of the script; settings and further keys as YAML in flow style."""
        text = "code_configuration: {code: code, scoring_script: score.py}\n"
        return self.write(name, f"{text}settings: {{{settings}}}\n{more}\n")

    def type(self, *words: str, **variables: str) -> Ended:
        """Type a command and wait for its end."""
        return finished(self.start(*words, **variables))

    def run(self, *words: str, of: str = "deployment.yml", **variables: str) -> Ended:
        """Run the deployment over `in` as job `j`, into `out`, with `--json`."""
        return self.type(*self._run(of, words), **variables)

    def start_run(self, *words: str, of: str = "deployment.yml", **variables: str) -> subprocess.Popen[bytes]:
        """Do what `run` does, without waiting."""
        return self.start(*self._run(of, words), **variables)

    def start(
        self, *words: str, stdin: int = subprocess.DEVNULL, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Type a command; the caller waits for it with `finished`."""
        return subprocess.Popen(
            [sys.executable, "-m", "gristmill", *words],
            cwd=self.root,
            env=self.environment(**variables),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of the commands: ours, and nothing that chooses another Python or home."""
        foreign = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GRISTMILL_") and name not in foreign
        }
        ours = {
            "PYTHONPATH": str(REPOSITORY / "src"),
            "GRISTMILL_HOME": str(self.home),
            "MILL": str(self.root),
            "GRISTMILL_RUNNER_IDLE": "5",
        }
        return {**kept, **ours, **self.variables, **variables}

    def show(self, job: str = "j") -> dict[str, Any]:
        """Return what `job show --json` says."""
        return self.type("job", "show", job, "--json").view

    def jobs(self) -> list[str]:
        """Return the names that `job list` knows, and make sure that no other folder stands beside them."""
        listed = [job["name"] for job in json.loads(self.type("job", "list", "--json").out)]
        there = os.listdir(self.home / "jobs") if (self.home / "jobs").is_dir() else []
        assert sorted(listed) == sorted(there)
        return sorted(listed)

    def lines(self, file: str) -> list[str]:
        """Return the lines of a file that scripts wrote with `noted`; of none, none."""
        path = self.root / file
        text = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        return text.splitlines()

    def calls(self) -> list[str]:
        """Return what `called` noted: for each call of run() the names of its files."""
        return self.lines("calls")

    def bytes(self, path: str = "out/predictions.csv") -> bytes:
        return (self.root / path).read_bytes()

    def output(self, folder: str = "out") -> list[str]:
        """Return everything below the output folder, hidden things included."""
        root = self.root / folder
        return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []

    def failures(self, folder: str = "out") -> list[dict[str, Any]]:
        """Return the entries of failures.jsonl."""
        text = (self.root / folder / "failures.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def log(self, path: str, job: str = "j") -> str:
        """Return the text of a file in the job's folder of logs."""
        return (self.home / "jobs" / job / "logs" / path).read_text(encoding="utf-8")

    @staticmethod
    def _run(of: str, words: tuple[str, ...]) -> list[str]:
        fixed = {"--input": "in", "--output-path": "out", "--job-name": "j"}
        usual = [word for option in fixed.items() if option[0] not in words for word in option]
        return ["run", of, "--json", *usual, *words]


def finished(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for the end of a command."""
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"no end after {DEADLINE_S:.0f} s; it said: {err.decode()}") from None
    return Ended(status=process.returncode, out=out.decode("utf-8"), err=err.decode("utf-8"))


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not so after {DEADLINE_S:.0f} s"
        time.sleep(0.005)
