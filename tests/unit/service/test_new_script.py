"""Which kind a model is, told from its name and first bytes; and what the scripts for each kind are like."""

from __future__ import annotations

import ast
import os
import re
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.errors import OutputError, SpecError
from gristmill.service.model_kind import (
    KINDS,
    MLFLOW,
    ONNX,
    PYTORCH_WEIGHTS,
    SAFETENSORS,
    SCIKIT_LEARN,
    TORCHSCRIPT,
    UNKNOWN,
    Kind,
    recognise,
)
from gristmill.service.new_script import NewScriptRequest, script_text, write_script

LONGEST_LINE = 110


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("m.onnx", b"\x08\x08", ONNX),
        ("M.ONNX", b"\x08\x08", ONNX),
        ("m.pkl", b"\x80\x04", SCIKIT_LEARN),
        ("m.pickle", b"\x80\x04", SCIKIT_LEARN),
        ("m.joblib", b"\x80\x04", SCIKIT_LEARN),
        ("m.pt", b"\x80\x02", PYTORCH_WEIGHTS),
        ("m.pth", b"\x80\x02", PYTORCH_WEIGHTS),
        ("m.safetensors", b"\x10\0\0\0\0\0\0\0{}", SAFETENSORS),
        ("m.cbm", b"CBM1", UNKNOWN),
        ("m", b"\x80\x04", UNKNOWN),
    ],
)
def test_file_is_known_by_its_suffix(tmp_path: Path, name: str, content: bytes, kind: Kind) -> None:
    (tmp_path / name).write_bytes(content)

    found = recognise(tmp_path / name)

    assert (found.kind, found.file) == (kind, tmp_path / name)
    assert (found.notice is None) == (kind is not UNKNOWN)


@pytest.mark.parametrize(
    ("name", "entries", "kind"),
    [
        ("m.pt", ["m/data.pkl", "m/code/net.py", "m/constants.pkl"], TORCHSCRIPT),
        ("m.pt", ["archive/data.pkl", "archive/data/0", "archive/version"], PYTORCH_WEIGHTS),
        ("m.pkl", ["archive/data.pkl", "archive/data/0"], PYTORCH_WEIGHTS),
        ("m.pth", ["readme.txt"], UNKNOWN),
    ],
)
def test_archives_of_pytorch_are_told_apart_by_their_names(
    tmp_path: Path, name: str, entries: list[str], kind: Kind
) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for entry in entries:
            archive.writestr(entry, b"\x80\x02not a pickle")

    assert recognise(tmp_path / name).kind is kind


def test_folder_with_an_mlmodel_file_is_an_mlflow_model(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04")

    assert recognise(tmp_path).kind is MLFLOW


def test_folder_with_one_model_is_that_model(tmp_path: Path) -> None:
    for name in ("labels.txt", "model.onnx"):
        (tmp_path / name).write_bytes(b"x")

    assert (recognise(tmp_path).kind, recognise(tmp_path).file) == (ONNX, tmp_path / "model.onnx")


def test_folder_with_two_models_is_not_guessed_at(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.pkl"):
        (tmp_path / name).write_bytes(b"x")

    found = recognise(tmp_path)

    assert found.kind is UNKNOWN
    assert found.notice is not None
    assert "holds several models (a.pkl, b.onnx): give one with --model" in found.notice


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; was it copied whole?"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"PK\x03\x04cut off", "begins as a zip archive and cannot be read as one"),
    ],
)
def test_file_that_is_not_the_model_itself_is_noticed(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "m.pt").write_bytes(content)

    found = recognise(tmp_path / "m.pt")

    assert found.kind is PYTORCH_WEIGHTS
    assert words in (found.notice or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_model_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    (tmp_path / "m.onnx").chmod(0)

    with pytest.raises(SpecError, match="cannot be read: Permission denied"):
        recognise(tmp_path / "m.onnx")


def test_description_of_an_mlflow_model_is_answered_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}")

    with pytest.raises(SpecError, match=re.escape(f"the model is its folder; give {tmp_path}")):
        recognise(tmp_path / "MLmodel")


