"""What a model returns becomes rows with a number, named columns and a file; a bad file is blamed alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from unit.mlflow.conftest import column


class Tensor:
    """Speaks as PyTorch's do."""

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return np.array([3])


TABLE = pd.DataFrame({"row": [1, 2], "p": ["x", "y"], 7: [0.5, 1.5]}, index=[4, 2])
# What a model returns, and the frame that is made of it.
FRAMES: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "a list": ([1, 2], {"prediction": [1, 2]}),
    "a list of texts": (["a", "b"], {"prediction": ["a", "b"]}),
    "an array": (np.array([1.5, 2.5]), {"prediction": [1.5, 2.5]}),
    "one column": (np.array([[1], [2]]), {"prediction": [1, 2]}),
    "two columns": (np.array([[1, 2], [3, 4]]), {"prediction_0": [1, 3], "prediction_1": [2, 4]}),
    "lists": ([[1, 2], [3, 4]], {"prediction_0": [1, 3], "prediction_1": [2, 4]}),
    "lists of different lengths": ([[1], [3, 4]], {"prediction": [[1], [3, 4]]}),
    "more dimensions": (np.zeros((2, 2, 1)), {"prediction": [[[0.0], [0.0]], [[0.0], [0.0]]]}),
    "a sparse matrix": (csr_matrix([[0, 1], [2, 0]]), {"prediction_0": [0, 2], "prediction_1": [1, 0]}),
    "a series": (pd.Series([1, 2], index=[9, 3]), {"prediction": [1, 2]}),
    "a series with a name": (pd.Series([1, 2], name="price"), {"price": [1, 2]}),
    "a frame": (TABLE, {"prediction_row": [1, 2], "p": ["x", "y"], "prediction_7": [0.5, 1.5]}),
    "a frame without names": (pd.DataFrame([[1], [2]]), {"prediction": [1, 2]}),
    "dicts": ([{"a": 1, "file": "x"}, {"a": 2}], {"a": [1, 2], "prediction_file": ["x", None]}),
    "a dict of arrays": (
        {"label": ["a", "b"], "p": np.array([[1, 2], [3, 4]])},
        {"label": ["a", "b"], "p_0": [1, 3], "p_1": [2, 4]},
    ),
    "a dict of values": ({"a": 1, "b": 2}, {"a": [1], "b": [2]}),
    "a number": (np.float64(7.5), {"prediction": [7.5]}),
    "a text": ("seven", {"prediction": ["seven"]}),
    "a tensor": (Tensor(), {"prediction": [3]}),
    "another library's frame": (SimpleNamespace(to_pandas=lambda: pd.DataFrame({"a": [3]})), {"a": [3]}),
}  # fmt: skip


@pytest.mark.parametrize(("predicted", "expected"), FRAMES.values(), ids=FRAMES)
def test_what_a_model_returns_becomes_columns(
    score: ModuleType, predicted: Any, expected: dict[str, list[Any]]
) -> None:
    frame = score.as_frame(predicted)

    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == expected
    assert list(frame.index) == list(range(len(frame)))


def test_nothing_is_no_prediction(score: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"^predict\(\) returned None, and no rows$"):
        score.as_frame(None)


