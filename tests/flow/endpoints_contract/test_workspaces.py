"""A workspace is the namespace of every name; groups and subscriptions of the cloud change nothing."""

from __future__ import annotations

import pytest

from flow.endpoints_contract.shop import Shop


def test_same_name_in_two_workspaces_is_two_things(shop: Shop) -> None:
    for workspace, said in (("default", "ours"), ("theirs", "theirs")):
        words = ("-n", "twin", "--set", f"description={said}", "--workspace-name", workspace)
        shop.ask("batch-endpoint", "create", *words)

    shown = ("batch-endpoint", "show", "-n", "twin", "--query", "description")
    assert shop.ask(*shown) == "ours"
    assert shop.ask(*shown, "-w", "theirs") == "theirs"
    assert shop.ask(*shown, GRISTMILL_WORKSPACE="theirs") == "theirs"
    assert shop.ask(*shown, "-w", "default", GRISTMILL_WORKSPACE="theirs") == "ours"
    assert shop.here("batch-endpoint", "show", "-n", "letters", "-w", "theirs").status == 3


def test_versions_count_in_each_workspace(shop: Shop) -> None:
    shop.write("word.txt", "third")

    created = shop.ask("model", "create", "-n", "word", "--path", "word.txt", "-w", "theirs")

    assert created["version"] == "1"


@pytest.mark.parametrize("words", [("-g", "cloud"), ("--resource-group", "x"), ("--subscription", "y")])
def test_what_names_a_place_in_the_cloud_is_accepted_and_ignored(shop: Shop, words: tuple[str, str]) -> None:
    ended = shop.here("batch-endpoint", "show", "-n", "letters", *words)

    assert ended.status == 0, ended.err
    assert ended.out == shop.here("batch-endpoint", "show", "-n", "letters").out
    assert len(ended.err.splitlines()) == 1
