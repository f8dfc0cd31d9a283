"""A job whose removal is cut off anywhere: its output is where it was or kept, and a repair does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults.processes import is_stopped, wait_until
from gristmill.catalog.opening import open_catalog
from gristmill.faults import JOB_REMOVAL_POINTS
from gristmill.run.job_folder import Status
from gristmill.service.home.repair import repair
from gristmill.settings import Home, Settings
from unit.service.home.conftest import MakeJob, home, make_job, workspace

__all__ = ["home", "make_job", "workspace"]

PRUNE = ["job", "prune", "--older-than", "30d", "--keep-outputs"]


def pruning(home: Home, point: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gristmill", *PRUNE],
        env={**os.environ, "GRISTMILL_HOME": str(home.path), "GRISTMILL_FAULT_POINT": point},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("point", JOB_REMOVAL_POINTS)
def test_a_kill_while_jobs_are_pruned_loses_no_output(
    home: Home, make_job: MakeJob, tmp_path: Path, point: str
) -> None:
    make_job("kept-here", days=40)
    elsewhere = make_job("elsewhere", days=50, output=tmp_path / "out", status=Status.CANCELED)
    elsewhere.read().staging.mkdir()
    settings = Settings(home=home)
    repair(settings)

    for count in (1, 2):
        victim = pruning(home, f"{point}:{count}")
        wait_until(lambda: is_stopped(victim.pid) or victim.poll() is not None, point)  # noqa: B023
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        repair(settings)
    assert pruning(home).wait() == 0
    repair(settings)

    assert list(home.jobs.iterdir()) == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.csv"]
    assert (home.outputs / "kept-here" / "predictions.csv").read_text() == "kept-here"
    with open_catalog(settings) as catalog:
        assert catalog.jobs(archived=None) == []
    assert repair(settings).done == ()