@pytest.fixture
def scoring(
    score: ModuleType, reader: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The script with a model that doubles its column `a`, and refuses nines."""

    def predict(table: pd.DataFrame) -> Any:
        if (table["a"] == 9).any():
            raise ZeroDivisionError("no nines")
        return table["a"] * 2

    monkeypatch.setattr(score, "model", SimpleNamespace(predict=predict))
    monkeypatch.setattr(score, "reader", reader(column("long"), chunk_rows=2, large_bytes=8))
    return score


def test_rows_are_numbered_over_the_pieces_of_each_file(scoring: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.csv").write_text("a\n1\n2\n3\n4\n5\n")
    (tmp_path / "below/b.csv").write_text("a\n6\n")
    files = [str(tmp_path / "a.csv"), str(tmp_path / "below/b.csv")]

    frame = scoring.run(files, SimpleNamespace(input_folder=str(tmp_path)))

    assert list(frame.columns) == ["row", "a", "file"]
    assert frame.values.tolist() == [
        *([number, 2 * number + 2, "a.csv"] for number in range(5)),
        [0, 12, os.path.join("below", "b.csv")],
    ]


def test_part_of_a_file_has_the_numbers_and_the_name_of_the_whole(
    scoring: ModuleType, tmp_path: Path
) -> None:
    part = str(tmp_path / "a.rows-70-71.csv")
    source = SimpleNamespace(file=str(tmp_path / "in/a.csv"), first_row=70)
    context = SimpleNamespace(input_folder=str(tmp_path / "in"), source={part: source})
    Path(part).write_text("a\n1\n2\n")

    frame = scoring.run([part], context)
    Path(part).write_text("a\n1\nx\n")
    with pytest.raises(
        scoring.FileError, match=r"^a\.csv: column 'a', row 72: expected long, found 'x'$"
    ) as caught:
        scoring.run([part], context)

    assert frame.values.tolist() == [[70, 2, "a.csv"], [71, 4, "a.csv"]]
    assert caught.value.failed_files == [part]


def test_name_that_is_not_utf_8_fails_nothing(scoring: ModuleType, tmp_path: Path) -> None:
    path = os.path.join(tmp_path, os.fsdecode(b"\xff.csv"))
    with open(path, "w") as file:
        file.write("a\n1\n")

    frame = scoring.run([path])

    assert frame["file"].tolist() == [os.fsdecode(b"\xff.csv")]
    assert frame["file"].dtype == object


def test_without_our_context_a_file_has_its_bare_name(scoring: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")

    assert scoring.run([str(tmp_path / "a.csv")])["file"].tolist() == ["a.csv"]


def test_every_bad_file_of_a_mini_batch_is_named_at_once(scoring: ModuleType, tmp_path: Path) -> None:
    contents = {"a.csv": "a\n1\n", "b.csv": "a\nx\n", "c.txt": "", "d.csv": "a\n", "e.csv": "a\n9\n"}
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in contents]

    with pytest.raises(scoring.FileError) as caught:
        scoring.run(files, SimpleNamespace(input_folder=str(tmp_path)))

    assert caught.value.failed_files == files[1:]
    assert str(caught.value) == (
        "b.csv: column 'a', row 1: expected long, found 'x' (and 3 more files of the mini-batch)"
    )


@pytest.mark.parametrize(
    ("text", "said", "cause"),
    [
        ("a\nx\n", "a.csv: column 'a', row 1: expected long, found 'x'", None),
        ("a\n", "a.csv: there are no rows in it, or the model returned none", None),
        ("a\n1\n2\n9\n", "a.csv: the model raised ZeroDivisionError: no nines", ZeroDivisionError),
        ('a\n"1\n', "a.csv: it cannot be read: ParserError: Error tokenizing data", pd.errors.ParserError),
    ],
)
def test_file_is_blamed_with_what_is_wrong_with_it(
    scoring: ModuleType, tmp_path: Path, text: str, said: str, cause: type[Exception] | None
) -> None:
    (tmp_path / "a.csv").write_text(text)

    with pytest.raises(scoring.FileError) as caught:
        scoring.run([str(tmp_path / "a.csv")])

    assert str(caught.value).startswith(said)
    assert caught.value.__cause__ is None if cause is None else isinstance(caught.value.__cause__, cause)


def test_of_mlflow_s_own_refusals_the_end_is_told(
    scoring: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(table: Any) -> Any:
        raise ValueError(f"Failed to enforce schema of data '{table}' with schema '[]'. Error: No such type")

    monkeypatch.setattr(scoring, "model", SimpleNamespace(predict=predict))
    (tmp_path / "a.csv").write_text("a\n1\n")

    with pytest.raises(scoring.FileError, match=r"^a\.csv: the model raised ValueError: No such type$"):
        scoring.run([str(tmp_path / "a.csv")])


def test_want_of_memory_is_nobody_s_file(
    scoring: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(table: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(scoring, "model", SimpleNamespace(predict=predict))
    (tmp_path / "a.csv").write_text("a\n1\n")

    with pytest.raises(MemoryError):
        scoring.run([str(tmp_path / "a.csv")])


# The model


def test_versions_that_a_model_was_made_with_are_told_where_they_differ(
    score: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    python_version: 3.8.5\n")
    (tmp_path / "requirements.txt").write_text(
        f"pandas=={pd.__version__}\nnumpy==1.0.0\nno-such-package[x]==2.1 ; python_version > '3'\nscipy>=1\n"
    )

    said = score.versions(tmp_path)

    assert said.startswith(
        "; it was made with Python 3.8.5, numpy 1.0.0, no-such-package 2.1, and this Python ("
    )
    assert f"numpy {np.__version__}, no no-such-package" in said
    assert "pandas" not in said


def test_model_that_tells_nothing_is_not_asked_twice(score: ModuleType, tmp_path: Path) -> None:
    assert score.versions(tmp_path) == ""


@pytest.mark.parametrize("variable", ["GRISTMILL_MODEL_PATH", "AZUREML_MODEL_DIR"])
def test_model_is_the_folder_with_its_description(
    score: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("GRISTMILL_MODEL_PATH", "AZUREML_MODEL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    for folder in ("hearts/nested/more", "hearts"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "MLmodel").write_text("")

    assert score.model_folder() == tmp_path / "hearts"


def test_there_has_to_be_a_model(score: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_MODEL_PATH", str(tmp_path))
    with pytest.raises(score.ModelError, match=r"^there is no file MLmodel in "):
        score.model_folder()

    monkeypatch.delenv("GRISTMILL_MODEL_PATH")
    monkeypatch.delenv("AZUREML_MODEL_DIR", raising=False)
    with pytest.raises(score.ModelError, match=r"^there is no model: AZUREML_MODEL_DIR is not set$"):
        score.model_folder()
