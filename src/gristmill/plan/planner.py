"""The planner lists the input and writes the manifest, a few milliseconds at a time.

Listing overlaps with everything else: each `step` leaves more mini-batches on disk, ready to be read. A
planner that finds a complete manifest has nothing to do; one that finds an unfinished manifest starts
over and tells how much of the old one still holds. It must not know what the mini-batches are for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path

from gristmill.errors import InputError, PlanError
from gristmill.plan.batches import Ends
from gristmill.plan.comparison import Changes, differences
from gristmill.plan.cut import Cut
from gristmill.plan.draft import ManifestDraft
from gristmill.plan.extension import extend, undo_unfinished
from gristmill.plan.input_list import InputList
from gristmill.plan.layout import PLAN
from gristmill.plan.listing import Listing
from gristmill.plan.manifest import Manifest
from gristmill.plan.previous import PreviousManifest
from gristmill.plan.row_counting import RowSplit
from gristmill.plan.row_splitting import RowSplitter
from gristmill.plan.sample import Sample, Source
from gristmill.plan.selection import BY_PATTERN, NOT_INCLUDED, Selection

FLUSH_BYTES = 256 * 1024
"""Bytes of paths that are held back at most within one step."""


class Planner:
    """Makes the manifest of one input.

    Parameters
    ----------
    root
        The input: a folder, or a single file.
    folder
        Where the manifest is written; it is created where it is missing, and never listed itself.
    mini_batch_size
        Files per mini-batch, at least 1; None: any number, where the size in bytes is what counts.
    mini_batch_bytes
        Bytes per mini-batch, except that a larger file is alone; None: any number, and no file is asked for
        its size.
    row_split
        How tabular files are split by rows, and so a row is an item; None: a file is.
    recursive
        Whether sub-folders are searched.
    include_hidden
        Whether hidden files and markers such as ``_SUCCESS`` are listed too.
    exclude
        Folders that are passed over where they lie below the root; they need not exist.
    include_patterns, exclude_patterns
        What files have to match, and what files and folders must not (see `gristmill.spec.patterns`).
    input_list
        A file that names what is to be done (see `input_list`), in place of a search below the root.
    limit
        How many files are wanted, spread over all of these; None: all.

    Raises
    ------
    InputError
        When there is no such input or input list, or a pattern has no meaning.
    PlanError
        When the folder cannot be written, or holds a damaged manifest, or a complete one that was cut
        in another way.
    """

    def __init__(
        self,
        *,
        root: Path,
        folder: Path,
        mini_batch_size: int | None,
        mini_batch_bytes: int | None = None,
        row_split: RowSplit | None = None,
        recursive: bool = True,
        include_hidden: bool = False,
        exclude: Collection[Path] = (),
        include_patterns: Sequence[str] = (),
        exclude_patterns: Sequence[str] = (),
        input_list: Path | None = None,
        original_list: Path | None = None,
        limit: int | None = None,
    ) -> None:
        self._folder = folder
        self._draft: ManifestDraft | None = None
        self._failure: Exception | None = None
        self.complete: bool = False
        """Whether all mini-batches are on disk, durably."""
        self._cut = cut = Cut(files=mini_batch_size, bytes=mini_batch_bytes, rows=row_split)
        own = [*exclude, folder]

        def source() -> Listing | InputList | Sample:
            chosen = bool(include_patterns or exclude_patterns)
            selection = Selection(include_patterns, exclude_patterns) if chosen else None
            found: Listing | InputList
            if input_list is not None:
                found = InputList(
                    root, input_list, scratch=folder, exclude=own, selection=selection, original=original_list
                )
            else:
                found = Listing(
                    root,
                    scratch=folder,
                    recursive=recursive,
                    include_hidden=include_hidden,
                    exclude=own,
                    selection=selection,
                )
            return found if limit is None else Sample(found, limit)

        self._source: Callable[[], Source] = source
        if (folder / PLAN).exists():
            self._open_complete()
            return
        self._listing = source()
        self._splitter = RowSplitter(self._listing.root, row_split) if row_split is not None else None
        self._cutter = cut.cutter(self._listing.root)
        self._draft = _new_draft(folder, cut)
        self._previous = self._draft.previous
        self.manifest: Manifest = Manifest(folder, root=self._listing.root, mini_batch_size=mini_batch_size)
        """The mini-batches that are on disk so far; it grows with each step."""
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._work = self._plan(self._draft)

    @property
    def mini_batches(self) -> int:
        """The number of mini-batches on disk so far."""
        return self.manifest.mini_batches

    @property
    def items(self) -> int:
        """The number of items in these mini-batches."""
        return self.manifest.items

    @property
    def row_split(self) -> RowSplit | None:
        """How tabular files are split by rows; None: they are not."""
        return self._cut.rows

    @property
    def restarted(self) -> bool:
        """Whether an earlier planner was cut off here, and its mini-batches were not yet forgotten."""
        return self._previous.exists

    @property
    def compared(self) -> bool:
        """Whether `unchanged_mini_batches` is final; at once where nothing was cut off."""
        return self._previous.compared

    @property
    def unchanged_mini_batches(self) -> int:
        """Leading mini-batches that are the same now as in the manifest that was cut off.

        Only meaningful while `restarted`. The number grows until `compared`; what was known about any
        later mini-batch is void then, since it has other files now, or none.
        """
        return self._previous.unchanged_mini_batches

    def step(self, budget_s: float) -> None:
        """Work for about `budget_s` seconds, at least a moment; then all finished mini-batches can be read.

        Parameters
        ----------
        budget_s
            Seconds, usually a few thousandths.

        Raises
        ------
        InputError
            When the input has no files or cannot be read; the same error again at each further call.
        PlanError
            When the manifest cannot be written; likewise.
        """
        if self.complete or self._draft is None:
            return
        if self._failure is not None:
            raise self._failure
        deadline = time.perf_counter() + budget_s
        try:
            for _ in self._work:
                if time.perf_counter() >= deadline:
                    break
            self._flush(self._draft)
        except (InputError, PlanError) as error:
            self._failure = error
            raise

    def comparing(self) -> Iterator[Changes]:
        """Compare a complete plan with its input as it is now, a bounded amount of work at a time.

        Yields
        ------
        Changes
            What is known to be different so far; the last one is all.

        Raises
        ------
        InputError
            When the input cannot be listed.
        PlanError
            When the manifest is damaged.
        """
        changes = Changes()
        for gone, new in self._differences():
            changes = changes.and_also(gone, new)
            yield changes

    def take_new(self) -> Changes:
        """Add files that came later to a complete plan, as further mini-batches behind the others; all at
        once: a listing takes its time.

        Returns
        -------
        Changes
            What was different when it was compared.

        Raises
        ------
        InputError
            When the input cannot be listed.
        PlanError
            When the manifest is damaged, or cannot be made longer.
        """
        changes = Changes()

        def new_files() -> Iterator[list[bytes]]:
            nonlocal changes
            for gone, new in self._differences():
                changes = changes.and_also(gone, new)
                yield self._with_ranges(new)

        extend(self._folder, new_files())
        self.manifest.close()
        self.manifest = Manifest.open(self._folder)
        return changes

    def _differences(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        now = ([prefix + name for name in names] for prefix, names in self._source().walk())
        return differences(self.manifest.sorted_paths(), now)

    def _with_ranges(self, names: list[bytes]) -> list[bytes]:
        """Return entries for files that are added to a complete plan."""
        if self._cut.rows is None:
            return names
        splitter = RowSplitter(self.manifest.root, self._cut.rows)
        return [entry for _, some in splitter.entries(b"", names) for entry in some]

    def forget_previous(self) -> None:
        """Remove what is left of the manifest that was cut off, once its consequences are recorded.

        Until then it stays, through any number of interruptions, so that `unchanged_mini_batches` can be
        told again. Safe to repeat.

        Raises
        ------
        PlanError
            When the comparison is not over, or the files cannot be removed.
        """
        if not self._previous.compared:
            raise PlanError(
                f"the manifest in {str(self._folder)!r} is still being compared; plan further first"
            )
        try:
            self._previous.forget()
        except OSError as error:
            raise PlanError(
                f"old files in {str(self._folder)!r} cannot be removed: {error.strerror}; "
                "give yourself access, then start again"
            ) from error

    def close(self) -> None:
        """Close all files; an unfinished manifest stays on disk for the next planner. Safe to repeat."""
        if self._draft is not None:
            self._work.close()
            self._draft.close()
            self._draft = None
        self._previous.close()
        self.manifest.close()

    def _open_complete(self) -> None:
        undo_unfinished(self._folder)
        self.manifest = Manifest.open(self._folder)
        if self.manifest.cut != self._cut:
            was = self.manifest.cut.words()
            self.manifest.close()
            raise PlanError(
                f"the manifest in {str(self._folder)!r} was cut into mini-batches of {was}, "
                f"not of {self._cut.words()}; keep that size, or start again in a new folder"
            )
        self._previous = PreviousManifest(self._folder)
        self._previous.accept()
        self.complete = True

    def _plan(self, draft: ManifestDraft) -> Generator[None, None, None]:
        """All the work, with a pause after each bounded piece of it."""
        for prefix, names in self._entries():
            for some in _portions(names, self._cutter.most_names):
                data = self._cutter.add(prefix, some)
                self._pending.append(data)
                self._pending_bytes += len(data)
                if self._pending_bytes >= FLUSH_BYTES:
                    self._flush(draft)
                yield
            if not names:
                yield
        if not self._cutter.items:
            raise _no_files(self._listing)
        self._cutter.finish()
        self._flush(draft)
        yield
        draft.sync()
        yield
        self._finish(draft)

    def _entries(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield what is listed, with row ranges where rows are counted."""
        for prefix, names in self._listing.walk():
            if self._splitter is None or not names:
                yield prefix, names
            else:
                yield from self._splitter.entries(prefix, names)

    def _flush(self, draft: ManifestDraft) -> None:
        ends = self._cutter.take_ends()
        if not self._pending and not ends.paths:
            return
        paths, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        draft.append(paths, ends)
        self.manifest.grow(draft.mini_batches, self._items_in(draft.mini_batches, ends))

    def _items_in(self, mini_batches: int, ends: Ends) -> int:
        if ends.items is not None:
            return ends.items[-1] if ends.items else self.manifest.items
        assert self._cut.files is not None, "items are counted where mini-batches differ"
        return min(mini_batches * self._cut.files, self._cutter.items)

    def _finish(self, draft: ManifestDraft) -> None:
        listing = self._listing
        notices = [*listing.notices, *(self._splitter.notices if self._splitter is not None else ())]
        draft.finish(
            root=listing.root,
            items=self._cutter.items,
            skipped=listing.skipped,
            notices=notices,
        )
        self.manifest.skipped, self.manifest.notices = listing.skipped, notices
        self.complete = True


