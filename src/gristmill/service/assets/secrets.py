"""Secrets of datastores: in files of their own that only their owner may read, never in rows or records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gristmill.errors import HomeError, in_words
from gristmill.service.assets.records import can_be_kept
from gristmill.settings import Settings
from gristmill.storage.publish import publish_bytes


class Secrets:
    """The secrets of one workspace in one home."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home.secrets / settings.workspace

    def keep(self, name: str, secrets: Mapping[str, str]) -> None:
        """Keep the secrets of a datastore in place of those that were there.

        Raises
        ------
        HomeError
            They cannot be written; those that were there stand.
        """
        if not secrets:
            self.forget(name)
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            publish_bytes(self._path(name), json.dumps(dict(secrets)).encode(), mode=0o600)
        except OSError as error:
            raise HomeError(
                f"the secrets of datastore {name} cannot be kept in {self._folder}: {in_words(error)}; make "
                "room, or set GRISTMILL_HOME to another folder"
            ) from error

    def of(self, name: str) -> dict[str, str]:
        """Return the secrets of a datastore; nothing where there are none.

        Raises
        ------
        HomeError
            They cannot be read.
        """
        try:
            return dict(json.loads(self._path(name).read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise HomeError(
                f"the secrets of datastore {name} cannot be read from {self._path(name)}: {in_words(error)}; "
                "give yourself access to the file, or create the datastore again"
            ) from None

    def forget(self, name: str) -> None:
        """Remove the secrets of a datastore; safe to repeat.

        Raises
        ------
        HomeError
            They cannot be removed.
        """
        if not can_be_kept(name):
            return
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"{self._path(name)} cannot be removed: {in_words(error)}; remove it") from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
