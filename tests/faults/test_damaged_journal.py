"""A journal that was damaged in its middle: resume says so, and runs again what it no longer tells of."""

from __future__ import annotations

from pathlib import Path

import pytest

from doubles.whole_job import AZURE, SUMMARY, WholeJob
from gristmill.run.journal import damage_of

ITEMS = 12


def files_job(root: Path) -> WholeJob:
    """Return a job in which every call leaves a file, and whose first mini-batch is taken apart."""
    return WholeJob(
        root=root,
        items=ITEMS,
        mini_batch_size=4,
        poisons={(0, 1): "exit"},
        script={number: ["file"] * 20 for number in range(ITEMS)},
        settings=SUMMARY,
    )


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6])
def test_files_that_were_delivered_are_there_once(share: float, tmp_path: Path) -> None:
    whole, job = files_job(tmp_path / "whole"), files_job(tmp_path / "damaged")
    whole.start()
    job.start(seed=1, kill_at=13, sync_every=1)
    delivered = job.outputs()
    data = bytearray(job.folder.journal.read_bytes())
    data[int(len(data) * share)] ^= 1
    job.folder.journal.write_bytes(data)
    damage = damage_of(job.folder.journal)
    assert damage is not None
    assert (job.job.status.is_final, damage.groups > 0, len(delivered) > 0) == (False, True, True)

    notices = job.start()

    assert f"damaged at byte {damage.position:,}: the {damage.records:,} records behind it" in notices[0]
    assert job.verification.problems == ()
    assert sorted(job.outputs()) == sorted(whole.outputs())


def test_rows_are_there_once_after_damage(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path, items=ITEMS, mini_batch_size=1, settings=AZURE)
    job.start(kill_at=5, sync_every=2)
    data = job.folder.journal.read_bytes()
    job.folder.journal.write_bytes(data[:100] + bytes(4) + data[104:])

    job.start()

    assert job.outputs()["predictions.csv"] == b"".join(b"%d 0\n" % number for number in range(ITEMS))
    assert job.verification.problems == ()


def test_a_torn_end_is_no_reason_for_a_notice(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path, items=ITEMS, mini_batch_size=1, settings=AZURE)
    job.start(kill_at=5)
    data = job.folder.journal.read_bytes()
    job.folder.journal.write_bytes(data[:-3])

    assert not [notice for notice in job.start() if "damaged" in notice]
