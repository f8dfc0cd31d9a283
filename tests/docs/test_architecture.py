"""The page of the architecture names every room."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
#: These are named as a group there.
GROUPS = (
    "gristmill/cli/",
    "gristmill/catalog/migrations/",
    "gristmill/service/script/",
    "gristmill/mlflow/script/",
    "azureml_user/",
)


def test_the_page_of_the_architecture_names_every_module() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    modules = [path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.py")]
    assert len(modules) > 200
    missing = [
        str(path)
        for path in modules
        if path.stem not in named
        and not path.stem.startswith("__")
        and not str(path).startswith(GROUPS)
        and "script_templates" not in path.parts
    ]
    assert missing == []
