"""What an endpoint is: any number of deployments, at most one default, and what happens when they go."""

from __future__ import annotations

from flow.endpoints_contract.shop import Shop


def default_of(shop: Shop, endpoint: str) -> str | None:
    shown = shop.ask("batch-endpoint", "show", "-n", endpoint)
    named = (shown.get("defaults") or {}).get("deployment_name")
    assert named is None or isinstance(named, str)
    return named


def names(listed: list[dict[str, object]]) -> list[object]:
    return sorted(str(one["name"]) for one in listed)


def test_endpoint_has_any_number_of_deployments_and_at_most_one_default(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "--name", "many")
    assert default_of(shop, "many") is None

    for name in ("one", "two", "six"):
        shop.deploy(name, "many", *(["--set-default"] if name != "six" else []))

    assert names(shop.ask("batch-deployment", "list", "-e", "many")) == ["one", "six", "two"]
    assert default_of(shop, "many") == "two"
    shop.ask("batch-endpoint", "update", "-n", "many", "--set", "defaults.deployment_name=six")
    assert default_of(shop, "many") == "six"
    shop.ask("batch-endpoint", "update", "-n", "many", "--defaults", "one")
    assert default_of(shop, "many") == "one"


def test_default_has_to_be_a_deployment_of_the_endpoint(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "--name", "empty")

    said = shop.refused("batch-endpoint", "update", "-n", "empty", "--set", "defaults.deployment_name=ghost")

    assert "ghost" in said
    assert default_of(shop, "empty") is None


def test_invoke_without_deployment_and_default_is_refused(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "--name", "aimless")
    shop.deploy("spare", "aimless")

    said = shop.refused("batch-endpoint", "invoke", "-n", "aimless", "--input", "in")

    assert "endpoint 'aimless' has no default deployment; name one or set it" in said
    assert shop.ask("batch-endpoint", "list-jobs", "-n", "aimless") == []


def test_deleting_an_endpoint_deletes_its_deployments(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "--name", "doomed")
    shop.deploy("crew", "doomed", "--set-default")

    assert shop.here("batch-endpoint", "delete", "-n", "doomed", "--yes").out == ""

    assert shop.here("batch-endpoint", "show", "-n", "doomed").status == 3
    assert shop.here("batch-deployment", "show", "-n", "crew", "-e", "doomed").status == 3
    shop.ask("batch-endpoint", "create", "--name", "doomed")
    assert shop.ask("batch-deployment", "list", "-e", "doomed") == []
    assert default_of(shop, "doomed") is None


def test_default_deployment_goes_last(shop: Shop) -> None:
    shop.ask("batch-endpoint", "create", "--name", "pair")
    shop.deploy("main", "pair", "--set-default")
    shop.deploy("side", "pair")

    said = shop.refused("batch-deployment", "delete", "-n", "main", "-e", "pair", "--yes")

    assert "default" in said
    assert "main" in said
    for name in ("side", "main"):
        assert shop.here("batch-deployment", "delete", "-n", name, "-e", "pair", "--yes").status == 0
    assert shop.ask("batch-deployment", "list", "-e", "pair") == []
    assert default_of(shop, "pair") is None
