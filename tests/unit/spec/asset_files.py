"""Ways to load the files beside a deployment from their text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import SpecError
from gristmill.spec import assets
from gristmill.spec.overrides import Override

LOADERS: dict[str, Callable[..., Any]] = {
    "endpoint": assets.load_endpoint,
    "model": assets.load_model,
    "environment": assets.load_environment,
    "data": assets.load_data,
    "datastore": assets.load_datastore,
    "compute": assets.load_compute,
    "inputs": assets.load_invoke,
}


def loaded(folder: Path, kind: str, text: str, *overrides: Override) -> Any:
    """Load the text of a file of this kind, from the current folder."""
    (folder / "f.yml").write_text(text)
    return LOADERS[kind](Path("f.yml"), overrides)


def refused(folder: Path, kind: str, text: str, *overrides: Override) -> list[str]:
    """Give the lines with which the text is refused; the folder is shown as ``HERE``."""
    with pytest.raises(SpecError) as caught:
        loaded(folder, kind, text, *overrides)
    return [line.replace(str(folder), "HERE") for line in caught.value.problems]
