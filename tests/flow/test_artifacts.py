"""A registered model as `model show --artifacts` shows it, and as a real worker finds it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.mill import Mill
from gristmill.service.assets.artifacts import Artifact
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.overrides import Override
from gristmill.storage.incoming import remove_tree

#: Evaluates each line that is to be pasted, and tells what it leads to.
SEEN = """
import json

def init():
    top = os.environ["AZUREML_MODEL_DIR"]
    walked = [top] + [os.path.join(here, n) for here, d, f in os.walk(top) for n in d + f]
    noted("seen", json.dumps({
        "lines": [eval(line) for line in (HERE / "lines").read_text().splitlines()],
        "walked": [os.path.relpath(path, top) for path in walked[1:]],
        "sizes": {os.path.relpath(p, top): os.path.getsize(p) for p in walked if os.path.isfile(p)},
        "top": top,
    }))

def run(mini_batch):
    return mini_batch
"""


@pytest.fixture
def workspace(mill: Mill) -> Iterator[Workspace]:
    with Workspace(Settings.from_environment({"GRISTMILL_HOME": str(mill.home)})) as workspace:
        yield workspace
    remove_tree(mill.home)


def registered(workspace: Workspace, path: Path) -> tuple[Artifact, ...]:
    options = {"name": "m", "path": str(path)}
    workspace.models.create(
        None, [Override(path=key, value=value, origin=f"--{key} {value}") for key, value in options.items()]
    )
    return workspace.models.artifacts("m")


def seen(mill: Mill, workspace: Workspace, artifacts: tuple[Artifact, ...]) -> None:
    """Run a job with the model, and compare what its worker finds."""
    mill.script(SEEN)
    mill.inputs(["a"])
    mill.deployment()
    mill.write("lines", "".join(f"{one.line}\n" for one in artifacts))
    path = workspace.models.show("m").path
    ended = mill.run("--model", str(path))
    assert ended.status == 0, ended.err
    told = json.loads((mill.root / "seen").read_bytes())
    files = {one.path: one.size_bytes for one in artifacts if not one.is_folder}
    assert told["sizes"] == files
    assert sorted(told["walked"]) == sorted(one.path for one in artifacts)
    assert told["lines"] == [os.path.join(told["top"], one.path) for one in artifacts]


def test_a_folder_is_seen_as_it_is_shown(mill: Mill, workspace: Workspace) -> None:
    model = mill.root / "net work"
    names = [
        "weights.pt",
        "it's.txt",
        'say "hi"',
        "both'\"",
        "a\\b",
        "line\nbreak",
        "é",
        os.fsdecode(b"odd\xff"),
    ]
    for name in (*names, "deep/er/x"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(name.encode("utf-8", "replace").decode())
    (model / "empty").mkdir()
    (model / "loop").symlink_to(".")
    (model / "shared").symlink_to("deep")
    artifacts = registered(workspace, model)
    assert artifacts[0].path == "net work"
    assert artifacts[0].size_bytes == sum(one.size_bytes for one in artifacts if not one.is_folder)
    assert 'os.path.join(os.environ["AZUREML_MODEL_DIR"], "net work", "weights.pt")' in [
        one.line for one in artifacts
    ]
    assert len(artifacts) == 1 + len(names) + 3 + 1 + 3
    json.dumps([one.to_json() for one in artifacts]).encode()
    seen(mill, workspace, artifacts)
    shown = mill.type("model", "show", "--name", "m", "--artifacts")
    lines = shown.out.splitlines()
    assert (shown.status, shown.err, len(lines)) == (0, "", len(artifacts))
    assert [line.endswith(one.line) for line, one in zip(lines, artifacts, strict=True)] == [True] * len(
        lines
    )
    assert re.fullmatch(
        r"  weights.pt +10 B  os.path.join\(.*", next(line for line in lines if "ghts" in line)
    )


def test_a_single_file_is_seen_as_it_is_shown(mill: Mill, workspace: Workspace) -> None:
    artifacts = registered(workspace, mill.write("model.pkl", "pickle"))
    assert [one.to_json() for one in artifacts] == [
        {
            "path": "model.pkl",
            "type": "file",
            "size_bytes": 6,
            "python": 'os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.pkl")',
        }
    ]
    seen(mill, workspace, artifacts)


def test_what_a_job_has_written_becomes_data_and_a_model(mill: Mill, workspace: Workspace) -> None:
    mill.script("def run(mini_batch): return names(mini_batch)")
    mill.inputs(["a", "b"])
    mill.deployment()
    assert mill.run().status == 0
    output = "azureml://jobs/j/outputs/score/paths/"
    listed = mill.type("data", "create", "--name", "d", "--path", output, "--query", "[path, listing.files]")
    assert json.loads(listed.out)[0] == str(mill.root / "out")
    kept = mill.type(
        "model", "create", "--name", "m", "--path", f"{output}predictions.csv", "--query", "path"
    )
    assert Path(json.loads(kept.out)).read_text() == "a\nb\n"
