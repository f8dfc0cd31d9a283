"""Create is create-or-update, options count before the file is judged, and deleting nothing is no error."""

from __future__ import annotations

import pytest

from flow.endpoints_contract.shop import Shop


def test_creating_an_endpoint_again_updates_it(shop: Shop) -> None:
    for said in ("old", "new"):
        shop.ask("batch-endpoint", "create", "-n", "again", "--set", f"description={said}")

    assert shop.ask("batch-endpoint", "show", "-n", "again")["description"] == "new"
    assert shop.ask("batch-endpoint", "list", "--query", "length([?name=='again'])") == 1


def test_creating_a_deployment_again_updates_it(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "-n", "redeployed")
    for size in ("3", "4"):
        shop.deploy("same", "redeployed", "--set", f"settings.mini_batch_size={size}")

    shown = shop.ask("batch-deployment", "show", "-n", "same", "-e", "redeployed")
    assert 4 in (shown.get("mini_batch_size"), shown.get("settings", {}).get("mini_batch_size"))
    assert len(shop.ask("batch-deployment", "list", "-e", "redeployed")) == 1


def test_creating_a_compute_again_updates_it(shop: Shop) -> None:
    for most in ("5", "6"):
        words = ("--type", "AMLcompute", "--min-instances", "0", "--max-instances", most)
        shop.ask("compute", "create", "-n", "batch-cluster", *words)

    assert str(shop.ask("compute", "show", "-n", "batch-cluster")["max_instances"]) == "6"
    assert shop.ask("compute", "list", "--query", "length([?name=='batch-cluster'])") == 1


def test_options_are_applied_before_the_file_is_judged(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "-n", "patient")
    shop.write(
        "unfinished.yml",
        "model: azureml:word:1\ncode_configuration: {code: code, scoring_script: missing.py}\n",
    )

    create = ("batch-deployment", "create", "-f", "unfinished.yml")
    repaired = ("--set", "code_configuration.scoring_script=score.py", "tags.made=by-options")

    assert "missing.py" in shop.refused(*create, "-n", "finished", "-e", "patient")
    assert "name" in shop.refused(*create, *repaired)
    shop.ask(*create, "-n", "finished", "-e", "patient", *repaired)

    shown = shop.ask("batch-deployment", "show", "-n", "finished", "-e", "patient")
    assert shown["tags"] == {"made": "by-options"}


def test_name_of_the_command_line_wins_over_the_file(shop: Shop) -> None:
    shop.write("endpoint.yml", "name: from-file\nauth_mode: aad_token\ntags: {kept: 'yes'}\n")

    created = shop.ask("batch-endpoint", "create", "--file", "endpoint.yml", "--name", "from-options")

    assert next(iter(created)) == "name"
    assert created["name"] == "from-options"
    assert created["tags"] == {"kept": "yes"}
    assert shop.here("batch-endpoint", "show", "-n", "from-file").status == 3


@pytest.mark.parametrize(
    "words",
    [
        ("batch-endpoint", "delete", "-n", "nobody", "--yes"),
        ("batch-deployment", "delete", "-n", "nobody", "-e", "letters", "--yes"),
        ("batch-deployment", "delete", "-n", "nobody", "-e", "nowhere", "--yes"),
        ("datastore", "delete", "-n", "nobody"),
        ("compute", "delete", "-n", "nobody", "--yes"),
        ("job", "delete", "-n", "nobody", "--yes"),
    ],
    ids=" ".join,
)
def test_deleting_what_is_not_there_succeeds_with_a_notice(shop: Shop, words: tuple[str, ...]) -> None:
    ended = shop.here(*words)

    assert ended.status == 0, ended.err
    assert ended.out == ""
    assert "nobody" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ("batch-endpoint", "show", "-n", "nobody"),
        ("batch-deployment", "show", "-n", "nobody", "-e", "letters"),
        ("model", "show", "-n", "nobody", "-v", "1"),
        ("model", "show", "-n", "word", "-v", "99"),
        ("environment", "show", "-n", "nobody", "--label", "latest"),
        ("data", "show", "-n", "nobody", "-v", "1"),
        ("datastore", "show", "-n", "nobody"),
        ("compute", "show", "-n", "nobody"),
        ("job", "show", "-n", "nobody"),
    ],
    ids=" ".join,
)
def test_showing_what_is_not_there_is_status_3_and_an_empty_stdout(
    shop: Shop, words: tuple[str, ...]
) -> None:
    ended = shop.here(*words)

    assert (ended.status, ended.out) == (3, "")
    assert words[3] in ended.err
