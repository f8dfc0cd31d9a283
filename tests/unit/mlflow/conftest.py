"""The script that scores with MLflow models, as a worker imports it, and signatures that need no MLflow."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gristmill.spec.generated import FOLDER


@pytest.fixture(scope="session", autouse=True)
def _importable() -> Iterator[None]:
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="session")
def columns() -> ModuleType:
    return importlib.import_module("mlflow_columns")


@pytest.fixture(scope="session")
def images() -> ModuleType:
    return importlib.import_module("mlflow_images")


@pytest.fixture(scope="session")
def score() -> ModuleType:
    return importlib.import_module("mlflow_score")


class Schema:
    """Speaks as ``mlflow.types.Schema`` does."""

    def __init__(self, inputs: list[Any], *, is_tensor: bool) -> None:
        self.inputs = inputs
        self._is_tensor = is_tensor

    def is_tensor_spec(self) -> bool:
        return self._is_tensor

    def has_input_names(self) -> bool:
        return all(one.name is not None for one in self.inputs)


def column(kind: str, name: str | None = "a", *, required: bool = True) -> Any:
    return SimpleNamespace(name=name, type=SimpleNamespace(name=kind), required=required)


def tensor(kind: str, *shape: int, name: str | None = None) -> Any:
    return SimpleNamespace(name=name, type=np.dtype(kind), shape=shape)


@pytest.fixture(scope="session")
def reader() -> Callable[..., Any]:
    """Make a reader for a signature: columns, arrays, or none."""
    module = importlib.import_module("mlflow_inputs")

    def make(*inputs: Any, chunk_rows: int = 100, large_bytes: int = 1 << 30) -> Any:
        schema = Schema(list(inputs), is_tensor=hasattr(inputs[0], "shape")) if inputs else None
        return module.Reader(schema, chunk_rows, large_bytes)

    return make
