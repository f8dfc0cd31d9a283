"""The `az` of scripts: it serves `ml`, knows what such scripts ask beside it, and refuses everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.cli.az import stand_in

Az = Callable[..., tuple[int, str, str]]


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Az:
    monkeypatch.setenv(stand_in.REMEMBERED, str(tmp_path / "remembered.json"))

    def typed(*words: str) -> tuple[int, str, str]:
        status = stand_in.main(words)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return typed


@pytest.mark.parametrize(
    "words",
    [
        "extension add -n ml -y",
        "extension add --name ml",
        "extension update --name ml",
        "extension remove -n azure-cli-ml",
        "account set --subscription abc",
        "account set -s abc",
        "configure --defaults group=g workspace=w location=l",
        "configure -d workspace=w",
        "config set extension.use_dynamic_install=yes_without_prompt",
        "logout",
    ],
)
def test_what_changes_something_there_is_done_without_a_word(words: str, az: Az) -> None:
    assert az(*words.split()) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("account show --query state -o tsv", "Enabled\n"),
        ("account show --query=id -otsv", "00000000-0000-0000-0000-000000000000\n"),
        ("account show --que state --out tsv", "Enabled\n"),
        ("account list --query [].name -o tsv", "gristmill\n"),
        ("login --query [0].state --output TSV", "Enabled\n"),
        ("extension show -n ml --query name -o tsv", "ml\n"),
        ("extension list --query [].name -o tsv", "ml\n"),
        ("group create -n g -l westus --query properties.provisioningState -o tsv", "Succeeded\n"),
        ("group exists -n g", "true\n"),
        ("group show --name=g --query name -o tsv", "g\n"),
        ("ml workspace create -n w -g g --query name -o tsv", "w\n"),
        ("ml workspace show --name w --query provisioning_state -o tsv", "Succeeded\n"),
        ("ml workspace list --query [].name -o tsv", "default\n"),
    ],
)
def test_what_asks_is_answered_plausibly(words: str, expected: str, az: Az) -> None:
    assert az(*words.split()) == (0, expected, "")


@pytest.mark.parametrize("words", ["--version", "version", "-v", "version --output json"])
def test_version_is_json(words: str, az: Az) -> None:
    status, out, err = az(*words.split())

    assert (status, err) == (0, "")
    assert set(json.loads(out)) == {"azure-cli", "azure-cli-core", "extensions", "gristmill"}


def test_what_was_said_before_is_remembered(az: Az) -> None:
    az("account", "set", "--subscription", "abc")
    az("configure", "--defaults", "group=g", "workspace=w")
    az("configure", "--defaults", "group=")

    assert az("account", "show", "--query", "id", "-o", "tsv")[1] == "abc\n"
    assert (
        az("ml", "workspace", "show", "--query", "[name, resource_group]", "-o", "tsv")[1] == "w\ndefault\n"
    )


@pytest.mark.parametrize(
    "words", ["storage blob upload -f x", "vm", "", "account clear", "ml workspace delete -n w"]
)
def test_everything_else_is_refused(words: str, az: Az) -> None:
    status, out, err = az(*words.split())

    assert (status, out) == (2, "")
    assert f"az {words}".strip() + ": there is no cloud behind this az, and this was not done" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [("--query [", "--query [: is no JMESPath"), ("-o xml", "--output: must be one of json")],
)
def test_a_bad_query_or_form_is_refused(words: str, said: str, az: Az) -> None:
    status, out, err = az("account", "show", *words.split())

    assert (status, out) == (2, "")
    assert said in err


def test_ml_is_gristmill_asked_as_az_is(az: Az) -> None:
    assert az("ml", "job", "list") == (0, "[]\n", "")
    assert az("ml", "job", "show", "-n", "nope", "--query", "status")[0] == 3


def test_the_default_workspace_is_honoured(az: Az, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_WORKSPACE", "before")
    az("configure", "--defaults", "workspace=not/one")

    status, out, err = az("ml", "job", "list")

    assert (status, out) == (2, "")
    assert "'not/one' is not the name of a workspace" in err
