"""Jobs that are downloaded, archived and deleted, and a home that is repaired, as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from flow.mill import Mill, finished, until

SCORES = """
def run(mini_batch):
    called(mini_batch)
    return names(mini_batch)
"""
HELD = """
def run(mini_batch):
    called(mini_batch)
    held_until("go")
    return names(mini_batch)
"""


@pytest.fixture(scope="module")
def scored(new_mill: Callable[[], Mill]) -> Mill:
    """A mill in which a job `j` has ended."""
    mill = new_mill()
    mill.script(SCORES)
    mill.deployment()
    mill.inputs("abc")
    assert mill.run().status == 0
    return mill


def test_download_makes_the_folders_of_az(scored: Mill) -> None:
    ended = scored.type("job", "download", "--name", "j", "--output-name", "score", "--download-path", "dl")

    assert (ended.status, ended.out) == (0, "")
    place = scored.root / "dl" / "named-outputs" / "score"
    assert (place / "predictions.csv").read_text() == "a\nb\nc\n"
    assert not (scored.root / "dl" / "artifacts").exists()


def test_download_of_all_has_the_logs_too(scored: Mill) -> None:
    assert scored.type("job", "download", "j", "--all", "-p", "all").status == 0

    assert (scored.root / "all" / "artifacts" / "job_result.txt").is_file()
    assert (scored.root / "all" / "named-outputs" / "score" / "predictions.csv").is_file()


def test_an_archived_job_is_shown_and_not_listed(scored: Mill) -> None:
    assert scored.type("job", "archive", "-n", "j").status == 0
    listed = scored.type("job", "list", "--output", "json")
    with_it = scored.type("job", "list", "--include-archived", "--query", "[].name", "-o", "tsv")

    assert (json.loads(listed.out), with_it.out) == ([], "j\n")
    assert "there are no jobs yet" in scored.type("job", "list").err
    assert scored.show()["is_archived"] is True
    assert scored.type("job", "restore", "j").status == 0
    assert "Completed" in scored.type("job", "list").out


def test_the_home_says_what_takes_the_space(scored: Mill) -> None:
    words = scored.type("home")
    values = json.loads(scored.type("home", "--json").out)

    assert "gristmill job prune --older-than 30d --keep-outputs" in words.out
    assert [job["name"] for job in values["largest_jobs"]] == ["j"]
    assert values["total_bytes"] == sum(share["size_bytes"] for share in values["shares"]) > 0


def test_a_job_that_is_not_old_is_not_pruned(scored: Mill) -> None:
    refused = scored.type("job", "prune", "--older-than", "30")
    kept = scored.type("job", "prune", "--older-than", "1h")

    assert refused.status == 2
    assert "must be a number of hours, days or weeks: 12h, 30d, 8w (got '30')" in refused.err
    assert (kept.out, kept.err) == ("", "0 jobs removed, 0 B freed\n")


def test_a_running_job_is_not_deleted_and_survives_a_repair(mill: Mill) -> None:
    mill.script(HELD)
    mill.deployment()
    mill.inputs("a")
    running = mill.start_run()
    until(lambda: mill.calls() == ["a"], "the call of run()")

    refused = mill.type("job", "delete", "j", "--yes")
    repaired = mill.type("home", "repair")
    pruned = mill.type("job", "prune", "--older-than", "0h")
    mill.write("go", "")
    ended = finished(running)

    assert (refused.status, repaired.status, pruned.out) == (2, 0, "")
    assert refused.err == "gristmill: error: job j is running; gristmill job cancel j stops it first\n"
    assert (ended.status, ended.counts) == (0, (1, 1, 0, 0))
    assert mill.type("verify", "j").status == 0
    assert mill.type("job", "delete", "-n", "j", "-y").status == 0
    again = mill.type("job", "delete", "j", "--yes")
    assert (again.status, again.out, again.err) == (0, "", "notice: there is no job called j\n")
    assert mill.jobs() == []
    assert (mill.root / "out" / "predictions.csv").read_text() == "a\n"


def shown(mill: Mill, *words: str) -> dict[str, object]:
    """Return a resource without its times: a record is written a moment before its row."""
    values = dict(mill.type(*words).view)
    assert values.pop("creation_context")
    return values


def test_a_lost_catalog_is_made_anew(mill: Mill) -> None:
    mill.write("model.txt", "weights")
    mill.write("endpoint.yml", "name: classifier\ndescription: d\n")
    asked = [
        ("model", "show", "-n", "mm", "-v", "1"),
        ("batch-endpoint", "show", "-n", "classifier"),
    ]
    assert mill.type("model", "create", "-n", "mm", "--path", "model.txt").status == 0
    assert mill.type("batch-endpoint", "create", "-f", "endpoint.yml").status == 0
    before = [shown(mill, *words) for words in asked]
    (mill.home / "catalog.db").write_text("no database, and long enough to be seen as none " * 100)

    broken = mill.type(*asked[0])
    repaired = mill.type("home", "repair")
    again = mill.type("home", "repair")

    assert broken.status == 1
    assert "file is not a database; gristmill home repair makes it anew" in broken.err
    assert repaired.status == 0
    assert "the catalog was damaged, and is made anew; the old file is kept as" in repaired.out
    assert "put back into the catalog: 1 endpoint, 1 model" in repaired.out
    assert again.out == "nothing had to be done\n"
    assert [shown(mill, *words) for words in asked] == before


def test_a_home_that_cannot_be_written_is_named(mill: Mill) -> None:
    mill.write("home", "a file in its place")
    mill.write("model.txt", "weights")

    ended = mill.type("model", "list")

    assert ended.status == 1
    assert f"the catalog {mill.home}/catalog.db cannot be opened" in ended.err
    assert "set GRISTMILL_HOME to a folder that you can write" in ended.err
