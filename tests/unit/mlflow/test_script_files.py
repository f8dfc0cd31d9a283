"""The script's files stand alone: they import the standard library, each other, and the rest if needed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from gristmill.spec.generated import FOLDER, SCRIPT

FILES = sorted(FOLDER.glob("*.py"))
SIBLINGS = {path.stem for path in FILES}


def modules(nodes: list[ast.stmt] | list[ast.AST]) -> set[str]:
    """Return the first names of what is imported."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_but_the_standard_library_is_imported_at_once(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))

    assert modules(tree.body) - SIBLINGS <= set(sys.stdlib_module_names)
    others = modules(list(ast.walk(tree))) - SIBLINGS - set(sys.stdlib_module_names)
    assert others <= {"mlflow", "numpy", "pandas"}


def test_names_of_the_files_hide_no_module_that_a_model_may_import() -> None:
    assert SCRIPT in {path.name for path in FILES}
    assert {path.stem.partition("_")[0] for path in FILES} == {"mlflow"}
    assert "mlflow" not in SIBLINGS
