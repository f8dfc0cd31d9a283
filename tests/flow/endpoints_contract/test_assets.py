"""Models, environments and data assets are versioned: counted, immutable, found by version and by label."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.endpoints_contract.shop import Shop

# How one of each kind is created, from a file that can be changed.
KINDS = {
    "model": ("--path", "thing-model/weights.txt"),
    "environment": ("--conda-file", "thing-environment/conda.yml", "--image", "some/image"),
    "data": ("--path", "thing-data/here", "--type", "uri_folder"),
}


def make(shop: Shop, kind: str, number: int) -> None:
    """Write content of a kind, another one for each number."""
    shop.write("thing-model/weights.txt", f"{number}")
    shop.write("thing-environment/conda.yml", f"dependencies: [python=3.11, pip, 'numpy=1.{number}']\n")
    shop.write("thing-data/here/a.txt", "x" * number)


def create(shop: Shop, kind: str, *words: str) -> str:
    created = shop.ask(kind, "create", "--name", f"thing-{kind}", *KINDS[kind], *words)
    assert isinstance(created["version"], str)
    return created["version"]


@pytest.mark.parametrize("kind", KINDS)
def test_versions_count_up_and_equal_content_keeps_its_own(shop: Shop, kind: str) -> None:
    make(shop, kind, 1)
    assert create(shop, kind) == "1"
    assert create(shop, kind) == "1"

    make(shop, kind, 2)
    assert create(shop, kind) == "2"

    listed = shop.ask(kind, "list", "--name", f"thing-{kind}")
    assert [one["version"] for one in listed] == ["2", "1"]
    latest = shop.ask(kind, "show", "-n", f"thing-{kind}", "--label", "latest")
    assert latest["version"] == "2"

    said = shop.refused(kind, "create", "--name", f"thing-{kind}", *KINDS[kind], "--version", "1")
    assert "1" in said
    assert create(shop, kind, "--version", "2") == "2"
    assert create(shop, kind, "--version", "spring") == "spring"


@pytest.mark.parametrize("kind", KINDS)
def test_version_is_immutable_but_for_its_description_and_tags(shop: Shop, kind: str) -> None:
    make(shop, kind, 5)
    version = create(shop, kind, "--version", "5")
    one = ("-n", f"thing-{kind}", "-v", version)
    before = shop.ask(kind, "show", *one)

    shop.ask(kind, "update", *one, "--set", "description=the fifth", "tags.season=spring")
    changed = "image=another" if kind == "environment" else "path=elsewhere"
    shop.refused(kind, "update", *one, "--set", changed)

    after = shop.ask(kind, "show", *one)
    assert (after["description"], after["tags"]) == ("the fifth", {"season": "spring"})
    content = "image" if kind == "environment" else "path"
    assert after[content] == before[content]


def test_content_of_a_model_stays_when_its_file_changes(shop: Shop) -> None:
    shop.write("moody.txt", "as registered")
    shop.ask("model", "create", "-n", "moody", "--path", "moody.txt")
    shop.write("moody.txt", "changed")

    shop.ask("model", "download", "-n", "moody", "-v", "1", "--download-path", "moods")

    assert (shop.root / "moods/moody/moody.txt").read_text() == "as registered"


@pytest.mark.parametrize(("kind", "folder"), [("custom_model", False), ("custom_model", True)])
def test_model_is_a_file_or_a_folder(shop: Shop, kind: str, folder: bool) -> None:
    name = "shelf" if folder else "single"
    path = "shelf/deep/weights.txt" if folder else "single"
    shop.write(path, "weights")

    created = shop.ask("model", "create", "-n", name, "--path", name, "--type", kind)

    assert created["type"] == kind
    shop.ask("model", "download", "-n", name, "-v", "1", "--download-path", "got")
    assert (shop.root / "got" / name / path).read_text() == "weights"


def test_mlflow_model_is_a_type_and_others_are_refused(shop: Shop) -> None:
    shop.write("flow/MLmodel", "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n")

    created = shop.ask("model", "create", "-n", "flow", "--path", "flow", "--type", "MLflow_model")
    said = shop.refused("model", "create", "-n", "flow", "--path", "flow", "--type", "poem")

    assert created["type"] == "mlflow_model"
    assert "custom_model" in said


def test_reference_by_label_is_the_newest_version_of_its_moment(shop: Shop) -> None:
    shop.write("label.txt", "one")
    shop.ask("model", "create", "-n", "labelled", "--path", "label.txt")
    shop.ask("batch-endpoint", "create", "-n", "labels")
    words = ("--set", "model=azureml:labelled@latest")
    first = shop.deploy("early", "labels", *words)
    shop.write("label.txt", "two")
    shop.ask("model", "create", "-n", "labelled", "--path", "label.txt")

    second = shop.deploy("late", "labels", *words)

    assert "labelled:1" in first["model"] or "labelled/versions/1" in first["model"]
    assert "labelled:2" in second["model"] or "labelled/versions/2" in second["model"]


def test_local_data_is_a_reference_and_never_a_copy(shop: Shop) -> None:
    pattern = "never to be copied " * 1000
    shop.write("big/a.txt", pattern)

    created = shop.ask("data", "create", "-n", "big", "--path", "big", "--type", "uri_folder")

    assert str(shop.root / "big") in created["path"]
    assert [
        path for path in files(shop.home) if path.stat().st_size > len(pattern) // 2 and holds(path)
    ] == []


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def holds(path: Path) -> bool:
    return b"never to be copied" in path.read_bytes()


def test_archived_version_is_hidden_and_still_usable(shop: Shop) -> None:
    shop.write("old.txt", "old")
    shop.ask("model", "create", "-n", "old", "--path", "old.txt")
    shop.ask("batch-endpoint", "create", "-n", "museum")

    shop.ask("model", "archive", "-n", "old", "-v", "1")

    assert shop.ask("model", "list", "-n", "old") == []
    shop.deploy("exhibit", "museum", "--set", "model=azureml:old:1")
    shop.ask("model", "restore", "-n", "old", "-v", "1")
    assert [one["version"] for one in shop.ask("model", "list", "-n", "old")] == ["1"]


def test_label_stands_for_one_version_until_it_moves_to_another(shop: Shop) -> None:
    for number in ("1", "2"):
        shop.write("champion.txt", number)
        shop.ask("model", "create", "-n", "champion", "--path", "champion.txt")
    champion = ("model", "show", "-n", "champion", "--label", "best", "--query", "version")

    shop.ask("model", "update", "-n", "champion", "-v", "1", "--set", "labels=best")
    assert shop.ask(*champion) == "1"
    shop.ask("model", "update", "-n", "champion", "-v", "2", "--set", "labels=best")

    assert shop.ask(*champion) == "2"
    first = shop.ask("model", "show", "-n", "champion", "-v", "1")
    assert first["labels"] == []
