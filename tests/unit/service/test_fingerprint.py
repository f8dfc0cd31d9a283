"""What is compared before a job goes on."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from gristmill.errors import JobChangedError
from gristmill.service.fingerprint import Fingerprint, changed_code, code_state, edited_originals
from gristmill.service.snapshot import snapshot_code
from gristmill.spec.deployment import load


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(5, 5))
    return folder


def digests(code: Path, *names: str) -> dict[str, str]:
    return {name: sha256((code / name).read_bytes()).hexdigest() for name in names}


def test_fingerprint_is_read_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path, {"src/score.py": "", "src/data/odd \udce9.txt": "1"})
    deployment = load(tmp_path / "src/score.py")
    before = Fingerprint.of(deployment, tmp_path / "src", start=3)

    before.write(tmp_path / "fingerprint.json")

    assert Fingerprint.read(tmp_path / "fingerprint.json") == before
    assert before.code == {"data/odd \udce9.txt": "1:5", "score.py": "0:5"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 2}', '{"schema": 1, "code": 1}', "\xff"])
def test_damaged_fingerprint_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "fingerprint.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(JobChangedError, match="so that nobody can tell whether code, model and settings are"):
        Fingerprint.read(tmp_path / "fingerprint.json")


def test_compiled_modules_and_linked_folders_do_not_count(tmp_path: Path) -> None:
    code = written(tmp_path / "code", {"a.py": "", "__pycache__/a.pyc": ""})
    written(tmp_path / "elsewhere", {"1": "", "sub/2": ""})
    (code / "folder").symlink_to(tmp_path / "elsewhere")
    (code / "file").symlink_to(tmp_path / "elsewhere/1")
    (code / "nothing").symlink_to(tmp_path / "nowhere")

    assert code_state(code) == {"a.py": "0:5", "file": "0:5"}


def test_changes_of_the_copy_are_named_in_order(tmp_path: Path) -> None:
    code = written(tmp_path, {"a.py": "a", "b.txt": "b", "c.py": "c", "d.py": "d", "same.py": "same"})
    before, loaded = code_state(code), digests(code, "a.py", "d.py", "same.py")
    written(code, {"a.py": "A", "b.txt": "other", "e.py": "", "cache": ""})
    (code / "c.py").unlink()
    (code / "d.py").unlink()
    os.utime(code / "same.py", ns=(9, 9))

    assert changed_code(before, loaded, code) == [
        "a.py has changed",
        "b.txt has changed",
        "c.py is gone",
        "d.py is gone",
        "e.py was added",
    ]


def test_copy_that_is_gone_is_a_change_of_all_of_it(tmp_path: Path) -> None:
    assert changed_code({"a.py": "1:1", "b": "1:1"}, {"a.py": "0"}, tmp_path / "gone") == [
        "a.py is gone",
        "b is gone",
    ]


def test_only_what_was_edited_where_it_came_from_is_named(tmp_path: Path) -> None:
    written(tmp_path, dict.fromkeys(("src/score.py", "src/a.py", "src/b.py", "src/gone.py", "src/t.py"), "1"))
    (tmp_path / "deployment.yml").write_text("code_configuration: {code: src, scoring_script: score.py}\n")
    deployment = load(tmp_path / "deployment.yml")
    code = tmp_path / "code"
    snapshot_code(deployment, code)
    before, loaded = code_state(code), digests(code, "a.py", "score.py", "t.py")
    written(tmp_path / "src", {"a.py": "22", "b.py": "22", "score.py": "22"})
    os.utime(tmp_path / "src/t.py", ns=(9, 9))
    (tmp_path / "src/gone.py").unlink()

    assert edited_originals(before, loaded, deployment, code) == ["score.py", "a.py", "b.py"]
