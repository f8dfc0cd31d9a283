"""A checkpoint counts only where it is whole and the journal is the one that it was made of."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.run import checkpoint
from gristmill.run.checkpoint import Checkpoint, Checkpoints
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.records import (
    Divided,
    FailedTry,
    JobColumns,
    Modules,
    PlanComplete,
    Published,
    Record,
    Revoked,
    Start,
)

A_JOB: tuple[Record, ...] = (
    Start(1, "run-1", "host", 1, "2026-01-01T00:00:00.000Z", False),
    Modules((("score.py", "0" * 64),)),
    JobColumns(1, ("file", "caf\udce9"), "file,caf\udce9\n"),
    Scored(Span(0, 5), 1, 15, 15, 1 << 20, 0, 50, 7, 1, 0, 0.1, 0),
    Scored(Span(7), 1, 3, 2, 1 << 20, 50, 10, 7, 1, 0, 0.1, 0),
    Scored(Span(8), 1, 3, 3, 1 << 20, 60, 10, 7, 1, 2, 0.3, 0, 4, 9, 1),
    FailedTry(Span(9), 1, "exception", "no", "Traceback", 0.2, 0, "log:7", False, 3, ""),
    FailedTry(Span(10), 4, "timeout", "late", "", 30.0, 0, "log", True, 3, "", "waiting"),
    FailedTry(Span(11), 1, "infrastructure", "memory", "", 1.0, 0, "log", False, 3, "", "", True),
    FailedTry(Span(12), 2, "worker_died", "it died", "", 1.0, 0, "log", False, 3, ""),
    Divided(Span(12), ((0, 1), (1, 2))),
    FailedTry(Span(12, 1, 0, 1), 2, "worker_died", "it died", "", 1.0, 0, "log", True, 1, ""),
    Revoked(Span(0, 5), 15, 15, 1 << 20, 0),
    Farewell(1, (1 << 20) + 1, 1, 80, 6, 5, 1 << 30),
    PlanComplete(13, 39),
)


class Written(NamedTuple):
    """A journal and the checkpoint beside it."""

    journal: Path
    kept: Path
    ledger: Ledger


def write(folder: Path, records: tuple[Record, ...], every_bytes: int = 1) -> Written:
    written = Written(folder / "journal.bin", folder / "checkpoint.json", Ledger())
    journal = Journal(written.journal, 1, 0)
    for record in records:
        journal.record(record)
        written.ledger.apply(record)
    journal.mark()
    Checkpoints(written.kept, written.journal, None, every_bytes=every_bytes).keep(
        written.ledger, journal.size
    )
    journal.close()
    return written


def state(ledger: Ledger) -> dict[str, object]:
    return {**vars(ledger), "scored": list(ledger.scored), "failed": list(ledger.failed)}


def read(written: Written) -> Checkpoint | None:
    return Checkpoint.read(written.kept, written.journal)


def test_all_that_is_known_of_a_job_comes_back(tmp_path: Path) -> None:
    written = write(tmp_path, A_JOB)
    found = read(written)
    assert found is not None
    assert state(found.ledger) == state(written.ledger)
    assert found.position == written.journal.stat().st_size


def test_where_there_is_none_nothing_is_known(tmp_path: Path) -> None:
    assert Checkpoint.read(tmp_path / "checkpoint.json", tmp_path / "journal.bin") is None


@pytest.mark.parametrize("name", ["journal", "kept"])
def test_with_any_changed_byte_it_does_not_count(tmp_path: Path, name: str) -> None:
    written = write(tmp_path, A_JOB[:4])
    path: Path = getattr(written, name)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert read(written) is None
    path.write_bytes(data)
    assert read(written) is not None


@pytest.mark.parametrize("name", ["journal", "kept"])
def test_cut_short_it_does_not_count(tmp_path: Path, name: str) -> None:
    written = write(tmp_path, A_JOB)
    path: Path = getattr(written, name)
    path.write_bytes(path.read_bytes()[:-1])
    assert read(written) is None


def test_one_of_another_form_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write(tmp_path, A_JOB)
    monkeypatch.setattr(checkpoint, "FORM", 999)
    assert read(written) is None


def test_one_whose_state_has_other_attributes_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Grown(Ledger):
        def __init__(self) -> None:
            super().__init__()
            self.more = 0

    written = write(tmp_path, A_JOB)
    monkeypatch.setitem(checkpoint._OBJECTS, "Ledger", Grown)
    assert read(written) is None


def test_there_is_none_while_the_journal_is_short(tmp_path: Path) -> None:
    written = write(tmp_path, A_JOB, every_bytes=1 << 20)
    assert not written.kept.exists()


def test_there_is_none_of_what_is_published(tmp_path: Path) -> None:
    written = write(tmp_path, (*A_JOB, Published("predictions.csv", 70, 0, 0, "")))
    assert not written.kept.exists()


def test_the_next_one_is_written_once_the_journal_has_grown_again(tmp_path: Path) -> None:
    written = write(tmp_path, A_JOB)
    first = read(written)
    checkpoints = Checkpoints(written.kept, written.journal, first, every_bytes=1000)
    journal = Journal(written.journal, 1, written.journal.stat().st_size)
    kept_at = []
    for number in range(20, 80):
        scored = Scored(Span(number), 1, 3, 3, 1 << 20, 10 * number, 10, 7, 1, 0, 0.1, 0)
        journal.record(scored)
        written.ledger.apply(scored)
        journal.mark()
        checkpoints.keep(written.ledger, journal.size)
        found = read(written)
        assert found is not None
        kept_at.append(found.position)
    journal.close()
    steps = [after - before for before, after in pairwise(kept_at) if after > before]
    assert steps
    assert min(steps) >= 1000
    assert state(found.ledger).keys() == state(written.ledger).keys()


def test_without_room_for_it_the_job_goes_on(tmp_path: Path) -> None:
    written = write(tmp_path, A_JOB)
    Checkpoints(tmp_path / "gone" / "checkpoint.json", written.journal, None, every_bytes=1).keep(
        written.ledger, written.journal.stat().st_size
    )
    assert not (tmp_path / "gone").exists()
