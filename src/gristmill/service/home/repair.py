"""A home put in order: what crashes have left is removed, a catalog that was lost is made anew.

Safe at any moment, and twice in a row: what somebody uses is held, or young, and left alone; every step is
one that other processes may do at the same time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gristmill.errors import GristmillError
from gristmill.service.home.damage import notice_damage
from gristmill.service.home.keeping import keep_missing_records
from gristmill.service.home.leftovers import (
    remove_half_contents,
    remove_half_jobs,
    remove_temporary_files,
    remove_unused_contents,
)
from gristmill.service.home.rebuilding import index_jobs, put_back_records
from gristmill.settings import Settings

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What was done to a home."""

    done: tuple[str, ...]
    """A sentence each; none where all was in order."""
    notices: tuple[str, ...]
    """What was found and left as it is."""
    problem: str | None
    """Why it was not done to its end."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return asdict(self)


def repair(settings: Settings) -> Repaired:
    """Put a home in order.

    Parameters
    ----------
    settings
        Which home, and where its catalog is.

    Returns
    -------
    Repaired
        Its problem is a catalog that cannot be opened, for another reason than damage: then nothing is
        removed that it may name.
    """
    done: list[str] = []
    notices: list[str] = []
    problem = None
    if settings.home.path.is_dir():
        remove_half_jobs(settings.home, done.append, notices.append)
        remove_temporary_files(settings.home, done.append)
        remove_half_contents(settings.home, done.append)
        try:
            with _catalog(settings, done) as catalog:
                put_back_records(settings, catalog, done.append, notices.append)
                keep_missing_records(settings, catalog, done.append)
                index_jobs(settings, catalog, done.append)
                notice_damage(settings, catalog, notices.append)
                remove_unused_contents(settings.home, catalog, done.append)
        except GristmillError as error:
            problem = str(error)
    return Repaired(done=tuple(done), notices=tuple(notices), problem=problem)


def _catalog(settings: Settings, done: list[str]) -> Catalog:
    from gristmill.catalog.opening import reopen_catalog  # with the database, which takes a while

    was_there = settings.catalog_url is not None or settings.home.catalog.exists()
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    catalog, aside = reopen_catalog(settings, f"catalog.damaged-{now}.db")
    if aside is not None:
        done.append(f"the catalog was damaged, and is made anew; the old file is kept as {aside}")
    elif not was_there:
        done.append("the catalog was missing, and is made anew")
    return catalog
