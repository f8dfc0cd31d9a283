"""The file types example and the demo: the page as typed, against a plain loop."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import sys
import sysconfig
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
from magika import Magika
from PIL import Image

from flow.clone import files_below, load, new_clone, type_page
from flow.mill import REPOSITORY


@pytest.fixture(scope="module")
def filetypes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples in which the page was typed, with 60 files in ~/Documents."""
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


@pytest.mark.parametrize("output", ["out/filetypes", "out/filetypes-deployment"])
def test_output_is_what_magika_says_of_one_file_after_the_other(filetypes: Path, output: str) -> None:
    magika = Magika()

    rows = [["file", "label", "score"]]
    for path in files_below(filetypes / "Documents"):
        result = magika.identify_path(path)
        rows.append([str(path), str(result.output.label), str(round(result.score, 4))])
    expected = io.StringIO(newline="")
    csv.writer(expected, lineterminator="\n").writerows(rows)

    written = (filetypes / output / "predictions.csv").read_bytes()
    assert written == expected.getvalue().encode("utf-8", "surrogateescape")
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

    shown = demonstrated(clone, [str(documents)], capfd, monkeypatch)

    assert "\n60 files scored" in shown
    assert "file,label,score" in shown
    job_folder = Path(re.search(r"job folder +(.+)", shown)[1])  # type: ignore[index]
    assert (job_folder / "job.json").is_file()


def test_demo_scores_the_library_without_compiled_and_installed_files(
    clone: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = clone / "library"
    for name in ("json/a.py", "b.py", "json/__pycache__/a.pyc", "site-packages/c.py", "dist-packages/d.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_bytes(KINDS["py"])
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(library))

    shown = demonstrated(clone, [], capfd, monkeypatch)

    assert "\n2 files scored" in shown
    assert f"  {library}/b.py,python" in shown


def demonstrated(
    clone: Path, arguments: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the demo in this process, with the copy's `gristmill`; return what it shows."""
    demo = load(clone / "examples/filetypes/demo.py")
    monkeypatch.setattr(demo, "console_entry", lambda: str(clone / "bin/gristmill"))
    monkeypatch.setattr(sys, "argv", ["demo.py", *arguments])
    monkeypatch.setenv("HOME", str(clone))
    monkeypatch.delenv("GRISTMILL_HOME", raising=False)
    assert demo.main() == 0
    return capfd.readouterr().out


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
