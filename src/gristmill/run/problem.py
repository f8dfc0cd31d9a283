"""What `verify` finds wrong: which files and ranges are concerned, in words and in values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.contract import Span
from gristmill.errors import PlanError
from gristmill.plan.manifest import Manifest

#: So many problems of one kind are told one by one; of the others, how many there are.
_MOST_OF_A_KIND = 20
_MOST_NAMES = 20
_NAMES_IN_WORDS = 3


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is not in order."""

    kind: str
    """A stable word for programs; `docs/cli.md` lists them."""
    sentence: str
    """What is wrong with what, and what to do."""
    file: str | None = None
    """The file in which it is seen, an absolute path."""
    offset: int | None = None
    """The byte of that file at which it begins."""
    range: Span | None = None
    """The range of work that is concerned."""
    names: tuple[str, ...] = ()
    """The input files of that range, relative to the input folder; the first 20 of them."""


class Findings:
    """The problems that were found so far."""

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        """What names the input files of a range; None while, or where, it cannot be relied on."""
        self._problems: list[Problem] = []
        self._numbers: dict[str, int] = {}

    def add(
        self,
        kind: str,
        what: str,
        remedy: str,
        *,
        file: Path | None = None,
        offset: int | None = None,
        span: Span | None = None,
    ) -> None:
        """Take note of a problem: what is wrong, and what to do."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        if number > _MOST_OF_A_KIND:
            return
        problem = Problem(
            kind=kind,
            sentence=f"{what}; {remedy}",
            file=str(file) if file is not None else None,
            offset=offset,
            range=span,
            names=self._names(span) if span is not None else (),
        )
        self._problems.append(problem)

    def is_enough(self, kind: str) -> bool:
        """Say whether no more problems of this kind are told one by one."""
        return self._numbers.get(kind, 0) >= _MOST_OF_A_KIND

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them; at the end, how many more there are of a kind."""
        return (*self._problems, *self._more())

    def words(self, span: Span) -> str:
        """Name a range: its numbers, and the first of its files."""
        names = self._names(span)
        if self.manifest is None or not names:
            return _numbers(span)
        more = self._inputs(self.manifest, span) - _NAMES_IN_WORDS
        shown = ", ".join(names[:_NAMES_IN_WORDS]) + (f" and {more:,} more" if more > 0 else "")
        return f"{_numbers(span)} ({shown})"

    @staticmethod
    def _inputs(manifest: Manifest, span: Span) -> int:
        """Return how many files a range has, or pieces of files."""
        if manifest.cut.rows is None:
            return span.items or manifest.item_count(span.first, span.batches)
        batches = range(span.first, span.first + span.batches)
        return sum(len(manifest.inputs_of(one, span.first_item, span.items)) for one in batches)

    def _more(self) -> Iterator[Problem]:
        for kind, number in self._numbers.items():
            if number > _MOST_OF_A_KIND:
                text = f"{number - _MOST_OF_A_KIND:,} more problems of the kind {kind}"
                yield Problem(kind=kind, sentence=text)

    def _names(self, span: Span) -> tuple[str, ...]:
        names: list[str] = []
        if self.manifest is None:
            return ()
        try:
            for mini_batch in range(span.first, span.first + span.batches):
                found = self.manifest.inputs_of(mini_batch, span.first_item, span.items)
                names += [os.fsdecode(one.piece_name) for one in found[: _MOST_NAMES - len(names)]]
                if len(names) >= _MOST_NAMES:
                    break
        except PlanError:
            return ()  # it is no range of this plan
        return tuple(names)


def _numbers(span: Span) -> str:
    if span.items:
        return f"mini-batch {span.first}, items {span.first_item} to {span.first_item + span.items - 1}"
    if span.batches > 1:
        return f"mini-batches {span.first} to {span.first + span.batches - 1}"
    return f"mini-batch {span.first}"
