"""Warm: small jobs in a row through an endpoint, with workers that stay loaded and with new ones.

From the moment in which the service has accepted a job to its first outcome in the journal, seen from another
process: everything that lies in between, the runner, its slot, the plan and the worker, is in it.
"""

from __future__ import annotations

import json
import math
import os
import select
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import tell

from gristmill.errors import GristmillError
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.replay import read_history
from gristmill.service.endpoints.invoking import InvokeRequest
from gristmill.service.queue.presence import said_by_runner
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.overrides import Override

FILES = 10
WARM, COLD = "Gristmill, keep_warm_s: 600", "Gristmill"
KEPT_S = {WARM: 600, COLD: 0}
DEADLINE_S = 60.0
#: Loads what models are made of, and scores in no time.
SCRIPT = """\
import json


def init():
    global model
    import numpy
    model = numpy.ones((256, 256))


def run(mini_batch):
    return [float(model.sum()) for _ in mini_batch]
"""
DEPLOYMENT = """\
name: {name}
endpoint_name: flowers
code_configuration: {{code: code, scoring_script: score.py}}
settings: {{mini_batch_size: 1}}
gristmill: {{keep_warm_s: {keep_warm_s}}}
"""


def main() -> int:
    """Measure, and hand in the result."""
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    jobs = given.rounds or (5 if given.quick else 50)
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-warm-"))
    os.environ["GRISTMILL_HOME"] = str(scratch / "home")
    os.environ["GRISTMILL_RUNNER_IDLE"] = "1"
    try:
        with Workspace(Settings.from_environment()) as workspace:
            _lay_out(scratch, workspace)
            took = {one: _in_a_row(scratch, workspace, one, jobs) for one in (COLD, WARM)}
            _end_runner(workspace)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return hand_in(_result(took, jobs, is_quick=given.quick), began_s)


def _result(took: dict[str, list[float]], jobs: int, *, is_quick: bool) -> Result:
    heading = "from the accepted job to its first recorded outcome"
    label = f"{FILES} files, one per run()"
    tail = {one: [_percentile(figures, 0.95)] for one, figures in took.items()}
    return Result(
        name="warm",
        question="How soon has a small job results when the one before it was of the same endpoint?",
        rounds=jobs,
        rows=(_row(heading, label, took), _row("the same, 95 of 100 jobs within", label, tail)),
        bars=(
            bar("P9-p50", statistics.median(took[WARM])),
            bar("P9-p95", tail[WARM][0], "" if tail[WARM][0] <= 0.2 else "see the machine's load"),
        ),
        notes=(
            "One job after the other, each invoked when the one before has ended; the first of each kind, "
            "which starts the runner or the workers, is not among them.",
            "The script imports numpy in init(). Two jobs never run at once.",
        ),
        versions=versions("gristmill", "numpy"),
        is_quick=is_quick,
    )


def _row(heading: str, label: str, figures: dict[str, list[float]]) -> Row:
    series = tuple(Series(contestant=name, figures=tuple(one)) for name, one in figures.items())
    return Row(heading=heading, label=label, unit="s", series=series, reference=COLD)


def _percentile(figures: Sequence[float], share: float) -> float:
    """Return the smallest figure that such a share of all does not exceed."""
    return sorted(figures)[math.ceil(len(figures) * share) - 1]


def _lay_out(scratch: Path, workspace: Workspace) -> None:
    (scratch / "input").mkdir()
    for number in range(FILES):
        (scratch / "input" / f"{number}.txt").write_text(f"{number}\n")
    (scratch / "code").mkdir()
    (scratch / "code" / "score.py").write_text(SCRIPT)
    workspace.endpoints.create(None, [Override(path="name", value="flowers", origin="--name")])
    for number, keep_warm_s in enumerate(KEPT_S.values()):
        file = scratch / f"{number}.yml"
        file.write_text(DEPLOYMENT.format(name=f"d-{number}", keep_warm_s=keep_warm_s))
        workspace.deployments.create(file, [])


def _in_a_row(scratch: Path, workspace: Workspace, contestant: str, jobs: int) -> list[float]:
    """Return what each job took, in seconds, but for the first."""
    tell(f"{jobs} jobs in a row: {contestant}")
    deployment = f"d-{list(KEPT_S).index(contestant)}"
    request = InvokeRequest(endpoint="flowers", deployment=deployment, input=str(scratch / "input"))
    return [_one_job(workspace, request) for _ in range(jobs + 1)][1:]


def _one_job(workspace: Workspace, request: InvokeRequest) -> float:
    name = str(workspace.endpoints.invoke(request).to_json()["name"])
    folder = JobFolder(workspace.settings.home.jobs / name)
    deadline = time.monotonic() + DEADLINE_S
    while not _has_outcome(folder):
        assert time.monotonic() < deadline, f"job {name} never had an outcome"
        time.sleep(0.0005)
    seen_at = time.time()
    while not folder.read().status.is_final:
        assert time.monotonic() < deadline, f"job {name} never ended"
        time.sleep(0.005)
    assert folder.read().status is Status.COMPLETED, folder.read().message
    return seen_at - _accepted_at(folder)


def _has_outcome(folder: JobFolder) -> bool:
    try:
        return folder.journal.stat().st_size > 0 and bool(
            read_history(folder.journal, folder.checkpoint).ledger.items_done
        )
    except (OSError, GristmillError):
        return False


def _accepted_at(folder: JobFolder) -> float:
    events = map(json.loads, (folder.path / "events.jsonl").read_text().splitlines())
    told = next(event for event in events if event["event"] == "queued")
    return datetime.fromisoformat(told["at"]).timestamp()


def _end_runner(workspace: Workspace) -> None:
    """End the runner, which would wait with its workers, and see it end."""
    home = workspace.settings.home
    runner = os.pidfd_open(int(said_by_runner(home)["pid"]))
    signal.pidfd_send_signal(runner, signal.SIGTERM)
    select.select([runner], [], [], DEADLINE_S)
    os.close(runner)


if __name__ == "__main__":
    sys.exit(main())
