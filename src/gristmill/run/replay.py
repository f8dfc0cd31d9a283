"""Replay: what the journal says, taken in before a job goes on. Of a new job it says nothing, which is why
start and resume are the same code.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.errors import StorageError, in_words
from gristmill.run.checkpoint import Checkpoint
from gristmill.run.journal import Damage, JournalReader, damage_of, read_journal
from gristmill.run.ledger import Ledger
from gristmill.run.records import Divided, FailedTry, Key, Mark, Published, Revoked, key_of
from gristmill.storage.publish import sync_file

_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class History:
    """A job's past."""

    ledger: Ledger
    size: int
    """Bytes of the journal that are whole."""
    run_ids: tuple[str, ...]
    """Marks of earlier runs, whose processes may still be about."""
    untrusted: tuple[Scored, ...]
    """Ranges recorded after the last mark: the power may have taken their rows."""
    revoked: frozenset[Key]
    """Records whose end state is void."""
    published_at: int = -1
    """Where the last word of a publication stands: the rows of what was recorded before are in the output.
    -1 where nothing was published."""
    checkpoint: Checkpoint | None = None
    """From where on it was taken in record by record; its ledger is the same one, and has gone on since."""
    damage: Damage | None = None
    """What is behind the whole bytes, and is cut off when the job goes on."""

    @property
    def has_lost_records(self) -> bool:
        """Whether records are cut off that a crash alone would not have taken: their work is done again."""
        return self.damage is not None and self.damage.groups > 0

    def notices(self, path: Path) -> tuple[str, ...]:
        """Return what the user should know of it, who goes on with the job of this journal."""
        if self.damage is None or not self.has_lost_records:
            return ()
        return (
            f"the journal {path} is damaged at byte {self.damage.position:,}: the {self.damage.records:,} "
            "records behind it cannot be relied on, and what they tell of is run again; nothing is lost. "
            "Have the disk checked",
        )

    @property
    def earlier_until(self) -> int:
        """Where the journal ends of which the rows are in an output that is being replaced; -1: nowhere."""
        is_rerun = self.ledger.earlier is not None and self.ledger.published is None
        return self.published_at if is_rerun else -1

    def without(self, void: Iterable[Revoked]) -> History:
        """Return the same past, with these records void, too."""
        keys = frozenset(map(key_of, void))
        return replace(
            self,
            revoked=self.revoked | keys,
            untrusted=tuple(scored for scored in self.untrusted if key_of(scored) not in keys),
        )


def read_history(path: Path, checkpoint: Path | None = None) -> History:
    """Read the journal of a job.

    Parameters
    ----------
    path
        The journal.
    checkpoint
        Where its state may have been kept as it was at some place, so that only what follows must be taken in
        record by record; the rest is still read, and must be what it was then.

    Raises
    ------
    JournalError
        It cannot be read, or is of another release.
    """
    kept = Checkpoint.read(checkpoint, path) if checkpoint is not None else None
    ledger = kept.ledger if kept is not None else Ledger()
    reader = JournalReader(path, kept.position if kept is not None else 0)
    untrusted: list[Scored] = []
    published_at = -1
    for entry in reader.entries():
        record = entry.record
        ledger.apply(record)
        if isinstance(record, Scored):
            untrusted.append(record)
        elif isinstance(record, Mark):
            untrusted.clear()
        elif isinstance(record, Published):
            published_at = entry.position
    return History(
        ledger=ledger,
        size=reader.position,
        run_ids=tuple(ledger.run_ids),
        untrusted=tuple(scored for scored in untrusted if key_of(scored) not in ledger.revoked),
        revoked=frozenset(ledger.revoked),
        damage=damage_of(path, reader.position),
        published_at=published_at,
        checkpoint=kept,
    )


