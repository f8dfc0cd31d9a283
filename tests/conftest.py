"""What every test has: a home of its own, and an environment that says nothing about this machine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# No deadline: two busy cores are no bug. In CI the same examples every time; a developer's runs explore.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ours")

# Behind a shell's & or nohup, Ctrl-C is ignored, and so it is by what the tests start: some of them send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# PYTHONDONTWRITEBYTECODE would make each worker compile its imports again; the others choose an interpreter.
FOREIGN_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "CONDA_PREFIX")


@pytest.fixture(autouse=True)
def gristmill_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Point GRISTMILL_HOME at a folder that does not exist yet, outside `tmp_path`, which stays empty."""
    home = tmp_path_factory.mktemp("home") / "gristmill"
    for name in [name for name in os.environ if name.startswith("GRISTMILL_")]:
        monkeypatch.delenv(name)
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRISTMILL_HOME", str(home))
    monkeypatch.setenv("GRISTMILL_RUNNER_IDLE", "5")
    yield home
    end_runner(home)


def end_runner(home: Path) -> None:
    """End the runner of a home, if it has one; its slots end with it."""
    try:
        process = int(json.loads((home / "runner" / "lock").read_bytes())["pid"])
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError, LookupError):
        return
    if b"gristmill.service.queue.runner" in command:
        os.kill(process, signal.SIGTERM)
