"""References to what is registered: their forms, and a document in which they are resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load, load_document, read_deployment
from gristmill.spec.overrides import Override, parse_set
from gristmill.spec.problems import Problem
from gristmill.spec.references import Reference, Resolved, reference_of
from gristmill.spec.tree import Entry, Mapping, Scalar, plain, tree

SCRIPT = "def run(mini_batch):\n    return mini_batch\n"
DEPLOYMENT = "model: azureml:m:1\ncode_configuration: {code: ., scoring_script: score.py}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "score.py").write_text(SCRIPT)
    (tmp_path / "m.bin").write_text("model")
    (tmp_path / "d.yml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("azureml:heart:1", Reference(name="heart", version="1")),
        ("azureml:heart:1.10", Reference(name="heart", version="1.10")),
        ("AzureML:heart@latest", Reference(name="heart", label="latest")),
        ("azureml:heart", Reference(name="heart")),
        ("azureml:/heart@prod", Reference(name="heart", label="prod")),
        ("/workspaces/default/models/heart/versions/7", Reference(name="heart", version="7")),
        ("/subscriptions/s/resourceGroups/g/workspaces/w/computes/cpu", Reference(name="cpu")),
        (
            "azureml:/subscriptions/s/resourceGroups/g/providers/P/workspaces/w/data/heart/labels/latest",
            Reference(name="heart", label="latest"),
        ),
    ],
)
def test_every_form_of_a_reference_is_understood(text: str, reference: Reference) -> None:
    assert reference_of(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "heart",
        "azureml:",
        "azureml:heart:1:2",
        "azureml:heart@",
        "azureml://datastores/d/paths/heart",
        "azureml://registries/r/models/m/versions/1",
        "./data",
        "/workspaces/data",
        "/workspaces/project/data/images",
        "/workspaces/project/models/heart",
        "https://host/data/heart",
    ],
)
def test_another_text_is_no_reference(text: str) -> None:
    assert reference_of(text) is None


def test_a_reference_is_shown_as_it_is_resolved() -> None:
    shown = [str(reference_of(one)) for one in ("azureml:m:3", "azureml:m@prod", "azureml:m")]
    assert shown == ["m:3", "m@prod", "m@latest"]


def put_in_place(root: Mapping) -> Resolved:
    """Put the file ``m.bin`` in place of the model ``m:1``, which is all that is registered."""
    entry = root.entries.get("model")
    if entry is None or not isinstance(entry.node, Scalar) or not entry.node.text.startswith("azureml:"):
        return Resolved(root=root)
    if entry.node.text != "azureml:m:1":
        what = "there is no model called that"
        return Resolved(root=root, problems=(Problem(place=entry.node.place, path="model", what=what),))
    values = {"path": str(Path("m.bin").absolute()), "name": "m", "version": "1"}
    node = tree(values, entry.node.place, "model")
    entries = {**root.entries, "model": Entry(path="model", place=entry.place, node=node)}
    notice = Problem(place=entry.place, path="model", what="is an old one")
    return Resolved(root=Mapping(place=root.place, entries=entries), notices=(notice,))


def test_what_a_reference_names_stands_in_its_place(project: Path) -> None:
    deployment = load(Path("d.yml"), resolve=put_in_place)
    assert deployment.model is not None
    assert (deployment.model.path, deployment.model.version) == (project / "m.bin", "1")
    assert deployment.notices == ("d.yml:1:1: model: is an old one",)


def test_an_option_may_name_what_is_registered(project: Path) -> None:
    (project / "d.yml").write_text(DEPLOYMENT.replace("azureml:m:1", "elsewhere"))
    deployment = load(Path("d.yml"), [parse_set("model=azureml:m:1")], put_in_place)
    assert deployment.model is not None
    assert deployment.model.name == "m"


def test_a_reference_that_leads_nowhere_is_told_once_beside_other_mistakes(project: Path) -> None:
    (project / "d.yml").write_text(DEPLOYMENT.replace("m:1", "n:1") + "mini_batch_size: 0\n")
    with pytest.raises(SpecError) as caught:
        load(Path("d.yml"), resolve=put_in_place)
    assert caught.value.problems == (
        "d.yml:1:8: model: there is no model called that",
        "d.yml:3:18: mini_batch_size: must be a whole number of at least 1 (got '0')",
    )


def test_the_document_that_is_kept_loads_again_without_its_file(project: Path) -> None:
    (project / "d.yml").write_text(
        DEPLOYMENT
        + "mini_batch_size: '07'\nsettings: {error_threshold: 20%, environment_variables: {V: 1.10}}\n"
    )
    loaded = read_deployment(Path("d.yml"), resolve=put_in_place)
    kept = plain(loaded.root)
    assert isinstance(kept, dict)
    kept["code_configuration"]["code"] = str(project)
    (project / "d.yml").unlink()
    again = load_document(kept, project / "d.yml", called="the deployment d")
    assert again.deployment.settings == loaded.deployment.settings
    assert again.deployment.model == loaded.deployment.model
    assert again.deployment.settings.environment_variables == {"V": "1.10"}


def test_a_kept_document_takes_settings_over_its_own(project: Path) -> None:
    values = {"code_configuration": {"code": str(project), "scoring_script": "score.py"}}
    loaded = load_document(
        values, project / "d.yml", [Override(path="mini_batch_size", value=3, origin="-m 3")], called="d"
    )
    assert loaded.deployment.settings.mini_batch_size == 3


def test_mistakes_in_a_kept_document_name_it(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_document({"mini_batch_siez": 3}, project / "d.yml", called="the deployment d of endpoint e")
    what = "the deployment d of endpoint e: mini_batch_siez: unknown key; did you mean 'mini_batch_size'?"
    assert what in caught.value.problems
