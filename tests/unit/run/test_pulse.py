"""How far a job is, as other processes see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.run.job_folder import JobFolder
from gristmill.run.progress import Progress
from gristmill.run.pulse import Pulse, read_pulse

PROGRESS = Progress(items=10, plan_complete=True, done=3, failed=1, workers=2, ready=2)


def test_it_is_read_as_it_was_written_without_notices(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    pulse = Pulse(folder)

    pulse.note(1.0, replace(PROGRESS, notices=("x",)))

    assert read_pulse(folder) == PROGRESS
    pulse.close()


def test_it_is_written_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    pulse = Pulse(folder)
    pulse.note(1.0, PROGRESS)

    pulse.note(1.1, replace(PROGRESS, done=4))
    assert read_pulse(folder) == PROGRESS
    pulse.note(1.3, replace(PROGRESS, done=5))
    assert read_pulse(folder) == replace(PROGRESS, done=5)
    pulse.close(replace(PROGRESS, done=1_000_000_000_000))
    pulse.close()

    assert read_pulse(folder) == replace(PROGRESS, done=1_000_000_000_000)
    assert (tmp_path / "pulse").stat().st_size == 256


def test_a_new_start_begins_with_nothing(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    Pulse(folder).close(PROGRESS)

    Pulse(folder).close()

    assert read_pulse(folder) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"nothing", b'{"items": 1}'])
def test_what_cannot_be_read_is_nothing(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "pulse").write_bytes(damage)

    assert read_pulse(JobFolder(tmp_path)) is None


def test_a_folder_that_is_gone_costs_nothing_but_the_pulse(tmp_path: Path) -> None:
    pulse = Pulse(JobFolder(tmp_path / "gone"))

    pulse.note(1.0, PROGRESS)
    pulse.close(PROGRESS)
