"""One PostgreSQL server for everything here, and places for a catalog in either database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.postgresql_server import PostgresqlServer, server
from gristmill.settings import Home, Settings

DATABASES = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where no catalog was made yet."""
    home = Home(path=tmp_path / "home")
    if request.param == "sqlite":
        return Settings(home=home)
    running: PostgresqlServer = request.getfixturevalue("postgresql")
    return Settings(home=home, catalog_url=running.url(f"fresh{next(DATABASES)}"))
