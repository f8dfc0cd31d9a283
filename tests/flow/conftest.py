"""What the tests of whole jobs share: folders in which commands are typed as a user types them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from flow.mill import Mill
from gristmill.spec.generated import FOLDER


@pytest.fixture
def mill(tmp_path: Path) -> Mill:
    return Mill(tmp_path)


@pytest.fixture(scope="module")
def new_mill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Mill]:
    """For fixtures of a whole module: one run that shows many facts."""
    return lambda: Mill(tmp_path_factory.mktemp("mill"))


@pytest.fixture(scope="session")
def scoring() -> Iterator[ModuleType]:
    """The script that scores with MLflow models, imported as a worker imports it."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("mlflow_score")
    finally:
        sys.path.remove(str(FOLDER))
