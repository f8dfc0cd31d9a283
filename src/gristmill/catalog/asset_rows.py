"""Models, environments and data assets: versions that never change, and labels that name one of them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select, update

from gristmill.catalog.records import AssetKind, AssetRecord, Document
from gristmill.catalog.rows import as_row, document_text, utc_now
from gristmill.catalog.tables import ASSETS, LABELS
from gristmill.catalog.workspace_rows import WorkspaceRows, first
from gristmill.errors import ResourceStateError, UnknownResourceError

LATEST = "latest"
#: Longer ones are names, not numbers.
_MOST_DIGITS = 18


class AssetRows(WorkspaceRows):
    """What is done with assets."""

    def add_asset(
        self, kind: AssetKind, name: str, version: str | None, document: Document, content: str
    ) -> tuple[AssetRecord, bool]:
        """Make a version of an asset, unless its content is there already.

        Parameters
        ----------
        kind, name
            The asset.
        version
            None: the newest version of the same content that is not archived, else the next whole number.
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
            there = self._same_asset(connection, kind, name, version, content)
            if there is not None:
                return there, False
            now = utc_now()
            made = AssetRecord(
                kind=kind,
                name=name,
                version=self._next_version(connection, kind, name) if version is None else version,
                document=document,
                content=content,
                created_at=now,
                modified_at=now,
            )
            self._insert_asset(connection, made)
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

    def _same_asset(
        self, connection: Connection, kind: AssetKind, name: str, version: str | None, content: str
    ) -> AssetRecord | None:
        """Return the version that holds what is to be added, if there is one."""
        if version is None:
            chosen = _newest_first(self._is_asset(kind, name))
            alike = chosen.where(ASSETS.c.content == content, ASSETS.c.is_archived.is_(False))
            return first(AssetRecord, connection, alike)
        there = self._version(connection, kind, name, version)
        if there is not None and there.content != content:
            raise ResourceStateError(
                f"version {version} of {kind} {name} is there already and holds something else; a version "
                "never changes: give another, or leave the version out for the next one"
            )
        return there

    def _next_version(self, connection: Connection, kind: AssetKind, name: str) -> str:
        highest = connection.execute(
            select(func.max(ASSETS.c.number)).where(self._is_asset(kind, name))
        ).scalar()
        return str((highest or 0) + 1)

    def _insert_asset(self, connection: Connection, record: AssetRecord) -> None:
        values = {"workspace": self.workspace, "number": number_of(record.version), **as_row(record)}
        connection.execute(insert(ASSETS).values(**values))

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


def number_of(version: str) -> int | None:
    """Return a version as a number, if it is one that counting up could reach."""
    is_number = version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS
    return int(version) if is_number and str(int(version)) == version else None


def _unknown(kind: AssetKind, name: str, version: str | None) -> UnknownResourceError:
    which = f"version {version} of a {kind}" if version is not None else kind
    return UnknownResourceError(
        f"there is no {which} called {name}; gristmill {kind} list names those that are"
    )
