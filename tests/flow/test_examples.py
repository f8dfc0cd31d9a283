"""The examples' pages run as typed, and give what their models give in a plain loop."""

import csv
import gzip
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
BASH_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The keys that the YAML reference of Azure Machine Learning's batch deployments lists, level by level.
AZURE_KEYS = {
    "": {
        *("$schema", "name", "endpoint_name", "type", "description", "tags", "properties", "model"),
        *("code_configuration", "environment", "compute", "resources", "settings"),
    },
    "model": {"name", "version", "type", "path", "description", "tags", "properties", "stage", "flavors"},
    "code_configuration": {"code", "scoring_script"},
    "environment": {"name", "version", "image", "conda_file", "build", "description", "tags", "os_type"},
    "resources": {"instance_count", "instance_type", "properties", "shm_size", "docker_args"},
    "settings": {
        *("max_concurrency_per_instance", "mini_batch_size", "output_action", "output_file_name"),
        *("retry_settings", "error_threshold", "logging_level", "environment_variables"),
    },
}


# ------------------------------------------------------------------------------------------------ digits


def test_digits_output_is_what_a_plain_loop_gives(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(digits / "examples/digits/data"))
    score = load(digits / "examples/digits/score.py")
    paths = files_below(digits / "examples/digits/data/images")

    score.init()
    frame = pd.concat([score.run(paths[first : first + 50]) for first in range(0, len(paths), 50)])

    written = (digits / "out/digits/predictions.csv").read_bytes()
    assert written == frame.to_csv(sep=" ", header=False, index=False).encode()


def test_digits_output_has_one_row_per_image_in_input_order(digits: Path) -> None:
    rows = pd.read_csv(digits / "out/digits/predictions.csv", header=None, sep=" ")

    images = sorted(os.listdir(digits / "examples/digits/data/images"))
    assert len(rows) == 1797
    assert rows[0].tolist() == images


def test_digits_predictions_are_right(digits: Path) -> None:
    rows = pd.read_csv(digits / "out/digits/predictions.csv", header=None, sep=" ")

    shown = rows[0].str.extract(r"-is-(\d)", expand=False).astype(int)
    assert (rows[1] == shown).mean() > 0.98
    assert rows[2].between(0.1, 1).all()


# --------------------------------------------------------------------------------------------- filetypes


@pytest.mark.parametrize("output", ["out/filetypes", "out/filetypes-deployment"])
def test_filetypes_output_is_what_a_plain_loop_gives(
    filetypes: Path, output: str, classify: ModuleType
) -> None:
    expected = [classify.row(path) for path in files_below(filetypes / "Documents")]

    written = (filetypes / output / "predictions.csv").read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows[0] == ["file", "label", "score"]
    assert rows[1:] == [[row["file"], row["label"], str(row["score"])] for row in expected]
    assert len(rows) == 1 + 60


def test_unidentifiable_file_gets_a_row_and_spares_its_neighbour(
    classify: ModuleType, tmp_path: Path
) -> None:
    good, missing = tmp_path / "good.json", tmp_path / "missing"
    good.write_bytes(KINDS["json"])

    rows = classify.run([str(missing), str(good)])

    assert [row["label"] for row in rows] == ["unreadable", "json"]


def test_demo_shows_counts_first_lines_and_places(
    clone: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = write_documents(clone / "Documents")
    demo = load(clone / "examples/filetypes/demo.py")
    monkeypatch.setattr(demo, "console_entry", lambda: str(clone / "bin/gristmill"))
    monkeypatch.setattr(sys, "argv", ["demo.py", str(documents)])
    monkeypatch.setenv("HOME", str(clone))
    monkeypatch.delenv("GRISTMILL_HOME", raising=False)

    status = demo.main()

    shown = capfd.readouterr().out
    assert status == 0
    assert "60 files scored" in shown
    assert "file,label,score" in shown
    job_folder = Path(re.search(r"job folder +(.+)", shown)[1])  # type: ignore[index]
    assert (job_folder / "job.json").is_file()


def test_demo_scores_the_whole_library_where_it_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen_part(tmp_path, {"json": 2, "site-packages": 1}, monkeypatch) == tmp_path


def test_demo_scores_the_largest_part_of_the_library_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"json": 2, "test": 3, "huge": 6, "site-packages": 4}
    assert chosen_part(tmp_path, counts, monkeypatch) == tmp_path / "test"


# ------------------------------------------------------------------------------------------ both examples


