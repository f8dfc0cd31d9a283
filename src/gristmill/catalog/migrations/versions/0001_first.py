"""The first tables: endpoints, deployments, assets with labels, resources, jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    _endpoints()
    _assets()
    _jobs()


def _text(name: str, *, is_key: bool = False, may_be_null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=is_key, nullable=may_be_null)


def _endpoints() -> None:
    op.create_table(
        "endpoints",
        _text("workspace"),
        _text("name"),
        _text("document"),
        _text("created_at"),
        _text("modified_at"),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_endpoints"),
    )
    op.create_table(
        "deployments",
        _text("workspace"),
        _text("endpoint"),
        _text("name"),
        _text("document"),
        _text("contents"),
        sa.Column("revision", sa.BigInteger, nullable=False),
        _text("created_at"),
        _text("modified_at"),
        sa.PrimaryKeyConstraint("workspace", "endpoint", "name", name="pk_deployments"),
        sa.ForeignKeyConstraint(
            ["workspace", "endpoint"],
            ["endpoints.workspace", "endpoints.name"],
            name="fk_deployments_endpoints",
            ondelete="CASCADE",
        ),
    )


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("id", _NUMBER, nullable=False),
        _text("workspace"),
        _text("kind"),
        _text("name"),
        _text("version"),
        _text("document"),
        _text("content"),
        sa.Column("is_archived", sa.Boolean, nullable=False),
        _text("created_at"),
        _text("modified_at"),
        sa.PrimaryKeyConstraint("id", name="pk_assets"),
        sa.UniqueConstraint(
            "workspace", "kind", "name", "version", name="uq_assets_workspace_kind_name_version"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "labels",
        _text("workspace"),
        _text("kind"),
        _text("name"),
        _text("label"),
        _text("version"),
        sa.PrimaryKeyConstraint("workspace", "kind", "name", "label", name="pk_labels"),
    )
    op.create_table(
        "resources",
        _text("workspace"),
        _text("kind"),
        _text("name"),
        _text("document"),
        _text("created_at"),
        _text("modified_at"),
        sa.PrimaryKeyConstraint("workspace", "kind", "name", name="pk_resources"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _NUMBER, nullable=False),
        _text("workspace"),
        _text("name"),
        _text("home"),
        _text("status"),
        sa.Column("priority", sa.BigInteger, nullable=False),
        _text("endpoint", may_be_null=True),
        _text("deployment", may_be_null=True),
        _text("experiment", may_be_null=True),
        _text("idempotency_key", may_be_null=True),
        sa.Column("is_archived", sa.Boolean, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
        _text("summary"),
        _text("created_at"),
        _text("started_at"),
        _text("ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("workspace", "name", name="uq_jobs_workspace_name"),
        sa.UniqueConstraint("workspace", "idempotency_key", name="uq_jobs_workspace_idempotency_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_workspace_created_at", "jobs", ["workspace", "created_at"])
