"""A folder with a script and a model in it, and a way to load deployments from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from gristmill.spec.values import Deployment

Load = Callable[..., Deployment]
Refuse = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src" / "sub").mkdir(parents=True)
    (tmp_path / "src" / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    (tmp_path / "src" / "sub" / "deep.py").write_text("def run(mini_batch): return mini_batch\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1")
    (tmp_path / "model.pkl").write_text("1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loaded(folder: Path) -> Load:
    """Load the text of a deployment; its code_configuration is written for it, on the last line."""

    def load_text(text: str, *overrides: Override, code: bool = True) -> Deployment:
        tail = "code_configuration: {code: src, scoring_script: score.py}\n" if code else ""
        (folder / "d.yml").write_text(text + tail)
        return load(Path("d.yml"), overrides)

    return load_text


@pytest.fixture
def refused(loaded: Load, folder: Path) -> Refuse:
    """Give the lines with which the text of a deployment is refused; the folder is shown as ``HERE``."""

    def problems(text: str, *overrides: Override, code: bool = True) -> list[str]:
        with pytest.raises(SpecError) as caught:
            loaded(text, *overrides, code=code)
        return [line.replace(str(folder), "HERE") for line in caught.value.problems]

    return problems
