"""The tables, as they are now. They are made by the migrations; a test compares the two.

Documents are texts of JSON, so that keys keep their order on every database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
#: Counts up; never used again.
NUMBER = BigInteger().with_variant(Integer, "sqlite")

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    Column("workspace", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("modified_at", Text, nullable=False),
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("workspace", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("contents", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("modified_at", Text, nullable=False),
    ForeignKeyConstraint(
        ["workspace", "endpoint"], ["endpoints.workspace", "endpoints.name"], ondelete="CASCADE"
    ),
)

ASSETS = Table(
    "assets",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("is_archived", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("modified_at", Text, nullable=False),
    UniqueConstraint("workspace", "kind", "name", "version"),
    sqlite_autoincrement=True,
)

LABELS = Table(
    "labels",
    METADATA,
    Column("workspace", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("version", Text, nullable=False),
)

RESOURCES = Table(
    "resources",
    METADATA,
    Column("workspace", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("modified_at", Text, nullable=False),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("home", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("endpoint", Text),
    Column("deployment", Text),
    Column("experiment", Text),
    Column("idempotency_key", Text),
    Column("is_archived", Boolean, nullable=False),
    Column("starts", BigInteger, nullable=False),
    Column("summary", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text, nullable=False),
    UniqueConstraint("workspace", "name"),
    UniqueConstraint("workspace", "idempotency_key"),
    Index(None, "workspace", "created_at"),
    sqlite_autoincrement=True,
)
