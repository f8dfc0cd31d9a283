"""What `gristmill new` writes scores real files with a real model, as it is, and as a plain loop does."""

from __future__ import annotations

import io
import os
import pickle
import re
import shlex
import venv
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from flow.mill import Ended, Mill
from flow.tiny_onnx import FLOAT, STRING, constant, model, node, probabilities, tensor

CLASSES = ["barley", "oats", "rye"]
COLUMNS = ["length", "width"]
WEIGHTS = np.asarray([[1.5, -0.5, 0.25], [-1.0, 2.0, 0.5]], dtype="float32")
NUMBERS = np.random.default_rng(7).normal(size=(24, 2))


# ------------------------------------------------------------------------------------------------ ONNX


def test_onnx_model_of_tables_gives_what_a_plain_loop_gives(mill: Mill) -> None:
    write_tables(mill, header=True)
    path = write_model(mill, "grain.onnx", table_model())

    rows = scored(mill, "grain.onnx")

    [expected] = onnxruntime.InferenceSession(path).run(None, {"x": NUMBERS.astype("float32")})
    assert rows.columns.tolist() == ["file", "row", "y_0", "y_1", "y_2"]
    assert rows["file"].tolist() == [f"{i // 8}.csv" for i in range(24)]
    assert rows["row"].tolist() == [*range(8)] * 3
    np.testing.assert_allclose(rows[["y_0", "y_1", "y_2"]].to_numpy("float32"), expected, rtol=1e-6)


def test_first_line_of_a_csv_without_a_header_is_not_lost(mill: Mill) -> None:
    write_tables(mill, header=False)
    np.save(mill.root / "in/3.npy", NUMBERS[0])
    write_model(mill, "grain.onnx", table_model())

    rows = scored(mill, "grain.onnx")

    assert len(rows) == 24 + 1
    assert rows.iloc[24, 2:].tolist() == pytest.approx(rows.iloc[0, 2:].tolist(), rel=1e-5)


def test_onnx_model_of_one_row_at_a_time_is_given_one_row_at_a_time(mill: Mill) -> None:
    write_tables(mill, header=True)
    write_model(mill, "any.onnx", table_model())
    write_model(mill, "one.onnx", table_model(rows=1))

    assert scored(mill, "any.onnx").equals(scored(mill, "one.onnx"))


def test_onnx_model_with_named_columns_and_classes_gives_a_column_for_each_class(mill: Mill) -> None:
    colours = ["red", "blue", "red"]
    mill.inputs({"a.csv": "id,size,colour\n" + "".join(f"7,{i},{c}\n" for i, c in enumerate(colours))})
    write_model(mill, "colour.onnx", column_model())

    rows = scored(mill, "colour.onnx")

    assert rows.columns.tolist() == ["file", "row", *(f"p_{name}" for name in CLASSES)]
    code = [{"red": 1.0, "blue": 2.0}[colour] for colour in colours]
    expected = softmax(np.asarray([[size, code[size]] for size in range(3)]) @ WEIGHTS)
    np.testing.assert_allclose(rows.iloc[:, 2:].to_numpy(float), expected, rtol=1e-5)


@pytest.mark.parametrize("is_last", [False, True])
def test_onnx_model_of_images_gets_them_in_its_size_and_layout(mill: Mill, is_last: bool) -> None:
    write_images(mill)
    write_model(mill, "photo.onnx", image_model(is_last))

    rows = scored(mill, "photo.onnx")

    assert rows.columns.tolist() == ["file", "mean_0", "mean_1", "mean_2"]
    assert rows["file"].tolist() == ["0.png", "1.png", "2.png"]
    expected = [pixels(path).mean(axis=(0, 1)) for path in sorted((mill.root / "in").iterdir())]
    np.testing.assert_allclose(rows.iloc[:, 1:].to_numpy(float), expected, rtol=1e-5)


