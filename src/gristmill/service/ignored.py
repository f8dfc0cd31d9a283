"""What is left out of a copy of the code: by ``.amlignore``, else by ``.gitignore`` files, as git reads them.

The patterns are pathspec's. Which of them decides is settled here, entry by entry on the way down, as git
does it: the last pattern that matches the entry itself. What an ignored folder holds is never asked about.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from gristmill.errors import RequestError

AMLIGNORE = ".amlignore"
GITIGNORE = ".gitignore"

_Pattern = tuple[re.Pattern[str], bool]
"""What it matches, and whether that is ignored (else it is taken back)."""


class Ignored:
    """The ignore rules of a code folder."""

    def __init__(self, folder: Path) -> None:
        """Find out which kind of rules a folder has.

        Parameters
        ----------
        folder
            The code folder. With an ``.amlignore`` only that counts, else every ``.gitignore`` on the way.
        """
        self._folder = str(folder)
        self.file_name = AMLIGNORE if (folder / AMLIGNORE).is_file() else GITIGNORE
        self._rules: dict[str, list[_Pattern]] = {}

    def __contains__(self, entry: tuple[str, bool]) -> bool:
        """Say whether an entry, as (relative path, whether it is a folder), is ignored.

        Raises
        ------
        RequestError
            An ignore file cannot be read.
        """
        relative, is_folder = entry
        parts = relative.split("/")
        for depth in range(len(parts) - 1, -1, -1):
            rules = self._rules_in("/".join(parts[:depth]))
            decision = _decision(rules, "/".join(parts[depth:]), is_folder) if rules else None
            if decision is not None:
                return decision
        return False

    def _rules_in(self, relative: str) -> list[_Pattern]:
        rules = self._rules.get(relative)
        if rules is None:
            rules = []
            if not relative or self.file_name == GITIGNORE:
                rules = _read(os.path.join(self._folder, relative, self.file_name))
            self._rules[relative] = rules
        return rules


def _decision(rules: list[_Pattern], path: str, is_folder: bool) -> bool | None:
    for pattern, is_ignored in reversed(rules):
        if _matches(pattern, path, is_folder):
            return is_ignored
    return None


def _matches(pattern: re.Pattern[str], path: str, is_folder: bool) -> bool:
    """Say whether a pattern matches an entry itself, not only a folder above it.

    pathspec's expressions have one group: the slash after the folder that matched, where one did.
    """
    found = pattern.search(path)
    if found is not None and found.lastindex is None:
        return True
    if not is_folder:
        return False
    return any(m.lastindex and m.end(m.lastindex) == len(path) + 1 for m in pattern.finditer(f"{path}/"))


def _read(path: str) -> list[_Pattern]:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except (FileNotFoundError, IsADirectoryError):
        return []
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}; give yourself access to it") from error
    from pathspec import GitIgnoreSpec  # only now: most folders have no such file

    rules: list[_Pattern] = []
    for line in lines:
        try:
            patterns = GitIgnoreSpec.from_lines([line.removesuffix("\r")]).patterns
        except ValueError:
            continue  # for git, too, what is no pattern matches nothing
        rules += [(one.regex, one.include) for one in patterns if one.regex and one.include is not None]
    return rules
