"""What a deployment keeps of the code: a copy, without what is ignored."""

from __future__ import annotations

import pytest

from flow.endpoints_contract.shop import SCRIPT, Shop


@pytest.mark.parametrize("name", [".amlignore", ".gitignore"])
def test_ignored_files_are_not_copied(shop: Shop, name: str) -> None:
    marker = f"secret of {name}"
    folder = f"ignoring{name}"
    shop.write(f"{folder}/{name}", "secret.txt\n")
    shop.write(f"{folder}/secret.txt", marker)
    shop.write(f"{folder}/score.py", SCRIPT)
    shop.ask("batch-endpoint", "create", "-n", "copies")

    shop.deploy(f"ignores{name.replace('.', '-')}", "copies", code=folder)

    kept = [path for path in shop.home.rglob("*") if path.is_file()]
    assert [path for path in kept if path.read_bytes() == marker.encode()] == []
    assert [path for path in kept if path.read_bytes() == SCRIPT.encode()] != []
