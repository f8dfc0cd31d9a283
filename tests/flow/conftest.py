"""What the tests of whole jobs share: folders in which commands are typed as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import Mill


@pytest.fixture
def mill(tmp_path: Path) -> Mill:
    return Mill(tmp_path)


@pytest.fixture(scope="module")
def new_mill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Mill]:
    """For fixtures of a whole module: one run that shows many facts."""
    return lambda: Mill(tmp_path_factory.mktemp("mill"))