def test_file_that_is_no_image_is_named_with_what_to_change(mill: Mill) -> None:
    mill.inputs({"a.csv.gz": "x"})
    write_model(mill, "grain.onnx", table_model())
    new(mill, "--model", "grain.onnx")

    ended = mill.run("--model", "grain.onnx", "--max-retries", "0", of="score.py")

    assert ended.counts == (1, 0, 1, 0)
    assert "a.csv.gz: say in read() how to make" in mill.failures()[0]["message"]


# ------------------------------------------------------------------------------------------ scikit-learn


@pytest.mark.parametrize(
    ("file", "header"),
    [("grain.joblib", True), ("grain.joblib", False), ("grain.pkl", True), ("g.pickle", False)],
)
def test_scikit_learn_model_gives_what_a_plain_loop_gives(mill: Mill, file: str, header: bool) -> None:
    write_tables(mill, header=header)
    fitted = fit(names=header)
    (joblib.dump if file.endswith("joblib") else dump_pickle)(fitted, mill.root / file)

    rows = scored(mill, file)

    values = pd.DataFrame(NUMBERS, columns=COLUMNS) if header else NUMBERS
    assert rows.columns.tolist() == ["file", "row", "prediction", "probability"]
    assert rows["prediction"].tolist() == fitted.predict(values).tolist()
    np.testing.assert_allclose(rows["probability"], fitted.predict_proba(values).max(axis=1), rtol=1e-9)


def test_scikit_learn_model_takes_its_columns_by_name(mill: Mill) -> None:
    table = pd.DataFrame(NUMBERS, columns=COLUMNS).assign(id="a")[["id", "width", "length"]]
    (mill.root / "in").mkdir()
    table.to_json(mill.root / "in/a.json", orient="records", double_precision=15)
    joblib.dump(fit(names=True), mill.root / "grain.joblib")

    rows = scored(mill, "grain.joblib")

    assert rows["prediction"].tolist() == fit(names=True).predict(table[COLUMNS]).tolist()


def test_scikit_learn_model_of_texts_gets_each_file_as_a_text(mill: Mill) -> None:
    texts = {"a.txt": "fine flour", "b.txt": "coarse grain", "c.txt": "fine fine"}
    mill.inputs(texts)
    fitted = make_pipeline(CountVectorizer(), LogisticRegression()).fit(
        ["fine flour", "coarse bran"], ["yes", "no"]
    )
    joblib.dump(fitted, mill.root / "texts.joblib")

    rows = scored(mill, "texts.joblib")

    assert (
        rows["prediction"].tolist() == fitted.predict(list(texts.values())).tolist() == ["yes", "no", "yes"]
    )


def test_pickle_that_holds_no_model_is_named_before_any_file_is_read(mill: Mill) -> None:
    mill.inputs(["a.csv"])
    dump_pickle({"model": 1}, mill.root / "parts.pkl")
    new(mill, "--model", "parts.pkl")

    ended = mill.run("--model", "parts.pkl", of="score.py")

    assert ended.status == 1
    assert "parts.pkl holds a dict, not a model; say in init() what to take" in ended.view["message"]


# ---------------------------------------------------------------------------------- PyTorch and MLflow