def scored_ranges(
    path: Path, revoked: frozenset[Key], after: int = -1, before: int | None = None
) -> Iterator[Scored]:
    """Yield the scored ranges of a journal that are not void, in the order in which they were recorded.

    Parameters
    ----------
    path
        The journal.
    revoked
        The records that are void.
    after, before
        Only records that stand between these places of the journal; None: up to its end.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    for entry in read_journal(path):
        record = entry.record
        if before is not None and entry.position >= before:
            return
        if isinstance(record, Scored) and entry.position > after and key_of(record) not in revoked:
            yield record


def farewells(ledger: Ledger, part_path: Callable[[int], Path]) -> Iterator[Farewell]:
    """Yield what workers left at their ends, in the order in which it was recorded, as
    far as it is there.

    What the power took of it is gone: nobody can run the end of a worker again.
    """
    for farewell in ledger.farewells:
        part = part_path(farewell.part) if farewell.attached else None
        if part is None or _crc_of(part, farewell.offset, farewell.attached) == farewell.attached_crc:
            yield farewell
        else:
            yield farewell._replace(attached=0)


def lost_rows(
    path: Path, history: History, part_path: Callable[[int], Path], *, is_thorough: bool = False
) -> list[Revoked]:
    """Return the ranges whose rows are not what was recorded: to be run again.

    What is in an output that is being replaced is looked for there, and not here. What was recorded after the
    last mark must have its CRC. Of what was recorded before, the part must be there and long enough (somebody
    may have removed the output folder); if ``is_thorough``, with its CRC too.

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    paths = {part: part_path(part) for part in history.ledger.part_ends}
    sizes = {part: _size_of(path_of_part) for part, path_of_part in paths.items()}
    is_short = any(sizes[part] < end for part, end in history.ledger.part_ends.items())
    looked_at: Iterable[Scored] = history.untrusted
    if is_thorough or is_short:
        looked_at = scored_ranges(path, history.revoked, history.earlier_until)
    doubtful = {key_of(scored) for scored in history.untrusted}
    lost = []
    for scored in looked_at:
        if not scored.length + scored.attached:
            continue
        end = scored.offset + scored.length
        is_there = sizes[scored.part] >= end + scored.attached
        if is_there and (is_thorough or key_of(scored) in doubtful):
            is_there = (
                _crc_of(paths[scored.part], scored.offset, scored.length) == scored.crc
                and _crc_of(paths[scored.part], end, scored.attached) == scored.attached_crc
            )
        if not is_there:
            lost.append(revocation(scored))
    return lost


def sync_parts(untrusted: tuple[Scored, ...], part_path: Callable[[int], Path]) -> None:
    """Make rows durable that no mark vouches for: the next mark will.

    Raises
    ------
    StorageError
        A part cannot be synced.
    """
    for part in sorted({scored.part for scored in untrusted if scored.length + scored.attached}):
        path = part_path(part)
        try:
            if path.exists():
                sync_file(path)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be made durable: {in_words(error)}; repair the disk, then resume"
            ) from error


def short_ranges(path: Path, revoked: frozenset[Key]) -> list[Revoked]:
    """Return the ranges with fewer results than items, which a rerun replaces as a whole.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    return [revocation(scored) for scored in scored_ranges(path, revoked) if scored.succeeded < scored.total]


def cut_off(path: Path, revoked: frozenset[Key], unchanged: int) -> list[Revoked]:
    """Return the ranges at or beyond mini-batch ``unchanged``: their files are others now.

    To be used when the listing was cut off and made again.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    void: dict[Span, Revoked] = {}
    divided: set[int] = set()
    ledger = Ledger()
    for entry in read_journal(path):
        record = entry.record
        ledger.apply(record)
        if isinstance(record, Scored) and record.span.first + record.span.batches > unchanged:
            if key_of(record) not in revoked:
                void[record.span] = revocation(record)
        elif isinstance(record, FailedTry) and record.span.first >= unchanged:
            void[record.span] = Revoked(record.span, record.items, 0, 0, 0)
        elif isinstance(record, Divided) and record.span.first >= unchanged:
            divided.add(record.span.first)
        elif isinstance(record, Revoked):
            void.pop(record.span, None)

    def is_known(span: Span) -> bool:
        if span.items:
            return span in ledger.divided.failed
        return span.first in ledger.failed or span.first in ledger.attempts

    ended = [revoked for span, revoked in void.items() if revoked.part or is_known(span)]
    return [*ended, *(Revoked(Span(mini_batch), 0, 0, 0, 0) for mini_batch in sorted(divided))]


def revocation(scored: Scored) -> Revoked:
    """Return the record that makes a scored range void."""
    return Revoked(scored.span, scored.total, scored.succeeded, scored.part, scored.offset)


def _size_of(path: Path) -> int:
    """Return the size of a file in bytes, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _crc_of(path: Path, offset: int, length: int) -> int | None:
    """Return the CRC-32 of some bytes of a file, None where they are not there."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            crc = 0
            while length:
                data = file.read(min(length, _READ_BYTES))
                if not data:
                    return None
                crc = zlib.crc32(data, crc)
                length -= len(data)
            return crc
    except OSError:
        return None
