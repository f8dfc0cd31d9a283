"""A job records where its code stood."""

from __future__ import annotations

import json
import shutil

import pytest

from doubles.repository import git, repository_in
from flow.mill import Mill

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def test_a_job_records_where_its_code_stood(mill: Mill) -> None:
    repository_in(mill.root / "code")
    git(mill.root / "code", "remote", "add", "origin", "https://me:secret@host.example/a.git")
    mill.script("def run(mini_batch): return mini_batch")
    mill.inputs(["a"])
    mill.deployment()
    ended = mill.run()
    assert ended.status == 0, ended.err
    job = json.loads((mill.home / "jobs" / "j" / "job.json").read_bytes())
    assert job["git"] == {
        "remote": "https://host.example/a.git",
        "branch": "work/x",
        "commit": git(mill.root / "code", "rev-parse", "HEAD"),
        "is_dirty": True,
    }
    shown = json.loads(mill.type("job", "show", "--name", "j", "--query", "properties").out)
    assert shown == {
        "azureml.git.repository_uri": "https://host.example/a.git",
        "azureml.git.branch": "work/x",
        "azureml.git.commit": job["git"]["commit"],
        "azureml.git.dirty": "True",
    }