@pytest.mark.parametrize("example", ["digits", "filetypes"])
def test_deployment_uses_only_keys_that_azure_knows(example: str) -> None:
    deployment = YAML(typ="safe").load(REPOSITORY / "examples" / example / "deployment.yml")

    assert set(deployment) <= AZURE_KEYS[""]
    for level in AZURE_KEYS.keys() & deployment.keys():
        assert set(deployment[level]) <= AZURE_KEYS[level], level


# ------------------------------------------------------------------------------- what the tests stand on


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples in which every command of the digits page was typed."""
    clone = new_clone(tmp_path_factory.mktemp("digits"))
    assert "1,797 rows" in type_page(clone, "digits")
    return clone


@pytest.fixture(scope="module")
def filetypes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for the file types page, with 60 files in ~/Documents."""
    clone = new_clone(tmp_path_factory.mktemp("filetypes"))
    write_documents(clone / "Documents")
    assert "file,label,score" in type_page(clone, "filetypes")
    return clone


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return new_clone(tmp_path)


@pytest.fixture
def classify(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file types script, ready to run; what its init() changes in onnxruntime is put back."""
    monkeypatch.setattr(onnxruntime, "InferenceSession", onnxruntime.InferenceSession)
    script = load(REPOSITORY / "examples/filetypes/classify.py")
    script.init()
    return script


def new_clone(folder: Path) -> Path:
    """Copy the examples, and put a `gristmill` of this source tree beside them."""
    shutil.copytree(
        REPOSITORY / "examples", folder / "examples", ignore=shutil.ignore_patterns("data", "__pycache__")
    )
    entry = folder / "bin/gristmill"
    entry.parent.mkdir()
    source = f'PYTHONPATH="{REPOSITORY / "src"}"'
    entry.write_text(f'#!/bin/sh\n{source} exec "{sys.executable}" -m gristmill.cli.main "$@"\n')
    entry.chmod(0o755)
    return folder


def type_page(clone: Path, example: str) -> str:
    """Type the commands of an example's page in the copy; return what they print."""
    page = (clone / "examples" / example / "README.md").read_text()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRISTMILL_")},
        "HOME": str(clone),
        "PATH": f"{clone / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    typed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(BASH_BLOCK.findall(page))],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert typed.returncode == 0, typed.stdout + typed.stderr
    return typed.stdout


def load(path: Path) -> ModuleType:
    """Import an example's file in this process."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files_below(folder: Path) -> list[str]:
    """List a folder's files in Gristmill's order: bytewise by relative path."""
    return sorted((str(path) for path in folder.rglob("*") if path.is_file()), key=os.fsencode)


def chosen_part(library: Path, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ask the demo what it would score in such a library, if a short demo had at most 5 files."""
    for name, count in counts.items():
        (library / name).mkdir()
        for number in range(count):
            (library / name / f"{number}.py").touch()
    demo = load(REPOSITORY / "examples/filetypes/demo.py")
    monkeypatch.setattr(demo, "MOST_FILES", 5)
    monkeypatch.setattr(demo.sysconfig, "get_path", lambda _: str(library))
    part = demo.library_part()
    assert isinstance(part, Path)
    return part


def write_documents(folder: Path) -> Path:
    """Write 60 small files: five of each kind, in folders, some with names that are hard to write down."""
    for name in (b"plain", b"with space", b'comma, "quote"', b"not-utf8-\xff", b"sub/folder/deep"):
        for kind, content in KINDS.items():
            path = folder / kind / f"{os.fsdecode(name)}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(1024, dtype="uint8").reshape(32, 32)).save(file, kind)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("a.txt", "flour " * 100)
    return file.getvalue()


KINDS = {
    "txt": b"A mill grinds what it is given, and gives back flour.\n" * 8,
    "py": b"import sys\n\n\ndef main():\n    for name in sys.argv:\n        print(name)\n\n\nmain()\n" * 3,
    "json": b'{"mill": "grist", "stones": [1, 2, 3], "wind": true, "miller": {"name": "Ada", "age": 36}}\n',
    "csv": b"day,grain,flour\n" + b"monday,12,9.5\ntuesday,14,11.25\n" * 20,
    "html": b"<!DOCTYPE html>\n<html><head><title>Mill</title></head><body><p>Flour</p></body></html>\n",
    "xml": b'<?xml version="1.0"?>\n<mill><stone size="3"/><stone size="4"/><flour>fine</flour></mill>\n',
    "sh": b'#!/bin/sh\nset -eu\nfor name in "$@"; do\n  echo "grinding $name"\ndone\n',
    "png": image("PNG"),
    "gif": image("GIF"),
    "zip": archive(),
    "gz": gzip.compress(b"flour " * 100, mtime=0),
    "empty": b"",
}