def test_torchscript_model_gives_what_a_plain_loop_gives(mill: Mill) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Softmax(1))
    torch.jit.script(network).save(str(mill.root / "grain.pt"))
    write_tables(mill, header=True)

    rows = scored(mill, "grain.pt")

    with torch.no_grad():
        expected = network(torch.as_tensor(NUMBERS, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(rows.iloc[:, 2:].to_numpy(float), expected, rtol=1e-5)


def test_pytorch_weights_run_once_their_network_is_filled_in(mill: Mill) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = torch.nn.Linear(2, 3)
    torch.save({"state_dict": network.state_dict()}, mill.root / "grain.pt")
    write_tables(mill, header=True)
    new(mill, "--model", "grain.pt")
    script = mill.root / "score.py"

    before = mill.run("--model", "grain.pt", of="score.py")
    script.write_text(re.sub(r"raise NotImpl.*", "return torch.nn.Linear(2, 3)", script.read_text()))
    after = mill.run("--model", "grain.pt", "--job-name", "filled", of="score.py")

    assert "grain.pt holds weights only: let network() in this script" in before.view["message"]
    assert after.counts == (3, 3, 0, 0)
    with torch.no_grad():
        expected = network(torch.as_tensor(NUMBERS, dtype=torch.float32)).numpy()
    found = pd.read_csv(mill.root / "out/predictions.csv").iloc[:, 2:].to_numpy(float)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def save_for_mlflow(fitted: Any, table: pd.DataFrame, folder: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow and of what it imports
        mlflow.sklearn.save_model(
            fitted,
            str(folder),
            signature=mlflow.models.infer_signature(table, fitted.predict(table)),
            serialization_format="cloudpickle",
        )


def test_an_mlflow_model_can_be_loaded_where_the_script_sees_it(mill: Mill) -> None:
    table = pd.DataFrame(NUMBERS, columns=COLUMNS)
    fitted = fit(names=True)
    save_for_mlflow(fitted, table, mill.root / "grain")
    mill.inputs(["a"])
    mill.script(
        f"""
import mlflow, pandas
def run(mini_batch):
    model = mlflow.pyfunc.load_model(os.path.join(os.environ["AZUREML_MODEL_DIR"], "grain"))
    return list(model.predict(pandas.DataFrame({NUMBERS[:1].tolist()!r}, columns={COLUMNS!r})))
"""
    )
    mill.deployment()

    ended = mill.run("--model", "grain")

    assert ended.counts == (1, 1, 0, 0), ended.err
    assert mill.bytes().decode().split() == [str(fitted.predict(table)[0])]


def test_mlflow_model_gives_what_a_plain_loop_gives(mill: Mill) -> None:
    table = pd.DataFrame(NUMBERS, columns=COLUMNS)
    fitted = fit(names=True)
    save_for_mlflow(fitted, table, mill.root / "grain")
    write_tables(mill, header=True)
    mill.inputs({"9.csv": "width,length\n3,1\n"})  # whole numbers, where the signature says double

    rows = scored(mill, "grain")

    last = pd.DataFrame({"length": [1.0], "width": [3.0]})
    assert rows["prediction"].tolist() == [*fitted.predict(table), *fitted.predict(last)]


# ------------------------------------------------------------------------------------------------- plain


def test_script_without_a_model_runs_as_it_is(mill: Mill) -> None:
    mill.inputs({"a.txt": "one\ntwo\n", "b.txt": ""})

    new(mill)
    ended = mill.run(of="score.py")

    assert ended.counts == (2, 2, 0, 0)
    assert mill.bytes() == b"file,bytes,lines\na.txt,8,2\nb.txt,0,0\n"


def test_model_of_an_unknown_kind_gets_a_script_that_finds_it(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.write("models/trees/forest.xyz", "?")

    said = new(mill, "--model", "models/trees")
    ended = mill.run("--model", "models/trees", of="score.py")

    assert "notice: what kind of model models/trees is cannot be told" in said.err
    assert ended.counts == (1, 1, 0, 0)


def test_script_finds_a_model_that_lies_beside_it(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.write("forest.xyz", "?")

    new(mill, "--model", "forest.xyz")

    assert mill.run(of="score.py").counts == (1, 1, 0, 0)


def test_script_finds_a_model_of_another_name(mill: Mill) -> None:
    write_tables(mill, header=True)
    (mill.root / "later").mkdir()
    for name in ("grain.joblib", "later/grain-2.joblib"):
        joblib.dump(fit(names=True), mill.root / name)
    new(mill, "--model", "grain.joblib")

    assert mill.run("--model", "later/grain-2.joblib", of="score.py").counts == (3, 3, 0, 0)


def test_script_finds_a_model_in_a_folder_of_another_name(mill: Mill) -> None:
    mill.inputs(["a"])
    for folder in ("trees", "trees-2"):
        mill.write(f"{folder}/small/forest.xyz", "?")
    new(mill, "--model", "trees")
    script = mill.root / "score.py"
    script.write_text(script.read_text().replace('"trees"', '"trees/small/forest.xyz"'))

    assert mill.run("--model", "trees-2", of="score.py").counts == (1, 1, 0, 0)


def test_script_finds_its_model_where_azure_puts_it(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.write("forest.xyz", "?")
    mill.write("azure/forest.xyz", "?")
    new(mill, "--model", "forest.xyz")
    (mill.root / "forest.xyz").unlink()

    ended = mill.run(of="score.py", AZUREML_MODEL_DIR=str(mill.root / "azure"))

    assert ended.counts == (1, 1, 0, 0), ended.err


def test_file_without_a_column_of_the_model_is_named(mill: Mill) -> None:
    mill.inputs({"a.csv": "length\n1\n"})
    joblib.dump(fit(names=True), mill.root / "grain.joblib")
    new(mill, "--model", "grain.joblib")

    mill.run("--model", "grain.joblib", "--max-retries", "0", of="score.py")

    [failure] = mill.failures()
    assert "a.csv has no column 'width', which the model takes (score.py:" in failure["message"]


def test_commands_that_are_printed_can_be_typed(mill: Mill) -> None:
    write_tables(mill, header=True)
    joblib.dump(fit(names=True), mill.root / "my grain.joblib")

    said = new(mill, "--model", "my grain.joblib")

    [line] = [line for line in said.err.splitlines() if line.startswith("then ")]
    words = [word if word != "FOLDER" else "in" for word in shlex.split(line)[2:]]
    assert words[:2] == ["run", "score.py"]
    assert mill.type(*words, "--json").counts == (3, 3, 0, 0)


def test_deployment_beside_the_script_runs_it(mill: Mill) -> None:
    write_tables(mill, header=True)
    (mill.root / "code").mkdir()
    (mill.root / "models").mkdir()
    joblib.dump(fit(names=True), mill.root / "models/my: grain.joblib")

    said = mill.type("new", "code/score_it.py", "--model", "models/my: grain.joblib", "--deployment")

    assert said.status == 0, said.err
    assert said.out.splitlines() == ["code/score_it.py", "code/deployment.yml"]
    assert mill.run(of="code/deployment.yml").counts == (3, 3, 0, 0)
    assert len(pd.read_csv(mill.root / "out/predictions.csv")) == 24


def test_packages_that_the_python_of_a_run_lacks_are_named(mill: Mill, tmp_path: Path) -> None:
    write_model(mill, "grain.onnx", table_model())
    bare = tmp_path / "venv"
    venv.create(bare, symlinks=True)

    said = mill.type("new", "score.py", "--model", "grain.onnx", VIRTUAL_ENV=str(bare))

    assert said.status == 0
    python = bare / "bin/python"
    assert f"{python} (the active environment (VIRTUAL_ENV)) lacks what the script imports" in said.err
    assert f"{python} -m pip install onnxruntime numpy pandas;" in said.err
    assert f"if your files are images, the script also needs {python} -m pip install pillow" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score.py"], "score.py exists already; choose another name, or --overwrite to replace it"),
        (["score.yml"], "score.yml: the name of a scoring script ends in .py, such as score.py"),
        (["no/score.py"], "the folder no does not exist; make it, or choose another"),
        (
            ["a.py", "--model", "grain.onx"],
            "--model grain.onx: no such file or folder; did you mean 'grain.onnx'?",
        ),
        (["a.py", "--model"], "--model: expected one argument"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_touched(
    mill: Mill, words: list[str], message: str
) -> None:
    mill.write("score.py", "mine")
    mill.write("grain.onnx", "x")

    ended = mill.type("new", *words)

    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert (mill.root / "score.py").read_text() == "mine"
    assert sorted(os.listdir(mill.root)) == ["grain.onnx", "score.py"]


def test_overwrite_replaces_the_script(mill: Mill) -> None:
    script = mill.write("score.py", "mine")

    assert mill.type("new", "score.py", "--overwrite").status == 0
    assert "def run(mini_batch):" in script.read_text()


# ------------------------------------------------------------------------------- what the tests stand on


def new(mill: Mill, *words: str) -> Ended:
    ended = mill.type("new", "score.py", *words)
    assert (ended.status, ended.out) == (0, "score.py\n"), ended.err
    return ended


def scored(mill: Mill, model_file: str) -> pd.DataFrame:
    """Write a script for a model and run it over `in`, two files at a time, on two workers."""
    new(mill, "--model", model_file, "--overwrite")
    name = f"j-{Path(model_file).stem}"
    words = ["--workers", "2", "--mini-batch-size", "2", "--job-name", name, "--output-path", name]
    ended = mill.run("--model", model_file, *words, of="score.py")
    assert ended.status == 0, ended.err
    assert ended.view["failed"] == 0, mill.failures(name)
    return pd.read_csv(io.BytesIO(mill.bytes(f"{name}/predictions.csv")))


def write_tables(mill: Mill, *, header: bool) -> None:
    """Write `NUMBERS` as three CSV files."""
    (mill.root / "in").mkdir()
    for number, rows in enumerate(np.split(NUMBERS, 3)):
        table = pd.DataFrame(rows, columns=COLUMNS)
        table.to_csv(mill.root / f"in/{number}.csv", index=False, header=header)


def write_images(mill: Mill) -> None:
    """Write three images of different sizes and modes."""
    (mill.root / "in").mkdir()
    random = np.random.default_rng(3)
    for number, shape in enumerate([(12, 9, 3), (30, 40, 4), (16, 16)]):
        Image.fromarray(random.integers(0, 256, shape, dtype="uint8")).save(mill.root / f"in/{number}.png")


def pixels(path: Path) -> NDArray[np.float64]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((6, 8), Image.Resampling.BILINEAR)) / 255


def write_model(mill: Mill, name: str, content: bytes) -> str:
    (mill.root / name).write_bytes(content)
    return str(mill.root / name)


def table_model(rows: int | str = "rows") -> bytes:
    nodes = [node("MatMul", ["x", "w"], ["xw"]), node("Softmax", ["xw"], ["y"])]
    inputs, outputs = [tensor("x", FLOAT, [rows, 2])], [tensor("y", FLOAT, [rows, 3])]
    return model(nodes, inputs, outputs, constant("w", WEIGHTS))


def column_model() -> bytes:
    """One input for each column, one of them of words; probabilities as scikit-learn's converter does."""
    codes = {"keys_strings": ["red", "blue"], "values_floats": [1.0, 2.0]}
    nodes = [
        node("LabelEncoder", ["colour"], ["code"], **codes),
        node("Concat", ["size", "code"], ["x"], axis=1),
        node("MatMul", ["x", "w"], ["xw"]),
        node("Softmax", ["xw"], ["y"]),
        node("ZipMap", ["y"], ["p"], classlabels_strings=CLASSES),
    ]
    inputs = [tensor("colour", STRING, ["rows", 1]), tensor("size", FLOAT, ["rows", 1])]
    return model(nodes, inputs, [probabilities("p")], constant("w", WEIGHTS))


def image_model(is_last: bool) -> bytes:
    """The mean of each channel of images that are 6 wide and 8 high."""
    shape: list[int | str] = ["n", 8, 6, 3] if is_last else ["n", 3, 8, 6]
    means = node("ReduceMean", ["x"], ["mean"], axes=[1, 2] if is_last else [2, 3], keepdims=0)
    return model([means], [tensor("x", FLOAT, shape)], [tensor("mean", FLOAT, ["n", 3])])


def fit(*, names: bool) -> LogisticRegression:
    values = pd.DataFrame(NUMBERS, columns=COLUMNS) if names else NUMBERS
    return LogisticRegression().fit(values, [CLASSES[i % 3] for i in range(24)])


def dump_pickle(value: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values)
    return powers / powers.sum(axis=1, keepdims=True)
