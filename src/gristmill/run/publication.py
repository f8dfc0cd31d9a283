"""Publication: the predictions, their columns and the list of failures appear in the output folder.

The order matters for whoever kills us in between: first what explains the predictions, then the predictions
themselves, then the journal's word that they are there; and only after that may the parts go. Done twice,
it gives the same files.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import StorageError, in_words
from gristmill.faults import reach
from gristmill.plan.manifest import Manifest
from gristmill.run.assembly import Assembly
from gristmill.run.commit import Committer, free_bytes
from gristmill.run.failures import InputsOf, Named, write_failures
from gristmill.run.job_folder import Job, JobFolder, utc_now
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.outputs import Outputs
from gristmill.run.records import Published, Record
from gristmill.run.replacement import Replacement
from gristmill.spec.values import OutputAction, OutputFormat
from gristmill.storage.publish import publish_bytes

#: The journal takes the places of published ranges in groups of this many.
_PLACED_PER_GROUP = 10_000
#: Kept free on the output's disk beyond what the output needs.
_RESERVE_BYTES = 1 << 20
#: The column with the names of the inputs.
_NAMES = "file"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Publishes the outputs of one job."""

    folder: JobFolder
    job: Job
    ledger: Ledger
    journal: Journal
    manifest: Manifest
    outputs: Outputs | None
    """None where all was published before."""

    def publish(self) -> None:
        """Publish everything under its final name; safe to repeat.

        Raises
        ------
        StorageError
            There is no room, or the output folder cannot be written; nothing that was finished is lost.
        """
        self._make_output_folder()
        if self.ledger.earlier is not None:
            self._replace(self.ledger.earlier)
            return
        self._write_failures()
        if self.outputs is None:
            self._record(None)
            return
        committer = self.outputs.committer
        self._check_room(committer)
        committer.advance()
        assembly = committer.assemble()
        self._record_all(self.outputs.place_appended())
        if not self._has_predictions:
            self._record(None)
            return
        self._refuse_to_replace(committer)
        self._write_columns(assembly, self.job.columns)
        committer.publish(self.job.target)
        reach("publish.before_record")
        self._record_all(committer.placed())
        self._record(assembly)
        reach("publish.after_record")

    def _replace(self, earlier: Published) -> None:
        """Let everything take the place of what was published before a rerun; safe to repeat.

        The journal is told first. From then on whoever goes on with the job only has to move what lies ready.
        """
        replacement = Replacement(self.job.staging, self.job.output, self.job.target.name)
        if self.outputs is not None:
            assert self.outputs.earlier is not None, "it was opened when the job was started"
            committer = self.outputs.committer
            self._check_room(committer)
            committer.advance()
            assembly = committer.assemble()
            replacement.begin()
            self._record_all(self.outputs.place_appended(replacement.folder))
            if earlier.file:
                self._write_columns(assembly, replacement.folder / self.job.columns.name)
                committer.set_aside(replacement.folder / self.job.target.name)
                self._record_all(committer.placed())
            self.outputs.earlier.check_untouched()
            replacement.sync()
            reach("replace.before_record")
            self._record(assembly if earlier.file else None)
            reach("replace.after_record")
        self._write_failures()
        replacement.put_in_place(self.folder.journal, is_sure=self.outputs is not None)

    def publish_partial(self) -> None:
        """Publish what is finished as ``<stem>.partial<suffix>``; what resume needs stays where it is.

        Raises
        ------
        StorageError
            There is no room, or the output folder cannot be written.
        """
        self._make_output_folder()
        self._write_failures()
        if self.outputs is not None and self.ledger.items_succeeded:
            committer = self.outputs.committer
            self._check_room(committer)
            committer.advance_over_gaps()
            committer.assemble(is_partial=True)
            self.outputs.place_unfinished()
            if self._has_predictions:
                committer.publish(self.job.partial_target)

    @property
    def _has_predictions(self) -> bool:
        return self.job.deployment.settings.output_action is OutputAction.APPEND_ROW

    def _record_all(self, records: Iterable[Record]) -> None:
        for number, record in enumerate(records, 1):
            self.journal.record(record)
            self.ledger.apply(record)
            if number % _PLACED_PER_GROUP == 0:
                self.journal.flush()

    def _refuse_to_replace(self, committer: Committer) -> None:
        """A file that appeared under the final name while the job ran is somebody's, unless it is this
        one.
        """
        target = self.job.target
        if target.exists() and not committer.is_same_as(target):
            raise StorageError(
                f"the output {target} appeared while the job ran, and is not the job's; nothing that was "
                "finished "
                "is lost. Move it away, then resume the job"
            )

    def _record(self, assembly: Assembly | None) -> None:
        """Write the journal's word that the output is there, so that it survives a loss of power."""
        if self.ledger.published is not None:
            return
        published = Published(
            file=self.job.target.name if assembly is not None else "",
            size=assembly.size if assembly is not None else 0,
            header_bytes=assembly.header_bytes if assembly is not None else 0,
            header_crc=assembly.header_crc if assembly is not None else 0,
            at=utc_now(),
            rows=assembly.rows if assembly is not None else -1,
            crc=assembly.crc if assembly is not None else 0,
        )
        self.journal.record(published)
        self.ledger.apply(published)
        self.journal.mark()

    def _make_output_folder(self) -> None:
        try:
            self.job.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"the output folder {self.job.output} cannot be made: {in_words(error)}; nothing that "
                "was finished "
                "is lost. "
                "Repair it, then resume the job"
            ) from error

    def _check_room(self, committer: Committer) -> None:
        needed = committer.bytes_waiting
        free = free_bytes(self.job.output)
        if needed and needed + _RESERVE_BYTES > free:
            raise StorageError(
                f"the disk of {self.job.output} has {free:,} bytes left and the rest of the output needs "
                f"{needed:,}; "
                "nothing that was finished is lost. Make room, then resume the job"
            )

    def _write_failures(self) -> None:
        """List every failed item; where nothing failed, remove an earlier start's list."""
        self.journal.flush()
        target = self.job.failures
        if not self.ledger.items_not_succeeded:
            target.unlink(missing_ok=True)
            return
        try:
            write_failures(self.folder.journal, target, inputs_of_plan(self.manifest), self.job.staging)
        except OSError as error:
            raise StorageError(
                f"{target} cannot be written: {in_words(error)}; make room, then resume the job"
            ) from error

    def _write_columns(self, assembly: Assembly, path: Path) -> None:
        """Beside a file that is not ours alone to shape stands what its columns are called, and whether it
        begins with them (contract, section 1.5).
        """
        if self.job.deployment.settings.output_format is not OutputFormat.AZURE:
            return
        text = columns_text(self.folder, self.job, assembly.header_bytes, assembly.columns)
        try:
            publish_bytes(path, text, self.job.staging)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {in_words(error)}; make room, then resume the job"
            ) from error


