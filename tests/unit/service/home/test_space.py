"""What takes the space of a home: everything is counted, once."""

from __future__ import annotations

import os
from pathlib import Path

from gristmill.service.home.space import room_of, space_of
from gristmill.settings import Home
from unit.service.home.conftest import MakeJob

BLOCK = 4096


def grown(path: Path, blocks: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(blocks * BLOCK))


def test_each_thing_is_counted_where_it_belongs(home: Home, make_job: MakeJob) -> None:
    folder = make_job("large")
    make_job("small")
    grown(folder.read().output / "more.csv", 50)
    grown(home.outputs / "kept" / "predictions.csv", 30)
    grown(home.environments / "e1" / "lib.so", 20)
    grown(home.contents / "ab" / ("ab" * 32) / "model.pkl", 10)
    grown(home.cache / "worker.zip", 5)
    grown(home.records / "default" / "model" / "m" / "1.json", 1)
    grown(home.catalog, 2)
    grown(home.path / "something", 3)

    space = space_of(home)

    sizes = {share.what: share.size_bytes // BLOCK for share in space.shares}
    assert sizes["outputs"] >= 80
    assert sizes["environments"] >= 20
    assert sizes["contents"] >= 10
    assert sizes["cache"] >= 5
    assert sizes["catalog"] >= 3
    assert sizes["other"] >= 3
    assert 0 < sizes["jobs"] < 30
    counts = {share.what: share.count for share in space.shares if share.count}
    assert counts == {"outputs": 3, "jobs": 2, "environments": 1, "contents": 1}
    assert space.total_bytes == sum(share.size_bytes for share in space.shares)
    assert 0 <= room_of(home.path) - space.total_bytes <= BLOCK  # the folder of the home itself
    assert [job.name for job in space.largest_jobs] == ["large", "small"]


def test_a_file_of_several_names_counts_once(home: Home) -> None:
    grown(home.environments / "e1" / "lib.so", 100)
    before = space_of(home).total_bytes
    (home.environments / "e2").mkdir()
    os.link(home.environments / "e1" / "lib.so", home.environments / "e2" / "lib.so")

    assert space_of(home).total_bytes - before <= 2 * BLOCK


def test_a_home_that_is_not_there_takes_nothing(home: Home) -> None:
    space = space_of(home)

    assert (space.total_bytes, space.largest_jobs) == (0, ())
    assert space.free_bytes > 0


def test_links_are_not_followed(home: Home, tmp_path: Path) -> None:
    grown(tmp_path / "elsewhere", 100)
    home.path.mkdir()
    (home.path / "link").symlink_to(tmp_path / "elsewhere")
    (home.path / "loop").symlink_to(home.path)

    assert space_of(home).total_bytes <= 3 * BLOCK
