"""What Alembic runs: the migrations, on the connection and within the transaction that it is given.

There is no other way to run them: a catalog is always opened, and brought up to date, by `schema`.
"""

from __future__ import annotations

from alembic import context

from gristmill.catalog.schema import VERSION_TABLE
from gristmill.catalog.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
