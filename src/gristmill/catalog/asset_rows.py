"""Models, environments and data assets: versions that never change, and labels that name one of them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, select, update

from gristmill.catalog.records import AssetKind, AssetRecord, Document
from gristmill.catalog.rows import as_row, document_text, utc_now
from gristmill.catalog.tables import ASSETS, LABELS
from gristmill.catalog.workspace_rows import WorkspaceRows, first
from gristmill.errors import ResourceStateError, UnknownResourceError

LATEST = "latest"


class AssetRows(WorkspaceRows):
    """What is done with assets."""

    def add_asset(
        self, kind: AssetKind, name: str, version: str, document: Document, content: str
    ) -> tuple[AssetRecord, bool]:
        """Make a version of an asset, unless it is there already; safe to repeat.

        Parameters
        ----------
        kind, name, version
            The asset. Which version is the next one is for the caller to say.
        document
            What is said of it; what is there already keeps its own.
        content
            The fingerprint.

        Returns
        -------
        tuple of AssetRecord and bool
            The version, and whether it was made now.

        Raises
        ------
        ResourceStateError
            There is such a version, and it holds something else.
        """

        def work(connection: Connection) -> tuple[AssetRecord, bool]:
            there = self._version(connection, kind, name, version)
            if there is not None and there.content != content:
                raise ResourceStateError(
                    f"version {version} of {kind} {name} is there already and holds something else; a "
                    "version never changes: give another, or leave the version out for the next one"
                )
            if there is not None:
                return there, False
            now = utc_now()
            made = AssetRecord(
                kind=kind,
                name=name,
                version=version,
                document=document,
                content=content,
                created_at=now,
                modified_at=now,
            )
            connection.execute(insert(ASSETS).values(workspace=self.workspace, **as_row(made)))
            return made, True

        return self._write(work)

    def asset(self, kind: AssetKind, name: str, version: str) -> AssetRecord | None:
        """Return a version of an asset, if there is one; also one that is archived."""
        return self._read(lambda connection: self._version(connection, kind, name, version))

    def latest(self, kind: AssetKind, name: str) -> AssetRecord | None:
        """Return the version that was made last and is not archived, if there is one."""
        chosen = _newest_first(self._is_asset(kind, name)).where(ASSETS.c.is_archived.is_(False))
        return self._found(AssetRecord, chosen)

    def labelled(self, kind: AssetKind, name: str, label: str) -> AssetRecord | None:
        """Return the version that a label names, if there is one; ``latest`` is always there."""
        if label == LATEST:
            return self.latest(kind, name)
        named = select(LABELS.c.version).where(self._is_label(kind, name, label)).scalar_subquery()
        return self._found(
            AssetRecord, select(ASSETS).where(self._is_asset(kind, name), ASSETS.c.version == named)
        )

    def assets(
        self, kind: AssetKind, name: str | None = None, archived: bool | None = False
    ) -> list[AssetRecord]:
        """Return versions, the one that was made last first.

        Parameters
        ----------
        kind, name
            The asset; None: all of this kind.
        archived
            Whether those that are archived are meant, and no others; None: all.
        """
        chosen = _newest_first(self._is_asset(kind, name))
        return self._listed(
            AssetRecord, chosen if archived is None else chosen.where(ASSETS.c.is_archived.is_(archived))
        )

    def update_asset(self, kind: AssetKind, name: str, version: str, document: Document) -> AssetRecord:
        """Replace what is said of a version; its content stays.

        Raises
        ------
        UnknownResourceError
            There is no such version.
        """

        def work(connection: Connection) -> AssetRecord:
            there = self._known_asset(connection, kind, name, version)
            changed = replace(there, document=document, modified_at=utc_now())
            values = {"document": document_text(document), "modified_at": changed.modified_at}
            connection.execute(update(ASSETS).where(self._is_asset(kind, name, version)).values(**values))
            return changed

        return self._write(work)

    def archive_asset(self, kind: AssetKind, name: str, version: str | None, archived: bool) -> int:
        """Archive a version, or all of an asset, or bring them back.

        Returns
        -------
        int
            How many versions are meant, whether they were so before or not.

        Raises
        ------
        UnknownResourceError
            There is none.
        """

        def work(connection: Connection) -> int:
            meant = connection.execute(
                update(ASSETS)
                .where(self._is_asset(kind, name, version))
                .values(is_archived=archived, modified_at=utc_now())
            ).rowcount
            if not meant:
                raise _unknown(kind, name, version)
            return meant

        return self._write(work)

    def set_label(self, kind: AssetKind, name: str, label: str, version: str) -> None:
        """Let a label name a version, and no other of this asset.

        Raises
        ------
        UnknownResourceError
            There is no such version.
        ResourceStateError
            It is the label that always names the version that was made last.
        """
        if label == LATEST:
            raise ResourceStateError(
                f"the label {LATEST} always names the version that was made last; take another"
            )

        def work(connection: Connection) -> None:
            self._known_asset(connection, kind, name, version)
            chosen = self._is_label(kind, name, label)
            if not connection.execute(update(LABELS).where(chosen).values(version=version)).rowcount:
                keys = {"workspace": self.workspace, "kind": kind, "name": name, "label": label}
                connection.execute(insert(LABELS).values(**keys, version=version))

        self._write(work)

    def labels(self, kind: AssetKind, name: str) -> dict[str, str]:
        """Return the labels of an asset, each with the version that it names; without ``latest``."""
        chosen = select(LABELS.c.label, LABELS.c.version).where(self._is_label(kind, name, None))
        return self._read(lambda connection: {row.label: row.version for row in connection.execute(chosen)})

    def _version(
        self, connection: Connection, kind: AssetKind, name: str, version: str
    ) -> AssetRecord | None:
        return first(AssetRecord, connection, select(ASSETS).where(self._is_asset(kind, name, version)))

    def _known_asset(self, connection: Connection, kind: AssetKind, name: str, version: str) -> AssetRecord:
        found = self._version(connection, kind, name, version)
        if found is None:
            raise _unknown(kind, name, version)
        return found

    def _is_asset(
        self, kind: AssetKind, name: str | None = None, version: str | None = None
    ) -> ColumnElement[bool]:
        chosen = and_(ASSETS.c.workspace == self.workspace, ASSETS.c.kind == kind)
        if name is not None:
            chosen = and_(chosen, ASSETS.c.name == name)
        return chosen if version is None else and_(chosen, ASSETS.c.version == version)

    def _is_label(self, kind: AssetKind, name: str, label: str | None) -> ColumnElement[bool]:
        chosen = and_(LABELS.c.workspace == self.workspace, LABELS.c.kind == kind, LABELS.c.name == name)
        return chosen if label is None else and_(chosen, LABELS.c.label == label)


def _newest_first(chosen: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return select(ASSETS).where(chosen).order_by(ASSETS.c.id.desc())


def _unknown(kind: AssetKind, name: str, version: str | None) -> UnknownResourceError:
    which = f"version {version} of the {kind}" if version is not None else kind
    return UnknownResourceError(
        f"there is no {which} called {name}; gristmill {kind} list names those that are"
    )
