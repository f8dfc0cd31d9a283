"""A file beside a deployment, given where a deployment is wanted, is named for what it is."""

from __future__ import annotations

import pytest

from flow.mill import Mill


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("name: hearts\nauth_mode: aad_token\n", "an endpoint"),
        ("$schema: https://x/latest/model.schema.json\nname: m\npath: model.pkl\n", "a model"),
        ("name: d\ntype: azure_blob\ncredentials: {account_key: pSsT}\n", "a datastore"),
    ],
)
def test_run_says_what_a_file_is_that_is_no_deployment(mill: Mill, text: str, kind: str) -> None:
    mill.inputs(["a"])
    mill.write("other.yml", text)

    ended = mill.run(of="other.yml")

    assert ended.status == 2
    assert f"other.yml: this is {kind} file, and a deployment is wanted here; run takes" in ended.err
    assert "pSsT" not in ended.err
    assert mill.jobs() == []
