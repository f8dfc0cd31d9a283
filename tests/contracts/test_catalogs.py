"""The one suite on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("contracts.catalog_suite")

from contracts.catalog_suite import CatalogSuite  # noqa: E402  # after the line that makes its asserts speak
from contracts.postgresql_server import PostgresqlServer  # noqa: E402
from gristmill.catalog.opening import open_catalog  # noqa: E402
from gristmill.catalog.store import Catalog  # noqa: E402
from gristmill.settings import Home, Settings  # noqa: E402

WORKSPACES = itertools.count()


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with open_catalog(Settings(home=Home(path=tmp_path_factory.mktemp("home")))) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def in_postgresql(
    postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Catalog]:
    home = Home(path=tmp_path_factory.mktemp("home"))
    with open_catalog(Settings(home=home, catalog_url=postgresql.url("suite"))) as catalog:
        yield catalog


class TestSqlite(CatalogSuite):
    @pytest.fixture
    def catalog(self, in_sqlite: Catalog) -> Catalog:
        return in_sqlite.in_workspace(f"w{next(WORKSPACES)}")


class TestPostgresql(CatalogSuite):
    @pytest.fixture
    def catalog(self, in_postgresql: Catalog) -> Catalog:
        return in_postgresql.in_workspace(f"w{next(WORKSPACES)}")
