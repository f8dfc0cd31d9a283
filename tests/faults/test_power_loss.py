"""The power goes: what was not made durable is gone, torn, or there, in any mixture; resume is right.

A job is run in this process, over an engine with a script, and dies at some moment. What the disk vouches for
is known: the journal up to its last mark, of each part what is recorded before that mark, and whatever was
moved before it. Everything else is cut, filled with zeros or with rubbish, or put back where it was, as a
seed says that hypothesis draws. Then the job is resumed, and must be as if nothing had happened.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.whole_job import AZURE, SUMMARY, WholeJob
from gristmill.engine.contract import Scored, Span
from gristmill.run.journal import read_journal
from gristmill.run.records import Mark, PlanComplete, Record

#: Memory, where there is a disk in memory: thousands of small files are made.
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
ITEMS = 13


class Loss(NamedTuple):
    """A start that ends with a loss of power."""

    seed: int
    """Chooses the interleaving, and what becomes of what nothing vouches for."""
    kill_at: int
    sync_every: int


def rows(root: Path) -> WholeJob:
    """Rows, of which some fail once, one mini-batch is short and one item is bad."""
    script = {1: ["raise"], 3: ["short"]}
    return WholeJob(root=root, items=ITEMS, script=script, poisons={(5, 1): "raise"}, settings=AZURE)


def frames(root: Path) -> WholeJob:
    """Frames with other columns in between, below one header."""
    return WholeJob(
        root=root,
        items=ITEMS,
        mini_batch_size=1,
        columns=lambda number: ("a", "b") if number % 3 else ("a",),
        rows=lambda number, items: [b"%d%s\n" % (number, b",y" if number % 3 else b"")] * items,
    )


def files(root: Path) -> WholeJob:
    """Whole files, and files that all append to."""

    def pieces(span: Span) -> list[tuple[str, bytes]]:
        return [
            ("all.txt", b"%d %d\n" % (span.first, span.first_item)),
            ("some.txt", b"x" * (span.first % 3)),
        ]

    script = {number: ["file", "file", "file"] for number in range(0, ITEMS, 2)}
    return WholeJob(root=root, items=ITEMS, mini_batch_size=1, script=script, pieces=pieces, settings=SUMMARY)


SHAPES = [rows, frames, files]
_expected: dict[str, dict[str, bytes]] = {}


def undisturbed(shape: Callable[[Path], WholeJob]) -> dict[str, bytes]:
    """Return the outputs of a job that nothing happens to, without what tells which try it was."""
    if shape.__name__ not in _expected:
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            job = shape(Path(folder, "job"))
            job.start()
            _expected[shape.__name__] = compared(job)
    return _expected[shape.__name__]


def compared(job: WholeJob) -> dict[str, bytes]:
    """Return what is in the output, without paths, times, and which worker it was."""
    outputs = job.outputs()
    lines = map(json.loads, outputs.pop("failures.jsonl", b"").splitlines())
    kept = [(line.get("input"), line.get("inputs"), line["reason"], line.get("missing")) for line in lines]
    outputs["failures.jsonl"] = json.dumps(kept).encode()
    if "predictions.columns.json" in outputs:
        outputs["predictions.columns.json"] = outputs["predictions.columns.json"].replace(
            os.fsencode(job.root), b"ROOT"
        )
    return outputs


class Vouched:
    """What the disk vouches for, at the last mark of a job that has died."""

    def __init__(self, job: WholeJob) -> None:
        self.journal = 0
        """Bytes of the journal."""
        self.parts: Counter[int] = Counter()
        """Bytes of each part."""
        ends: Counter[int] = Counter()
        positions = [entry.position for entry in read_journal(job.folder.journal)]
        for number, (record, _, _) in enumerate(read_journal(job.folder.journal)):
            if isinstance(record, Scored):
                end = record.offset + record.length + record.attached
                ends[record.part] = max(ends[record.part], end)
            elif isinstance(record, Mark):
                self.parts = ends.copy()
                after = positions[number] + 5  # a mark has no body, and is the last of its group
                self.journal = after
                assert number + 1 == len(positions) or positions[number + 1] > after


def torn(random: Random, path: Path, durable: int) -> None:
    """Do to a file behind its durable bytes what a loss of power may do."""
    size = path.stat().st_size if path.exists() else 0
    if size <= durable:
        return
    begin = random.randrange(durable, size)
    end = random.randrange(begin, size) + 1
    content = path.read_bytes()
    kinds = {
        "kept": content,
        "cut": content[:begin],
        "zeros": content[:begin] + bytes(end - begin) + content[end:],
        "rubbish": content[:begin] + random.randbytes(40),
        "longer": content + bytes(40),
    }
    path.write_bytes(kinds[random.choice(list(kinds))])


def lose_power(random: Random, job: WholeJob, moved_before: int) -> None:
    """Take from the disk what nothing vouches for."""
    vouched = Vouched(job)
    undo_moves(random, job, moved_before)
    torn(random, job.folder.journal, vouched.journal)
    parts = job.job.staging / "parts"
    for path in sorted(parts.iterdir()) if parts.exists() else []:
        torn(random, path, vouched.parts[int(path.stem)])
    for path in (job.job.staging / "assembled", job.job.staging / "placed"):
        torn(random, path, 0)
    for path in sorted((job.job.staging / "appended").glob("*")):
        torn(random, path, 0)
    if not any(isinstance(record, PlanComplete) for record in durable_records(job, vouched.journal)):
        lose_plan(random, job)


def lose_plan(random: Random, job: WholeJob) -> None:
    """The plan is a draft yet, or was one a moment ago."""
    if random.random() < 0.5:
        (job.folder.plan / "plan.json").unlink(missing_ok=True)
        for name in ("paths", "offsets"):
            torn(random, job.folder.plan / name, 0)


def durable_records(job: WholeJob, size: int) -> list[Record]:
    return [record for record, _, position in read_journal(job.folder.journal) if position < size]


def undo_moves(random: Random, job: WholeJob, before: int) -> None:
    """Of what was moved to the output after the last mark, some of the latest is where it was before."""
    if not job.folder.delivered.exists():
        return
    lines = job.folder.delivered.read_bytes().splitlines(keepends=True)
    kept = random.randint(min(before, len(lines)), len(lines))
    where = {
        (record.span.first, record.span.first_item): f"{record.part}/{record.span.first}-"
        f"{record.span.first_item}-{record.attempt}"
        for record, _, _ in read_journal(job.folder.journal)
        if isinstance(record, Scored)
    }
    for line in lines[kept:]:
        try:
            writer, name, _ = json.loads(line)
        except ValueError:
            continue  # torn by an earlier loss
        aside = job.job.staging / "aside" / where[tuple(writer)]
        aside.mkdir(parents=True, exist_ok=True)
        if (job.output / name).exists():  # not where an earlier loss has undone it
            (job.output / name).rename(aside / name)
    rest = b"".join(lines[kept:])
    job.folder.delivered.write_bytes(b"".join(lines[:kept]) + rest[: random.randint(0, len(rest))])


def assert_resume_is_right(shape: Callable[[Path], WholeJob], losses: list[Loss]) -> None:
    expected = undisturbed(shape)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        job = shape(Path(folder, "job"))
        for loss in losses:
            moved = [lines_of(job.folder.delivered)]
            job.start(
                seed=loss.seed,
                kill_at=loss.kill_at,
                sync_every=loss.sync_every,
                on_sync=lambda moved=moved: moved.append(lines_of(job.folder.delivered)),  # type: ignore
            )
            if job.job.status.is_final:
                break
            lose_power(Random(loss.seed), job, moved[-1])
        if not job.job.status.is_final:
            job.start()

        assert job.job.status.value == "Completed", job.job.message
        assert job.verification.problems == ()
        assert compared(job) == expected


def lines_of(path: Path) -> int:
    """Return how many lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


LOSSES = st.lists(
    st.builds(Loss, st.integers(0, 1 << 32), st.integers(1, 14), st.integers(1, 4)), min_size=1, max_size=2
)


@pytest.mark.parametrize("shape", SHAPES)
@settings(deadline=None, max_examples=100)
@given(losses=LOSSES)
def test_resume_is_right_after_the_power_was_lost(
    shape: Callable[[Path], WholeJob], losses: list[Loss]
) -> None:
    assert_resume_is_right(shape, losses)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@settings(deadline=None, max_examples=2_000)
@given(losses=LOSSES)
def test_resume_is_right_after_the_power_was_lost_thousands_of_times(
    shape: Callable[[Path], WholeJob], losses: list[Loss]
) -> None:
    assert_resume_is_right(shape, losses)
