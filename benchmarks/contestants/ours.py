"""Gristmill at the same work, in this process: journal, retries, deadlines, order and an atomic output."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scoring import Work


def gristmill(work: Work) -> float:
    from gristmill.service.jobs import Jobs, RunRequest
    from gristmill.settings import Home
    from gristmill.spec.deployment import load
    from gristmill.spec.overrides import Override

    given = {
        "settings.mini_batch_size": work.size,
        "gristmill.workers": work.workers,
        "gristmill.output_format": "azure",
        "settings.output_file_name": os.path.basename(work.output),
    }
    overrides = [Override(path=path, value=value, origin="benchmark") for path, value in given.items()]
    home = Home(path=Path(work.output).parent / "home")
    began = time.perf_counter()
    request = RunRequest(
        deployment=load(Path(work.script), overrides),
        input=Path(work.folder),
        output=Path(work.output).parent,
        name="bench",
    )
    running = Jobs(home).run(request)
    for _ in running.steps():
        pass
    took = time.perf_counter() - began
    assert running.view.status == "Completed", running.view.message
    return took
