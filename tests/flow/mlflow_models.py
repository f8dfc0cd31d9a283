"""MLflow models of many flavors and signatures, saved as their owners do, with files for them.

Each entry of `MODELS` says what a plain loop over `mlflow.pyfunc.load_model(...).predict` gets of each file:
nothing of ours is used for it.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Files = dict[str, Callable[[Path], Any]]
"""Name → what writes the file, and returns what the plain loop hands to the model."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, and files for it."""

    save: Callable[[Path], None]
    files: Files


@contextmanager
def quiet() -> Iterator[None]:
    """MLflow and what it imports warn of much."""
    with warnings.catch_warnings(record=True):  # some stand above every filter
        warnings.simplefilter("ignore")
        yield


def mlflow() -> Any:
    """Import MLflow, where it is installed."""
    with quiet():
        return pytest.importorskip("mlflow", reason="MLflow is not installed")


def plain_loop(model: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what the model predicts for each file."""
    with quiet():
        loaded = mlflow().pyfunc.load_model(str(model))
        return {name: loaded.predict(given) for name, given in inputs.items()}


# Tables

NUMBERS = pd.DataFrame({"length": [1.5, 2.0, 7.25, 9.0, 4.0], "width": [1, 2, 3, 4, 6]})


def csv(table: pd.DataFrame) -> Callable[[Path], pd.DataFrame]:
    def write(path: Path) -> pd.DataFrame:
        table.to_csv(path, index=False)
        return table

    return write


def parquet(table: pd.DataFrame) -> Callable[[Path], pd.DataFrame]:
    def write(path: Path) -> pd.DataFrame:
        table.to_parquet(path)
        return table

    return write


def records(table: pd.DataFrame) -> Callable[[Path], pd.DataFrame]:
    def write(path: Path) -> pd.DataFrame:
        table.to_json(path, orient="records", lines=path.suffix.lower() == ".jsonl")
        return table

    return write


def split(table: pd.DataFrame) -> Callable[[Path], pd.DataFrame]:
    def write(path: Path) -> pd.DataFrame:
        path.write_text(json.dumps({"dataframe_split": table.to_dict(orient="split")}))
        return table

    return write


def tables(table: pd.DataFrame) -> Files:
    """Return the same rows in every format, and in any case of the extension."""
    return {
        "a.csv": csv(table),
        "b.CSV": csv(table.iloc[:2]),
        "c.parquet": parquet(table),
        "d.PQT": parquet(table.iloc[1:3].reset_index(drop=True)),
        "e.json": records(table),
        "f.jsonl": records(table),
        "g.Json": split(table),
    }


# Models


def _save(folder: Path, predict: Callable[..., Any], signature: Any = None) -> None:
    """Save a function as a model of the flavor python_function alone."""
    import cloudpickle

    pyfunc = mlflow().pyfunc

    class Model(pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # hints are taken for a signature
            return predict(model_input)

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        pyfunc.save_model(
            str(folder), python_model=Model(), signature=signature, pip_requirements=["mlflow-skinny"]
        )
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _signature(inputs: list[Any]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

    return ModelSignature(inputs=Schema(inputs))


def _tensor(kind: str, shape: tuple[int, ...], name: str | None = None) -> Any:
    from mlflow.types import TensorSpec

    return TensorSpec(np.dtype(kind), shape, name)


def _column(kind: str, name: str | None = None, *, required: bool = True) -> Any:
    from mlflow.types import ColSpec

    return ColSpec(kind, name, required=required)


def column_model(folder: Path) -> None:
    """Save a model that adds its columns `length` and `width`."""
    columns = [_column("double", "length"), _column("double", "width")]
    _save(folder, lambda table: table["length"] + table["width"], _signature(columns))


def save_sklearn(folder: Path, *, with_signature: bool = True, predict: str = "predict") -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        NUMBERS, ["low", "low", "high", "high", "mid"]
    )
    signature = mlflow().models.infer_signature(NUMBERS, fitted.predict(NUMBERS)) if with_signature else None
    mlflow().sklearn.save_model(
        fitted,
        str(folder),
        signature=signature,
        serialization_format="cloudpickle",
        pip_requirements=["mlflow-skinny", "scikit-learn"],
        pyfunc_predict_fn=predict,
    )


def save_lightgbm(folder: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    import mlflow.lightgbm

    data = lightgbm.Dataset(NUMBERS, label=[1.0, 2, 3, 4, 5])
    settings = {"verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train({**settings, "objective": "regression"}, data, 5)
    mlflow.lightgbm.save_model(
        booster,
        str(folder),
        signature=mlflow.models.infer_signature(NUMBERS),
        pip_requirements=["mlflow-skinny", "lightgbm"],
    )


def save_onnx(folder: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    import mlflow.onnx

    kind = onnx.TensorProto.FLOAT
    x = onnx.helper.make_tensor_value_info("x", kind, [None, 2])
    y = onnx.helper.make_tensor_value_info("y", kind, [None, 3])
    weights = onnx.helper.make_tensor("w", kind, [2, 3], [0.5, -1, 2, 3, 0.25, 1])
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "linear", [x], [y], [weights])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    mlflow.onnx.save_model(
        model,
        str(folder),
        signature=_signature([_tensor("float32", (-1, 2), "x")]),
        pip_requirements=["mlflow-skinny", "onnx", "onnxruntime"],
    )


def save_typed(folder: Path) -> None:
    """A model that tells what it got: columns of every type, in the output."""

    def predict(table: Any) -> Any:
        told = {name: table[name].astype(str) for name in table.columns}
        table = table.assign(**told)
        return table.rename(columns={name: f"{name}_seen" for name in told})

    columns = [
        _column("double", "d"),
        _column("float", "f"),
        _column("long", "l"),
        _column("integer", "i"),
        _column("string", "s"),
        _column("boolean", "b"),
        _column("datetime", "t"),
        _column("double", "o", required=False),
        _column("string", "absent", required=False),
    ]
    _save(folder, predict, _signature(columns))


TYPED = pd.DataFrame(
    {
        "d": [1.5, 2.0],
        "f": np.array([0.25, 3.0], dtype="float32"),
        "l": [2**40, 5],
        "i": np.array([7, 8], dtype="int32"),
        "s": ["007", "x,y"],
        "b": [True, False],
        "t": pd.to_datetime(["2024-05-01 00:00:00", "2024-05-02 03:04:05"]).astype("datetime64[ns]"),
        "o": [None, 4.5],
        "extra": [1, 2],
    }
)


def typed_csv(path: Path) -> pd.DataFrame:
    TYPED.to_csv(path, index=False)
    return TYPED


def typed_parquet(path: Path) -> pd.DataFrame:
    TYPED.to_parquet(path)
    return TYPED


def pixels(size: tuple[int, int], mode: str) -> Any:
    from PIL import Image

    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    raw = (np.arange(width * height * bands) * 7 % 256).astype("uint8")
    return Image.frombytes(mode, size, raw.tobytes())


def image(size: tuple[int, int], as_array: Callable[[Any], Any], mode: str = "RGB") -> Callable[[Path], Any]:
    def write(path: Path) -> Any:
        pixels(size, mode).save(path)
        from PIL import Image

        with Image.open(path) as opened:
            return as_array(opened)

    return write


def rgb(opened: Any) -> Any:
    return np.asarray(opened.convert("RGB"))[np.newaxis]


def data(content: bytes) -> Callable[[Path], Any]:
    def write(path: Path) -> Any:
        path.write_bytes(content)
        return pd.DataFrame({"content": [content]})

    return write


def named_arrays(path: Path) -> Any:
    held = {"left": [[1.0, 2.0], [3.0, 4.0]], "right": [5, 6]}
    path.write_text(json.dumps(held))
    return {"left": np.array(held["left"], dtype="float32"), "right": np.array(held["right"], dtype="int64")}


def array_csv(path: Path) -> Any:
    table = pd.DataFrame([[1, 2, 3, 4], [5, 6, 7, 8.5]])
    table.to_csv(path, index=False)
    return table.to_numpy(dtype="float32")


def headless_csv(path: Path) -> Any:
    path.write_text("1,2,3,4\n5,6,7,8.5\n")
    return np.array([[1, 2, 3, 4], [5, 6, 7, 8.5]], dtype="float32")


def array_json(path: Path) -> Any:
    path.write_text("[[1, 2, 3, 4], [5, 6, 7, 8.5]]")
    return np.array([[1, 2, 3, 4], [5, 6, 7, 8.5]], dtype="float32")


def _sparse(table: Any) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(table.to_numpy(dtype="float64") > 2, dtype="float64")


MODELS: dict[str, Case] = {
    "a scikit-learn pipeline": Case(save=save_sklearn, files=tables(NUMBERS)),
    "probabilities of scikit-learn": Case(
        save=lambda folder: save_sklearn(folder, predict="predict_proba"), files={"a.csv": csv(NUMBERS)}
    ),
    "no signature": Case(
        save=lambda folder: save_sklearn(folder, with_signature=False),
        files={"a.csv": csv(NUMBERS), "b.parquet": parquet(NUMBERS)},
    ),
    "lightgbm": Case(save=save_lightgbm, files=tables(NUMBERS)),
    "onnx": Case(
        save=save_onnx,
        files={
            "a.csv": lambda path: {"x": csv(NUMBERS)(path).to_numpy(dtype="float32")},
            "b.parquet": lambda path: {"x": parquet(NUMBERS)(path).to_numpy(dtype="float32")},
        },
    ),
    "columns of every type": Case(save=save_typed, files={"a.csv": typed_csv, "b.parquet": typed_parquet}),
    "an array": Case(
        save=lambda folder: _save(
            folder, lambda array: array.sum(axis=1), _signature([_tensor("float32", (-1, 4))])
        ),
        files={"a.csv": array_csv, "b.csv": headless_csv, "c.json": array_json},
    ),
    "two arrays, and a dict of arrays": Case(
        save=lambda folder: _save(
            folder,
            lambda given: {"sum": given["left"].sum(axis=1), "both": given["left"] + given["right"][:, None]},
            _signature([_tensor("float32", (-1, 2), "left"), _tensor("int64", (-1,), "right")]),
        ),
        files={"a.json": named_arrays},
    ),
    "images, without a signature": Case(
        save=lambda folder: _save(folder, lambda array: [int(array.sum() + 1000 * array.shape[1])]),
        files={
            "a.png": image((5, 3), rgb),
            "b.BMP": image((4, 4), rgb, "L"),
            "c.gif": image((4, 2), rgb, "L"),
            "d.jpg": image((8, 8), rgb),
            "e.tiff": image((3, 3), rgb, "RGBA"),
        },
    ),
    "images of one size, channels first": Case(
        save=lambda folder: _save(
            folder,
            lambda array: array[:, :, 0, 0].astype("float64"),
            _signature([_tensor("float32", (-1, 3, 4, 6))]),
        ),
        files={
            "a.png": image((6, 4), lambda opened: rgb(opened).transpose(0, 3, 1, 2).astype("float32")),
            "b.jpeg": image(
                (12, 8),
                lambda opened: (
                    rgb(opened.convert("RGB").resize((6, 4), 2)).transpose(0, 3, 1, 2).astype("float32")
                ),
            ),
        },
    ),
    "bytes": Case(
        save=lambda folder: _save(
            folder,
            lambda table: [len(one) for one in table["content"]],
            _signature([_column("binary", "content")]),
        ),
        files={"a.png": data(b"\x00\x01"), "b.wav": data(b"RIFF...."), "c": data(b"x")},
    ),
    "a sparse matrix": Case(
        save=lambda folder: _save(
            folder, _sparse, _signature([_column("double", "length"), _column("long", "width")])
        ),
        files={"a.csv": csv(NUMBERS)},
    ),
}
"""What it is → the model and its files."""
