"""Scripts that were written for `az ml` run: with `gristmill` in its place, and unchanged by `gristmill az`.

They lie in `az/`, in the style of Azure's public examples, over the models of `examples/`. Each runs twice in
a row: the second time it meets what the first has left.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import REPOSITORY, Mill

SCRIPTS = Path(__file__).parent / "az"
EXAMPLES = REPOSITORY / "examples"
WAYS = ("under gristmill az", "with gristmill in place of az ml")
DEADLINE_S = 120.0
LEARN = """
import pickle, sys
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
sys.path.insert(0, sys.argv[1])
from score import pixels

data = load_digits()
paths = [f"images/{number:04}-is-{digit}.png" for number, digit in enumerate(data.target[:60])]
for path, image in zip(paths, data.images):
    Image.fromarray((image * 15).astype("uint8")).save(path)
model = LogisticRegression(max_iter=200).fit(np.stack([*map(pixels, paths)]), data.target[:60])
with open("model/model.pkl", "wb") as file:
    pickle.dump(model, file)
"""
pytestmark = pytest.mark.timeout(2 * DEADLINE_S + 60)


class Place(Mill):
    """A folder with a script for `az ml`, and what it expects beside it."""

    def run_script(self, way: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        script = self.root / "deploy-and-run.sh"
        ours = f'"{sys.executable}" -m gristmill'
        if way == WAYS[0]:
            command = [sys.executable, "-m", "gristmill", "az", "--", "bash", script.name]
        else:
            text = re.sub(r"(?<![\w-])az ml\b", ours, script.read_text(encoding="utf-8"))
            command = ["bash", "-c", text]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(VIRTUAL_ENV=sys.prefix),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of digits, and a small model that has learnt them."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "images").mkdir()
    (folder / "model").mkdir()
    learn = [sys.executable, "-c", LEARN, str(EXAMPLES / "digits-by-file")]
    subprocess.run(learn, cwd=folder, check=True, capture_output=True)
    for name in ("by-file", "by-batch"):
        (folder / name).mkdir()
        shutil.copy(EXAMPLES / f"digits-{name}/score.py", folder / name)
    return folder


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviews")
    shutil.copytree(EXAMPLES / "reviews-by-row/reviews", folder / "reviews")
    (folder / "code").mkdir()
    shutil.copy(EXAMPLES / "reviews-by-row/score.py", folder / "code")
    return folder


@pytest.fixture(scope="module")
def filetypes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filetypes")
    shutil.copy(EXAMPLES / "filetypes/classify.py", folder)
    (folder / "files").mkdir()
    shutil.copy(EXAMPLES / "filetypes/classify.py", folder / "files/one.py")
    shutil.copy(EXAMPLES / "README.md", folder / "files/two.md")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str, Path], Place]:
    def made(script: str, beside: Path) -> Place:
        root = tmp_path / script
        shutil.copytree(beside, root)
        shutil.copytree(SCRIPTS / script, root, dirs_exist_ok=True)
        return Place(root)

    return made


def default_and_slow(default: str) -> list[object]:
    """Return both ways, of which one is tried in every run of the tests."""
    return [pytest.param(way, marks=[] if way == default else pytest.mark.slow) for way in WAYS]


@pytest.mark.parametrize("way", default_and_slow(WAYS[0]))
def test_digits_two_deployments_behind_one_endpoint(
    way: str, digits: Path, place: Callable[[str, Path], Place]
) -> None:
    here = place("digits", digits)

    for _ in range(2):
        ended = here.run_script(way)

        assert ended.returncode == 0, ended.stderr
        said = ended.stdout.splitlines()
        assert said[-1] == "done"
        assert "it completed" in said
        assert "the default is digits-by-batch" in said
        assert said.count("60") == 2
        shutil.rmtree(here.root / "named-outputs")
        shutil.rmtree(here.root / "second")
    assert len(here.jobs()) == 4


@pytest.mark.parametrize("way", default_and_slow(WAYS[1]))
def test_reviews_a_data_asset_and_files_of_the_scripts_own(
    way: str, reviews: Path, place: Callable[[str, Path], Place]
) -> None:
    here = place("reviews", reviews)

    for number in (1, 2):
        ended = here.run_script(way)

        assert ended.returncode == 0, ended.stderr
        said = ended.stdout.splitlines()
        assert said[-1] == "done"
        assert said.count("Completed") == number
        assert str(2 * number) in said
        assert len([line for line in said if line.startswith("named-outputs/score/")]) == 5
    versions = here.type("data", "list", "--name", "reviews", "--query", "[].version", "-o", "tsv")
    assert versions.out == "1\n"


@pytest.mark.parametrize("way", default_and_slow(WAYS[0]))
def test_filetypes_a_workspace_of_its_own_and_a_job_that_fails(
    way: str, filetypes: Path, place: Callable[[str, Path], Place]
) -> None:
    here = place("filetypes", filetypes)

    for _ in range(2):
        ended = here.run_script(way)

        assert ended.returncode == 0, ended.stderr
        said = ended.stdout.splitlines()
        assert said[-1] == "done"
        assert "Failed" in said
        assert [line for line in said if "one.py" in line and "python" in line]
    workspace = "the-workspace" if way == WAYS[0] else "default"
    listed = here.type("batch-endpoint", "list", "-w", workspace, "--query", "[].name", "-o", "tsv")
    assert listed.out == "filetypes\n"