# --------------------------------------------------------------------------------------------- the scripts


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words)
def test_script_is_python_3_8_and_says_what_to_change(kind: Kind) -> None:
    text = script_text(kind, "model.bin")

    tree = ast.parse(text, feature_version=(3, 8))

    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert list(functions)[-1] != "run"
    assert [argument.arg for argument in functions["run"].args.args] == ["mini_batch"]
    assert not functions["init"].args.args
    assert "CHANGE: " in text
    assert max(map(len, text.splitlines())) <= LONGEST_LINE


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words)
def test_script_imports_the_packages_that_are_named_to_its_user(kind: Kind) -> None:
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(ast.parse(script_text(kind, "m")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    unpickled = {"sklearn"} if kind is SCIKIT_LEARN else set()

    assert (imported - sys.stdlib_module_names) | unpickled == {*kind.packages, *kind.for_images}
    assert not kind.packages.keys() & kind.for_images.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words)
def test_script_names_no_place_on_a_machine(kind: Kind) -> None:
    texts = [
        node.value for node in ast.walk(ast.parse(script_text(kind, "m"))) if isinstance(node, ast.Constant)
    ]

    assert [text for text in texts if isinstance(text, str) and re.match(r"(/|~|[A-Z]:\\)\w", text)] == []


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_script_names_any_model_as_it_is_called(name: str) -> None:
    tree = ast.parse(script_text(ONNX, name).encode())

    [model] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    assert ast.literal_eval(model) == name


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("m.onnx", "m.onnx"),
        ("folder", "folder/m.onnx"),
        ("folder/m.onnx", "m.onnx"),
        ("folder/../m.onnx", "m.onnx"),
    ],
)
def test_script_looks_where_the_model_will_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for path in ("m.onnx", "folder/m.onnx"):
        Path(path).write_bytes(b"x")

    write_script(NewScriptRequest(script=Path("score.py"), model=Path(model)))

    assert f'MODEL = "{expected}"' in Path("score.py").read_text()


def test_mlflow_model_is_looked_for_as_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("grain").mkdir()
    Path("grain/MLmodel").touch()

    write_script(NewScriptRequest(script=Path("score.py"), model=Path("grain")))

    assert 'MODEL = "grain"' in Path("score.py").read_text()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("my-score.py", "call it my_score.py, say"),
        ("2nd.py", "call it score_2nd.py, say"),
        ("class.py", "call it score_class.py, say"),
        ("json.py", "call it score_json.py, say"),
        ("torch.py", "call it score_torch.py, say"),
        ("sklearn.py", "call it score_sklearn.py, say"),
    ],
)
def test_name_that_could_not_be_imported_is_refused(tmp_path: Path, name: str, remedy: str) -> None:
    with pytest.raises(SpecError, match=re.escape(remedy)):
        write_script(NewScriptRequest(script=tmp_path / name))

    assert os.listdir(tmp_path) == []


def test_deployment_of_another_script_stays(tmp_path: Path) -> None:
    (tmp_path / "deployment.yml").write_text("mine")

    written = write_script(NewScriptRequest(script=tmp_path / "score.py", deployment=True))

    assert written.files == (tmp_path / "score.py", tmp_path / "score.deployment.yml")
    assert (tmp_path / "deployment.yml").read_text() == "mine"
    text = (tmp_path / "score.deployment.yml").read_text()
    assert text.startswith("# gristmill run score.deployment.yml --input FOLDER\n")
    assert "scoring_script: score.py\n" in text


def test_nothing_is_written_where_both_deployments_would_be_replaced(tmp_path: Path) -> None:
    for name in ("deployment.yml", "score.deployment.yml"):
        (tmp_path / name).write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        write_script(NewScriptRequest(script=tmp_path / "score.py", deployment=True))

    assert sorted(os.listdir(tmp_path)) == ["deployment.yml", "score.deployment.yml"]


@pytest.mark.parametrize(
    ("stem", "name"), [("score", "score"), ("my_score", "my-score"), ("a", "score-a"), ("x" * 40, "x" * 32)]
)
def test_deployment_is_called_like_the_script_as_far_as_azure_takes_it(
    tmp_path: Path, stem: str, name: str
) -> None:
    write_script(NewScriptRequest(script=tmp_path / f"{stem}.py", deployment=True))

    assert f"\nname: {name}\n" in (tmp_path / "deployment.yml").read_text()


def test_model_that_no_yaml_can_name_is_refused(tmp_path: Path) -> None:
    model = tmp_path / os.fsdecode(b"m\xff.onnx")
    model.write_bytes(b"x")
    request = NewScriptRequest(script=tmp_path / "score.py", model=model, deployment=True)

    with pytest.raises(SpecError, match="is not UTF-8 and cannot stand in a YAML file; rename it"):
        write_script(request)

    assert os.listdir(os.fsencode(tmp_path)) == [b"m\xff.onnx"]
