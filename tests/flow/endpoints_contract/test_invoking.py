"""What an invocation takes, what its job keeps of the deployment, and how it ends."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from flow.endpoints_contract.shop import Shop

INVOKE = ("batch-endpoint", "invoke", "-n", "letters")


def record(shop: Shop, job: str) -> dict[str, Any]:
    read = json.loads((shop.home / "jobs" / job / "job.json").read_text())
    assert isinstance(read, dict)
    return read


def test_input_is_a_data_asset_a_datastore_path_or_a_local_path(jobs: Shop) -> None:
    files = {job: [row.split()[0] for row in jobs.rows(job)] for job in ("by-default", "named", "half")}

    assert files["by-default"] == files["named"] == ["a.txt", "b.txt", "c.txt"]
    assert files["half"] == ["a.txt", "b.txt"]  # the other two came together with the bad one


def test_local_file_given_as_a_folder_is_taken_as_a_file(jobs: Shop) -> None:
    (row,) = (jobs.root / "elsewhere/letters.csv").read_text().splitlines()

    assert row == "a.txt second today 1 edition-1"


def test_changes_for_one_job_reach_it_and_not_the_deployment(jobs: Shop) -> None:
    changed, kept = (record(jobs, job)["deployment"]["settings"] for job in ("changed", "by-default"))

    for key, new, old in (
        ("mini_batch_size", 7, 2),
        ("max_retries", 2, 0),
        ("timeout_s", 90, 30),
        ("output_file_name", "letters.csv", "predictions.csv"),
        ("logging_level", "debug", "info"),
        ("workers", 2, 1),
    ):
        assert (changed[key], kept[key]) == (new, old), key
    assert changed["error_threshold"]["items"] == 5
    assert changed["environment_variables"]["SAYS"] == "today"
    assert jobs.ask("job", "show", "-n", "changed")["experiment_name"] == "trials"


def test_key_makes_a_repeated_invoke_the_same_job(jobs: Shop) -> None:
    listed = jobs.ask("batch-endpoint", "list-jobs", "-n", "letters", "--query", "[].name")

    assert listed.count("changed") == 1


def test_inputs_file_and_set_name_the_input_too(shop: Shop) -> None:
    shop.write("inputs.yml", "inputs:\n  pile:\n    type: uri_folder\n    path: nowhere-1\n")

    by_file = shop.refused(*INVOKE, "-d", "ghost", "--file", "inputs.yml")
    by_set = shop.refused(*INVOKE, "-d", "ghost", "--set", "inputs.pile.path=nowhere-2")

    assert "ghost" in by_file or "nowhere-1" in by_file
    assert "ghost" in by_set or "nowhere-2" in by_set


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--input", "missing-folder"), "missing-folder"),
        (("--input", "azureml:unknown:1"), "unknown"),
        (("--input", "azureml:letters:99"), "99"),
        (("--input", "azureml://datastores/unknown/paths/in"), "unknown"),
        (("--input", "azureml://datastores/shelf/paths/nothing"), "nothing"),
        (("--input", "in", "--input-type", "mltable"), "mltable"),
        (("--set", "inputs.mode.type=string", "inputs.mode.default=append"), "string"),
        (("--input", "in", "-d", "ghost"), "ghost"),
        (("--input", "in", "--set", "settings.mini_batch_size=zero"), "mini_batch_size"),
        (("--input", "in", "--set", "settings.minibatch_size=3"), "mini_batch_size"),
        (("--input", "in", "--mini-batch-size", "0"), "mini"),
        (("--input", "in", "--job-name", "by-default"), "there is a job called by-default already"),
        ((), "input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_what_cannot_work_is_refused_before_there_is_a_job(
    jobs: Shop, words: tuple[str, ...], named: str
) -> None:
    before = jobs.jobs()

    said = jobs.refused(*INVOKE, *words)

    assert named in said
    assert "Traceback" not in said
    assert jobs.jobs() == before


def test_mltable_and_literals_are_answered_with_the_ways_out(jobs: Shop) -> None:
    table = jobs.refused(*INVOKE, "--input", "in", "--input-type", "mltable")
    literal = jobs.refused(*INVOKE, "--set", "inputs.mode.type=string", "inputs.mode.default=append")

    for said in (table, literal):
        assert "uri_folder" in said or "folder" in said


def test_output_that_exists_is_refused_before_there_is_a_job(jobs: Shop) -> None:
    jobs.write("taken/predictions.csv", "precious\n")
    before = jobs.jobs()

    said = jobs.refused(*INVOKE, "--input", "in", "--output-path", "taken")

    assert "predictions.csv" in said or "taken" in said
    assert (jobs.root / "taken/predictions.csv").read_text() == "precious\n"
    assert jobs.jobs() == before


def test_job_of_each_kind_ends_as_completed(jobs: Shop) -> None:
    listed = jobs.ask("job", "list", "--query", "[].{name: name, status: status}")

    assert {one["status"] for one in listed} == {"Completed"}
    assert {one["name"] for one in listed} >= {"by-default", "named", "changed", "half", "held"}


def test_jobs_of_endpoints_are_listed_in_their_workspace(jobs: Shop) -> None:
    assert "by-default" in jobs.ask("job", "list", "--query", "[].name")
    assert jobs.ask("job", "list", "-w", "elsewhere") == []


def test_completed_with_failed_items_is_always_said(jobs: Shop) -> None:
    said = "Completed: 2 of 4 items, 2 failed"

    assert said in jobs.here("job", "show", "half").out
    streamed = jobs.here("job", "stream", "-n", "half")
    assert streamed.status == 0
    assert said in streamed.out + streamed.err


def test_invoke_goes_to_the_default_unless_a_deployment_is_named(jobs: Shop) -> None:
    assert jobs.rows("by-default") == [
        "a.txt second upper 2 edition-1",
        "b.txt second upper 2 edition-1",
        "c.txt second upper 1 edition-1",
    ]
    assert [row.split()[2] for row in jobs.rows("named")] == ["lower"] * 3


def test_jobs_of_an_endpoint_and_of_a_deployment_are_listed(jobs: Shop) -> None:
    of_lower = jobs.ask("batch-deployment", "list-jobs", "-n", "lower", "-e", "letters", "--query", "[].name")

    assert of_lower == ["named"]
    assert sorted(jobs.ask("batch-endpoint", "list-jobs", "-n", "letters", "--query", "[].name")) == [
        "by-default",
        "changed",
        "half",
        "named",
    ]


def test_job_outlives_its_endpoint_while_it_runs_and_after(jobs: Shop) -> None:
    assert jobs.here("batch-endpoint", "show", "-n", "short-lived").status == 3

    assert jobs.ask("job", "show", "-n", "held", "--query", "status") == "Completed"
    assert jobs.rows("held") == ["a.txt second held 1 edition-1"]


def test_downloads_overwrite(jobs: Shop) -> None:
    words = ("model", "download", "-n", "word", "-v", "1", "--download-path", "fetched")
    jobs.ask(*words)
    (file,) = (path for path in (jobs.root / "fetched").rglob("*") if path.is_file())
    file.chmod(0o644)
    file.write_text("spoilt")

    jobs.ask(*words)

    assert file.relative_to(jobs.root).parts == ("fetched", "word", "word.txt")
    assert file.read_text() == "first"
    assert jobs.rows("named") == jobs.rows("named")


def test_job_runs_what_was_deployed_whatever_is_edited_meanwhile(jobs: Shop) -> None:
    assert not (jobs.root / "edited").exists()

    assert jobs.rows("held") == ["a.txt second held 1 edition-1"]


def test_deployment_and_job_record_what_git_said(jobs: Shop) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=jobs.root / "code", check=True, capture_output=True, text=True
    ).stdout.strip()

    for said in (
        json.dumps(jobs.ask("batch-deployment", "show", "-n", "upper", "-e", "letters")),
        json.dumps(jobs.ask("job", "show", "-n", "by-default")),
    ):
        assert commit in said
        assert "counter" in said
        assert "https://example.com/shop.git" in said
        assert "dirty" in said.lower()