def _portions(names: list[bytes], most: int) -> Iterator[list[bytes]]:
    if len(names) <= most:
        return iter([names] if names else [])
    return (names[begin : begin + most] for begin in range(0, len(names), most))


def _new_draft(folder: Path, cut: Cut) -> ManifestDraft:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(
            f"the folder {str(folder)!r} cannot be made: {error.strerror}; give yourself access to its parent"
        ) from error
    return ManifestDraft(folder, cut)


_REMEDIES = {
    "hidden": "with a hidden name (--include-hidden lists them)",
    "markers": "markers such as _SUCCESS (--include-hidden lists them)",
    "special": "pipes, sockets or devices",
    "excluded": "excluded folders",
    "loops": "links that lead back to where they are",
    "folders": "sub-folders (without --no-recursive their files are listed)",
    BY_PATTERN: "that an --exclude pattern matches (leave the pattern out, or make it narrower)",
    NOT_INCLUDED: "that no --include pattern matches (one with a '/' in it counts from the input folder)",
}


def _no_files(listing: Source) -> InputError:
    passed_over = [f"{count} {_REMEDIES[reason]}" for reason, count in listing.skipped.items() if count]
    seen = f"; passed over were {', '.join(passed_over)}" if passed_over else ""
    what = "has no files of the input list" if isinstance(listing, InputList) else "has no files"
    return InputError(
        f"the input folder {str(listing.root)!r} {what}{seen}. Name a folder that holds the inputs"
    )
