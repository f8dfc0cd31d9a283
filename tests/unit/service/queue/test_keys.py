"""Idempotency keys that several homes know of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.catalog.records import JobRecord
from gristmill.errors import KeyTakenError
from gristmill.service.request import RunRequest
from gristmill.service.workspace import Workspace
from gristmill.spec.deployment import bare_script
from unit.service.home.conftest import workspace

__all__ = ["workspace"]


def test_a_key_that_another_home_has_used_is_refused_with_its_job(
    workspace: Workspace, tmp_path: Path
) -> None:
    script = tmp_path / "score.py"
    script.write_text("def run(mini_batch):\n    return mini_batch\n")
    workspace.catalog.add_job(JobRecord(name="theirs", home="another", status="Running", idempotency_key="k"))
    request = RunRequest(deployment=bare_script(script), input=tmp_path)

    with pytest.raises(KeyTakenError, match=r"job theirs was made under .* from another home") as refused:
        workspace.queue.submit(replace(request, idempotency_key="k"))

    assert refused.value.job == "theirs"
    assert not workspace.settings.home.jobs.exists()