def inputs_of_plan(manifest: Manifest) -> InputsOf:
    """Return what names the items of a range in the list of failures."""

    def inputs(mini_batch: int, first_item: int, items: int) -> list[Named]:
        return [
            Named(
                os.fsdecode(one.piece_name),
                os.fsdecode(one.name) if one.range is not None else None,
                one.first_row,
                one.items,
            )
            for one in manifest.inputs_of(mini_batch, first_item, items)
        ]

    return inputs


def columns_text(folder: JobFolder, job: Job, header_bytes: int, columns: tuple[str, ...] | None) -> bytes:
    """Return what stands in the file that explains the predictions.

    Parameters
    ----------
    folder, job
        The job.
    header_bytes
        How long the line of column names is with which the predictions begin; 0 where there is none.
    columns
        The columns of all rows; None where they have none, or not all the same.
    """
    separator = separator_of((folder.code / job.deployment.scoring_script).parent)
    text = json.dumps(
        {
            "file": job.target.name,
            "separator": separator,
            "header": header_bytes > 0,
            "columns": columns,
            "read": read_hint(job.target, columns, separator, has_header=header_bytes > 0),
        },
        indent=2,
    )
    return text.encode("ascii") + b"\n"


def separator_of(folder: Path) -> str:
    """Return what separates the cells of frames, which a file beside the script may say (contract, 1.1)."""
    try:
        settings = json.loads((folder / "parallel_run_step.settings.json").read_text(encoding="utf-8-sig"))
        return str(settings["append_row"]["pandas.DataFrame.to_csv"]["sep"])
    except (OSError, ValueError, LookupError, TypeError):
        return " "


def read_hint(
    target: Path, columns: tuple[str, ...] | None, separator: str = " ", *, has_header: bool = False
) -> str:
    """Return the line of Python that reads a predictions file in the contract's format."""
    if columns is None:
        # Only a line feed ends a line: neither another line break nor a carriage return in an element does.
        return f"Path({str(target)!r}).read_bytes().decode('utf-8', 'surrogateescape').split('\\n')[:-1]"
    options = [f"sep={separator!r}"]
    if not has_header:
        options = ["header=None", *options, f"names={json.dumps(list(columns), ensure_ascii=False)}"]
    return _read_csv(target, options, columns)


def own_read_hint(target: Path, output_format: OutputFormat) -> str:
    """Return the line of Python that reads a predictions file in a format that is ours."""
    if output_format is OutputFormat.PARQUET:
        return f"pd.read_parquet({str(target)!r})"
    if (
        output_format is OutputFormat.JSONL
    ):  # as it is written: pandas would make dates of texts, and 7 of 007
        exactly = "dtype=False, precise_float=True"
        return f"pd.read_json({str(target)!r}, lines=True, {exactly})"
    try:
        with target.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            columns = next(csv.reader(file), [])
    except (OSError, csv.Error):
        columns = []
    return _read_csv(target, [], columns)


def _read_csv(target: Path, options: Sequence[str], columns: Sequence[str]) -> str:
    """Names of files stay texts: pandas would make 1 of a file called 001, and nothing of one called NA."""
    if _NAMES in columns:
        options = [*options, f"dtype={{{_NAMES!r}: str}}", "keep_default_na=False", "na_values=['']"]
    return f"pd.read_csv({', '.join([repr(str(target)), *options])})"
