"""The same frames give the same bytes, whatever pandas the script's environment has (1.1, 1.5).

The oldest pandas is compared in every run; the others take a download each, and are compared under `--all`.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gristmill_worker
from worker.pandas_environments import ENVIRONMENTS, python_with
from worker.test_rows import GOLDEN_BYTES

SOURCES = Path(gristmill_worker.__path__[0]).parent
PROGRAM = Path(__file__).with_name("odd_frames.py")

BEFORE_1_5 = {"pandas 1.1"}
WITH_NUMPY_1 = {"pandas 1.1", "pandas 1.5", "pandas 2.0", "pandas 1.5 and pyarrow 6"}
WITH_ARROW = {name for name in ENVIRONMENTS if "pyarrow" in name}
BEFORE_3_1 = set(ENVIRONMENTS)

# The honest exceptions: frames whose values another pandas or numpy prints otherwise, and as what.
OTHERWISE = {
    "large single floats": (WITH_NUMPY_1, "16777216.0, and not 1.6777216e+07, which numpy 2 makes of it"),
    "decimals": (BEFORE_1_5, "Decimal('NaN') as NaN, and not as missing"),
    "categories of dates": (BEFORE_1_5, "nanoseconds since 1970, and not dates"),
    "dates with a zone": (BEFORE_3_1, "each as short as it can be, and not all with the same decimals"),
    "spans of time down to nanoseconds": (BEFORE_3_1, "each as short as it can be, as dates with a zone"),
}


@functools.cache
def told_by(python: Path) -> dict[str, Any]:
    """Return what the worker makes of the odd frames in an environment, and the version of its pandas."""
    command = [python, "-I", "-B", "-W", "ignore", PROGRAM, SOURCES]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert isinstance(told, dict)
    return told


def here() -> dict[str, Any]:
    return told_by(Path(sys.executable))["rows"]


def test_every_odd_frame_is_written_in_both_formats() -> None:
    assert len(here()) == 52
    assert {name: rows for name, rows in here().items() if isinstance(rows, str)} == {}
    assert bytes.fromhex(here()["golden"]["azure"][0]) == GOLDEN_BYTES


def test_arrow_writes_most_odd_frames_as_pandas_does_and_leaves_the_others() -> None:
    written, differing = told_by(Path(sys.executable))["by arrow"]
    assert differing == []
    assert written == 5 * 23


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "pandas 1.1" else pytest.mark.slow, id=name.replace(" ", "-"))
        for name in ENVIRONMENTS
    ],
)
def test_another_pandas_writes_the_same_bytes(name: str) -> None:
    told = told_by(python_with(name))

    assert told["pandas"].startswith(name.split()[1] + ".")
    assert told["rows"].keys() == here().keys()
    differing = {frame for frame, rows in told["rows"].items() if rows != here()[frame]}
    assert told["by arrow"][1] == []
    assert told["by arrow"][0] == (5 * 23 if name in WITH_ARROW else 0)
    assert differing == {frame for frame, (environments, _) in OTHERWISE.items() if name in environments}


def test_golden_vector_is_no_exception() -> None:
    assert "golden" not in OTHERWISE
    assert OTHERWISE.keys() <= here().keys()
