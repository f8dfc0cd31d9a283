"""The example of two Pythons: its page as typed, with packages from the registry of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.clone import TEXT_BLOCK, new_clone, page, type_page
from gristmill.errors import BuildError, InterpreterError
from gristmill.service.environments import build_environment
from gristmill.settings import Home

EXAMPLE = "two-pythons"


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A copy of the examples in which every command of the page was typed, and what they printed.

    Skips where this machine has no registry that answers, or not these Pythons.
    """
    clone = new_clone(tmp_path_factory.mktemp("two-pythons"))
    home = Path.home()
    with pytest.MonkeyPatch.context() as patch:
        # The page is typed in another home; what uv has fetched and pyenv has installed stays where it is.
        patch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(home / ".cache" / "uv"))
        patch.setenv("PYENV_ROOT", os.environ.get("PYENV_ROOT") or str(home / ".pyenv"))
        for name in ("deployment.yml", "deployment-old.yml"):
            file = clone / "examples" / EXAMPLE / name
            try:
                build_environment(file, Home(path=clone / ".gristmill"), print, offline=False)
            except (BuildError, InterpreterError) as error:
                if "the registry does not answer" not in str(error) and "no such Python" not in str(error):
                    raise
                pytest.skip(f"{name}: {str(error).splitlines()[0]}")
        yield clone, type_page(clone, EXAMPLE)


def test_page_shows_what_is_printed(prices: tuple[Path, str]) -> None:
    clone, printed = prices

    (rows,) = TEXT_BLOCK.findall(page(clone, EXAMPLE))
    assert rows in printed


def test_both_environments_hold_what_their_files_list(prices: tuple[Path, str]) -> None:
    clone, _ = prices
    records = [path.read_text() for path in (clone / ".gristmill/environments").glob("*/environment.json")]

    assert sorted('"pandas==1.5.3"' in record for record in records) == [False, True]
    assert sorted('"pandas==2.2.3"' in record for record in records) == [False, True]
    assert [record for record in records if "azureml" in record] == []
