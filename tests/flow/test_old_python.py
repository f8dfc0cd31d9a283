"""A script on the oldest Python of this machine, with libraries older than the host's, from the registry."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from flow.mill import Mill
from flow.test_environments import OLDEST, version_of

SCRIPT = """
import importlib.util
import json
import sys
import pandas as pd
import sklearn
from sklearn.linear_model import LinearRegression

def init():
    global model
    model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])

def run(mini_batch):
    results = []
    for path in mini_batch:
        table = pd.read_csv(path)
        seen = {
            "python": list(sys.version_info[:3]),
            "versions": [pd.__version__, sklearn.__version__],
            "host": [name for name in ("gristmill", "pydantic", "mlflow") if importlib.util.find_spec(name)],
            "predicted": [round(float(one), 6) for one in model.predict(table[["x"]].values)],
        }
        results.append(json.dumps(seen))
    return results
"""


def parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


@pytest.mark.slow  # some 60 MB from the registry, where uv has not fetched them before
def test_script_of_an_old_python_scores_with_old_libraries(mill: Mill) -> None:
    major, minor, patch = version_of(OLDEST)
    mill.write("in/a.csv", "x\n3\n4\n")
    mill.script(SCRIPT)
    mill.write(
        "conda.yaml",
        f"name: old\ndependencies: [python={major}.{minor}, pip,"
        " pip: [pandas<2.1, scikit-learn<1.4, numpy<2]]\n",
    )
    mill.deployment("", "environment: {conda_file: conda.yaml}")
    ended = mill.run(UV_CACHE_DIR=str(Path.home() / ".cache" / "uv"))
    if "the registry does not answer" in ended.err:
        pytest.skip("old libraries: no package registry answers here")

    assert ended.status == 0, ended.err
    (row,) = map(json.loads, mill.bytes().decode().splitlines())
    assert (row["python"], row["host"], row["predicted"]) == ([major, minor, patch], [], [7.0, 9.0])
    hosts = [importlib.metadata.version(name) for name in ("pandas", "scikit-learn")]
    assert [parts(old) < parts(new) for old, new in zip(row["versions"], hosts, strict=True)] == [True, True]
