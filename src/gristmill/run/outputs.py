"""The outputs of a running job: rows to be put in order, files to be delivered once they are durable."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.errors import StorageError, in_words
from gristmill.faults import reach
from gristmill.run.commit import Committer
from gristmill.run.delivery import Delivery
from gristmill.run.earlier import EarlierOutput
from gristmill.run.job_folder import Job
from gristmill.run.ledger import Ledger
from gristmill.run.records import Key, PlacedPiece, PublishedFile
from gristmill.run.replay import farewells, scored_ranges
from gristmill.run.table import Table
from gristmill.run.waiting import Rows
from gristmill.spec.values import ConflictingTypes, OutputAction, OutputFormat

#: The range of what a worker leaves at its end: it belongs to no mini-batch.
AT_THE_END = Span(0, 0)
#: How long one call of `Outputs.advance` may be busy with what earlier starts had finished.
_SLICE_S = 0.004
#: Ranges that are taken between two looks at the clock.
_TAKEN_AT_ONCE = 256


class Outputs:
    """Takes outcomes as they come, and brings what they left together."""

    def __init__(
        self,
        committer: Committer,
        delivery: Delivery,
        item_count: Callable[[int], int] = lambda _: 0,
        earlier: EarlierOutput | None = None,
    ) -> None:
        """Put the collaborators together; ``item_count`` gives the number of items of a mini-batch."""
        self.committer = committer
        self.delivery = delivery
        self.earlier = earlier
        """The output that is to be replaced; None where nothing was published."""
        self._item_count = item_count
        self._undelivered: list[Scored | Farewell] = []
        self._again: Iterator[None] | None = None
        """Takes what earlier starts had finished, a range at a time."""
        self.is_behind = False
        """Whether `advance` has more to do, and should be called again soon."""

    @classmethod
    def of(
        cls,
        job: Job,
        ledger: Ledger,
        delivery: Delivery,
        item_count: Callable[[int], int],
        earlier: EarlierOutput | None = None,
        name_of: Callable[[int], str] = str,
    ) -> Outputs:
        """Begin to put the outputs of a job together.

        Parameters
        ----------
        job, ledger, delivery
            The job, what is known of it, and who delivers the files of its script.
        item_count, name_of
            Give the number of items of a mini-batch, and the name of its first file.
        earlier
            The output that they are to replace.

        Raises
        ------
        StorageError
            The output folder cannot be written.
        """
        settings = job.deployment.settings
        is_azure = settings.output_format is OutputFormat.AZURE
        committer = Committer(
            parts=job.staging / "parts",
            scratch=job.staging,
            columns=ledger.columns,
            with_header=settings.output_format is OutputFormat.CSV
            or (is_azure and settings.include_output_header),
            lines=ledger.header_lines if is_azure else None,
            shared_header=settings.shared_header,
            earlier=earlier,
            table=_table_of(job, ledger, earlier, name_of),
        )
        return cls(committer, delivery, item_count, earlier)

    def take(self, scored: Scored) -> None:
        """Take the outcome of mini-batches that returned."""
        if scored.files:
            self._undelivered.append(scored)
        where = (scored.part, scored.offset, scored.length, scored.crc, scored.header)
        self.committer.add(Rows(scored.span, *where, self._is_last(scored.span), scored.attached))

    def _take_published(self, scored: Scored) -> None:
        """Take the outcome of mini-batches whose rows are in the earlier output."""
        assert self.earlier is not None, "somebody published it"
        placed = self.earlier.places.rows.of(scored.span)
        where = (placed.offset, placed.length, placed.crc) if placed is not None else (0, 0, 0)
        attached = len(self.earlier.places.pieces.get(scored.span, ()))
        rows = Rows(scored.span, scored.part, *where, scored.header, self._is_last(scored.span))
        self.committer.add(rows._replace(attached=attached, is_published=True))

    def take_failed(self, span: Span) -> None:
        """Know that a range has no rows: it failed for good."""
        self.committer.add(Rows(span, 0, 0, 0, 0, 0, self._is_last(span)))

    def _is_last(self, span: Span) -> bool:
        return not span.items or span.first_item + span.items == self._item_count(span.first)

    def take_last(self, farewell: Farewell) -> None:
        """Take what a worker left at its end, which belongs to no range."""
        if farewell.files:
            self._undelivered.append(farewell)
        if farewell.attached:
            part, offset, attached = farewell.part, farewell.offset, farewell.attached
            self.committer.add_last(Rows(AT_THE_END, part, offset, 0, 0, 0, True, attached))

    def take_again(
        self,
        journal: Path,
        until: int,
        part_path: Callable[[int], Path],
        revoked: frozenset[Key],
        ledger: Ledger,
    ) -> None:
        """Begin to put together again what earlier starts of the job had finished; `advance` goes on with it,
        so that nobody has to wait for it.

        Parameters
        ----------
        journal, until
            What tells of it, and its length when this start began, in bytes.
        part_path
            Gives the file of a part.
        revoked
            The records that are void.
        ledger
            The state when this start began.
        """
        for first, end in ledger.failed:
            self.take_failed(Span(first, end - first))
        for span in ledger.divided.failed:
            self.take_failed(span)
        for farewell in farewells(ledger, part_path):
            if farewell.files:
                self.delivery.deliver(farewell)
            self.take_last(farewell._replace(files=0))
        self._again = self._taking_again(journal, until, revoked)

    def _taking_again(self, journal: Path, until: int, revoked: frozenset[Key]) -> Iterator[None]:
        published_at = -1
        if self.earlier is not None:
            published_at = self.earlier.places.position
            for part in self.earlier.left_at_the_end():
                self.committer.add_last(Rows(AT_THE_END, part, 0, 0, 0, 0, True, 1, True))
            for scored in scored_ranges(journal, revoked, before=published_at):
                self._take_published(scored)
                yield
        for scored in scored_ranges(journal, revoked, published_at, until):
            if scored.files:  # its outcome has been durable since before this start
                self.delivery.deliver(scored)
            self.take(scored._replace(files=0))
            yield

    def advance(self) -> None:
        """Copy what has come to the front of the plan, if there is room, for a few milliseconds.

        Raises
        ------
        JournalError
            The journal cannot be read.
        StorageError
            The disk is full, or a part is gone.
        """
        self.is_behind = False
        if (self._again is None and self.committer.is_complete) or not self.committer.has_room():
            return
        deadline = time.monotonic() + _SLICE_S
        while self._take_some_again() and time.monotonic() < deadline:
            continue
        self.committer.advance()
        self.is_behind = self._again is not None

    def catch_up(self) -> None:
        """Take all that earlier starts had finished, however long it takes: the job is about to end.

        Raises
        ------
        JournalError
            The journal cannot be read.
        StorageError
            The disk is full, or a part is gone.
        """
        while self._take_some_again():
            self.committer.advance()

    def _take_some_again(self) -> bool:
        """Take some ranges that earlier starts had finished; return whether there are more."""
        if self._again is not None and len(list(islice(self._again, _TAKEN_AT_ONCE))) < _TAKEN_AT_ONCE:
            self._again = None
        return self._again is not None

    def sync(self) -> None:
        """Make files that were set aside survive a loss of power.

        Raises
        ------
        StorageError
            The disk does not take it.
        """
        if self._undelivered:
            self.delivery.sync()

    def deliver(self) -> None:
        """Move files that were set aside: their outcomes are durable now.

        Raises
        ------
        StorageError
            The output folder is full or gone.
        """
        for outcome in self._undelivered:
            self.delivery.deliver(outcome)
        self._undelivered.clear()

    def place_appended(self, replacing: Path | None = None) -> Iterator[PublishedFile | PlacedPiece]:
        """Give the files that scripts append to their final names, and yield what the journal is to be told
        of them; safe to repeat after a crash.

        Parameters
        ----------
        replacing
            Where those are put instead that have an older one in the output; None: there is none.

        Raises
        ------
        StorageError
            The output folder is full or gone.
        """
        appended = self.committer.appended
        there = {} if self.earlier is None else self.earlier.places.by_script_name
        placed: dict[str, PublishedFile] = {}
        reach("publish.before_files")
        try:
            for file in appended.finished():
                older = there.get(file.name) if replacing is not None else None
                if replacing is None or older is None:
                    name = self.delivery.place(file.path, file.name)
                else:
                    name = older.name
                    (replacing / name).parent.mkdir(parents=True, exist_ok=True)
                    os.rename(file.path, replacing / name)
                placed[file.name] = PublishedFile(
                    name, file.size, file.crc, "" if name == file.name else file.name, file.header_bytes
                )
                reach("publish.after_file")
            placed |= appended.kept
            numbers = {name: number for number, name in enumerate(placed)}
            yield from placed.values()
            yield from appended.placed(numbers)
        except OSError as error:
            raise _not_placed(error) from error

    def place_unfinished(self) -> None:
        """Show the files that scripts append to, as far as they go, as ``<stem>.partial<suffix>``.

        Raises
        ------
        StorageError
            The output folder is full or gone.
        """
        try:
            for file in self.committer.appended.finished():
                self.delivery.place_unfinished(file.path, file.name)
        except OSError as error:
            raise _not_placed(error) from error

    def close(self) -> None:
        """Close all files; idempotent."""
        self.committer.close()
        if self.earlier is not None:
            self.earlier.close()


def _table_of(
    job: Job, ledger: Ledger, earlier: EarlierOutput | None, name_of: Callable[[int], str]
) -> Table | None:
    """Return what makes the Parquet file, where the predictions are one."""
    settings = job.deployment.settings
    is_parquet = settings.output_format is OutputFormat.PARQUET
    if not is_parquet or settings.output_action is OutputAction.SUMMARY_ONLY:
        return None
    return Table(
        ledger.columns,
        ledger.column_types,
        name_of,
        earlier.target if earlier is not None else None,
        allows_text=settings.conflicting_types is ConflictingTypes.TEXT,
    )


def _not_placed(error: OSError) -> StorageError:
    return StorageError(
        f"the files that the script appends to cannot be put together: {in_words(error)}; nothing that "
        "was finished is "
        "lost. Make room or repair the folder, then resume the job"
    )
