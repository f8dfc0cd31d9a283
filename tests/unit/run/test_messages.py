"""What a job that has failed is told to do: whoever edits the code, or whoever deploys it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.run.job_folder import JobFolder
from gristmill.run.ledger import Ledger
from gristmill.run.messages import Messages


@pytest.mark.parametrize(
    ("is_deployed", "advice"),
    [
        (False, "when the script is corrected, resume it with --force"),
        (True, "when the script is corrected, create the deployment again and invoke it anew"),
    ],
)
def test_a_corrected_script_is_taken_from_where_the_job_has_it(is_deployed: bool, advice: str) -> None:
    messages = Messages(
        ledger=Ledger(), manifest=None, folder=JobFolder(Path("jobs/j")), is_deployed=is_deployed
    )

    said = messages.nothing_scored()

    assert said.count("when the script is corrected") == 1
    assert advice in said
