"""Every verb of `az ml`, typed: what it answers, what it refuses, and with which status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gristmill.cli.main import main

Typed = Callable[..., tuple[int, str, str]]
SCRIPT = "def run(mini_batch):\n    return [len(open(path).read()) for path in mini_batch]\n"
DEPLOYMENT = (
    "name: lengths\nendpoint_name: texts\ncode_configuration: {code: code, scoring_script: score.py}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, an input, a deployment's file, and a home in which one of each kind is registered."""
    folder = tmp_path_factory.mktemp("doors")
    (folder / "code").mkdir()
    (folder / "code/score.py").write_text(SCRIPT)
    (folder / "deployment.yml").write_text(DEPLOYMENT)
    (folder / "conda.yml").write_text("dependencies: [python=3.11, {pip: [numpy]}]\n")
    (folder / "store.yml").write_text("{name: store, type: local, path: in}\n")
    (folder / "in").mkdir()
    (folder / "in/a.txt").write_text("a")
    (folder / "model").mkdir()
    (folder / "model/weights.bin").write_text("1")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("GRISTMILL_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    for line in (
        "model create --name weights --path model --type custom_model",
        "environment create --name numbers --conda-file conda.yml",
        "data create --name texts --path in --type uri_folder",
        "datastore create --file store.yml",
        "compute create --name cluster --type amlcompute",
        "batch-endpoint create --name texts --set tags.a=b",
        "batch-deployment create --file deployment.yml --set-default",
    ):
        assert main([*line.split(), "--output", "none"]) == 0
    monkeypatch.undo()
    return folder


@pytest.fixture
def typed(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.setenv("GRISTMILL_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    capsys.readouterr()

    def type_(line: str) -> tuple[int, str, str]:
        status = main(line.split())
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return type_


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("batch-endpoint show -n texts --query defaults.deployment_name -o tsv", "lengths\n"),
        ("batch-endpoint list --query [].name -o tsv", "texts\n"),
        (
            "batch-endpoint update -n texts --defaults lengths --query defaults.deployment_name -o tsv",
            "lengths\n",
        ),
        (
            "batch-endpoint update -n texts --defaults deployment_name=lengths --query [tags.a,name] -o tsv",
            "b\ntexts\n",
        ),
        ("batch-endpoint list-jobs -n texts", "[]\n"),
        (
            "batch-deployment show -n lengths -e texts --query code_configuration.scoring_script",
            '"score.py"\n',
        ),
        ("batch-deployment list -e texts --query [].name -o tsv", "lengths\n"),
        (
            "batch-deployment update -n lengths -e texts --set mini_batch_size=7 --query mini_batch_size",
            "7\n",
        ),
        ("batch-deployment list-jobs -n lengths -e texts -o tsv", ""),
        ("model show -n weights --query version", '"1"\n'),
        ("model list --query [].name -o tsv", "weights\n"),
        ("model create -n weights -p model --query version -o tsv --only-show-errors", "1\n"),
        ("model update -n weights --set tags.x=1 --query tags.x", '"1"\n'),
        ("environment show -n numbers -v 1 --query os_type -o tsv", "linux\n"),
        ("environment list -n numbers --query [].version -o tsv", "1\n"),
        ("data show -n texts -l latest --query type", '"uri_folder"\n'),
        ("data list -n nothing", "[]\n"),
        ("datastore show -n store --query type -o tsv", "local\n"),
        ("datastore update -f store.yml --set description=words --query description", '"words"\n'),
        ("compute show -n cluster --query type -o tsv", "amlcompute\n"),
        ("compute list --type AMLCOMPUTE --query [].name -o tsv", "cluster\n"),
        ("compute update -n cluster --max-instances 3 --query max_instances", "3\n"),
        ("job list", ""),
        ("job list -o json", "[]\n"),
    ],
)
def test_answer(line: str, expected: str, typed: Typed) -> None:
    status, out, _ = typed(line)

    assert (status, out) == (0, expected)


@pytest.mark.parametrize(
    "line",
    [
        *(
            f"{group} list"
            for group in ("batch-endpoint", "model", "environment", "data", "datastore", "compute")
        ),
        "batch-deployment list -e texts",
    ],
)
def test_lists_are_json_whose_resources_begin_with_their_name(line: str, typed: Typed) -> None:
    status, out, err = typed(line)

    found: list[dict[str, Any]] = json.loads(out)
    assert (status, err) == (0, "")
    assert {next(iter(one)) for one in found} == {"name"}
    assert out.startswith('[\n  {\n    "name": "')


def test_artifacts_are_shown_with_the_line_to_paste(typed: Typed) -> None:
    line = 'os.path.join(os.environ["AZUREML_MODEL_DIR"], "model"'

    assert typed("model show -n weights --artifacts")[1] == (
        f'model/         1 B  {line})\n  weights.bin  1 B  {line}, "weights.bin")\n'
    )
    assert (
        typed("model show -n weights --artifacts --query [].path -o tsv")[1] == "model\nmodel/weights.bin\n"
    )


def test_download_says_on_stderr_what_it_has_done(typed: Typed, folder: Path) -> None:
    status, out, err = typed("model download --name weights --version 1 --download-path copy")

    assert (status, out) == (0, "")
    assert err == "1 file of weights in copy/weights/model\n"
    assert (folder / "copy/weights/model/weights.bin").read_text() == "1"


def test_archived_things_are_not_listed_and_come_back(typed: Typed) -> None:
    for group, name in (("model", "weights"), ("environment", "numbers"), ("data", "texts")):
        assert typed(f"{group} archive -n {name} -v 1")[:2] == (0, "")
        assert typed(f"{group} list -n {name}")[1] == "[]\n"
        assert typed(f"{group} list -n {name} --archived-only --query [].version -o tsv")[1] == "1\n"
        assert typed(f"{group} list -n {name} --include-archived --query [].version -o tsv")[1] == "1\n"
        assert typed(f"{group} restore -n {name}")[:2] == (0, "")
        assert typed(f"{group} list -n {name} --query [].version -o tsv")[1] == "1\n"


def test_a_workspace_has_names_of_its_own(typed: Typed) -> None:
    assert typed("batch-endpoint list -w other")[1] == "[]\n"
    assert typed("batch-endpoint show -n texts -w other")[0] == 3
    assert typed("batch-endpoint create -n texts -w other --query name")[1] == '"texts"\n'
    assert typed("batch-endpoint delete -n texts -w other -y")[:2] == (0, "")
    assert typed("batch-endpoint show -n texts -o none")[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        "batch-endpoint show -n nope",
        "batch-deployment show -n nope -e texts",
        "batch-deployment show -n lengths -e nope",
        "model show -n nope",
        "model show -n weights -v 9",
        "model show -n nope --artifacts",
        "environment show -n nope",
        "data show -n texts -l nope",
        "datastore show -n nope",
        "compute show -n nope",
        "job show -n nope",
        "job show nope",
    ],
)
def test_show_of_what_is_not_there_ends_with_3(line: str, typed: Typed) -> None:
    status, out, err = typed(line)

    assert (status, out) == (3, "")
    assert err.startswith("gristmill: error: ")


@pytest.mark.parametrize(
    "line",
    [
        "batch-endpoint delete -n nope --yes",
        "batch-deployment delete -n nope -e texts --yes",
        "datastore delete -n nope",
        "compute delete -n nope -y",
    ],
)
def test_deleting_what_is_not_there_succeeds_with_a_notice(line: str, typed: Typed) -> None:
    status, out, err = typed(line)

    assert (status, out) == (0, "")
    assert err.startswith("notice: ")
    assert "nothing was deleted" in err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch-endpoint show", "required: --name/-n"),
        ("batch-endpoint create", "name: is missing"),
        ("batch-endpoint update --set a=b", "which endpoint"),
        ("batch-endpoint delete -n texts", "no terminal to ask on whether to delete the endpoint texts"),
        ("batch-endpoint invoke -n texts", "no input"),
        ("batch-endpoint invoke -n texts --input nowhere", "--input nowhere: no such file or folder"),
        ("batch-endpoint invoke -n texts --input in --input-path in", "--input is given under two names"),
        ("batch-endpoint invoke -n texts --input in --inputs x", "--inputs x: takes NAME.path=PATH"),
        ("batch-endpoint invoke -n texts --inputs {x", "--inputs {x: begins with { and is no JSON"),
        ("batch-endpoint invoke -n texts --input in --mini-batch-size x", "--mini-batch-size x: must be"),
        ("batch-endpoint invoke -n texts --input in --priority x", "--priority: must be a whole number"),
        ("batch-endpoint invoke -n texts --input in -d nope", "no deployment"),
        ("batch-endpoint invoke -n texts --input in --set nonsense=1", "--set nonsense=1: unknown key"),
        ("batch-endpoint invoke -n texts --input in --query [", "--query [: is no JMESPath"),
        ("batch-deployment create", "required: --file/-f"),
        ("batch-deployment create -f nope.yml", "nope.yml"),
        ("batch-deployment create -f deployment.yml -e nope", "no endpoint called 'nope'"),
        ("batch-deployment create -f deployment.yml --set settings.mini=1", "unknown key"),
        ("batch-deployment delete -n lengths -e texts", "no terminal to ask on"),
        ("batch-deployment update --set a=b", "which deployment"),
        ("model create --path model", "name: is missing"),
        ("model create -n weights --path nowhere", "--path nowhere: no such file or folder"),
        ("model create -n weights -v 1 --path in", "version 1 of model weights is there already"),
        ("model create -n weights --path model --registry-name r", "there are no registries here"),
        ("model create -n weights --path model --type onnx", "must be one of custom_model, mlflow_model"),
        ("model show -n weights -v 1 -l latest", "--version and --label contradict each other"),
        ("model update -n weights --set path=in", "path of version 1 of model weights cannot be changed"),
        ("model update -n weights --add tags x", "nothing here holds a list to add to"),
        ("model download", "required: --name/-n"),
        ("environment create -n numbers", "says nothing of what is in it"),
        ("data create -n more --path in --type mltable", "tables are not read here"),
        ("datastore create", "required: --file/-f"),
        ("datastore update --set a=b", "which datastore"),
        ("compute create -n cluster2", "type: is missing"),
        ("compute delete -n cluster", "no terminal to ask on whether to delete the compute cluster"),
        ("job list --max-results -1", "argument --max-results/-r"),
    ],
)
def test_a_mistake_leaves_stdout_empty_and_says_what_it_is(line: str, said: str, typed: Typed) -> None:
    status, out, err = typed(line)

    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_every_option_of_an_invocation_arrives(typed: Typed, folder: Path) -> None:
    status, out, _ = typed(
        "batch-endpoint invoke -n texts --input-path file:in/a.txt --job-name first"
        " --experiment-name counting --priority 5 --idempotency-key once --output-path out -m 3"
        " --set output_file_name=lengths.csv"
    )
    again = typed("batch-endpoint invoke -n texts --input in --idempotency-key once --query name -o tsv")

    job = json.loads(out)
    assert status == 0
    assert again[:2] == (0, "first\n")
    assert (job["name"], job["experiment_name"]) == ("first", "counting")
    assert job["inputs"]["input"] == {"type": "uri_file", "path": str(folder / "in/a.txt")}
    assert job["outputs"]["score"]["path"] == str(folder / "out")
    assert (job["endpoint_name"], job["deployment_name"]) == ("texts", "lengths")
    assert typed("batch-endpoint list-jobs -n texts --query [].name -o tsv")[1] == "first\n"
    assert typed("job list --query [].name -o tsv")[1] == "first\n"
    assert typed("job list --parent-job-name first --query [0].name -o tsv")[1] == "first\n"


def test_a_list_of_jobs_ends_after_50_and_says_so(
    typed: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("batch-endpoint invoke -n texts --input in --job-name first --idempotency-key once -o none")
    (made,) = (folder / "home/jobs").glob("first/job.json")
    monkeypatch.setenv("GRISTMILL_HOME", str(folder / "crowded"))
    for number in range(52):
        other = folder / f"crowded/jobs/j{number:02}/job.json"
        other.parent.mkdir(parents=True)
        values = {**json.loads(made.read_text()), "name": f"j{number:02}", "status": "Completed"}
        other.write_text(json.dumps(values))

    status, out, err = typed("job list --query [].name -o tsv")

    assert (status, err) == (0, "notice: the newest 50 of 52 jobs; --all-results true shows all of them\n")
    assert out.split() == [f"j{number:02}" for number in range(51, 1, -1)]
    assert len(typed("job list --all-results true --query [].name -o tsv")[1].split()) == 52
    assert typed("job list -r 2 --query [].name -o tsv") == (0, "j51\nj50\n", "")


@pytest.mark.parametrize(
    "thing", ["batch-endpoint update -n texts", "model update -n weights", "compute update -n cluster"]
)
def test_remove_takes_a_key_away(thing: str, typed: Typed) -> None:
    assert (
        typed(f"{thing} --set tags.gone=1 tags.kept=2 description=words --query tags.gone -o tsv")[1] == "1\n"
    )

    status, out, _ = typed(
        f"{thing} --remove tags.gone description --query [tags.gone,tags.kept,description]"
    )

    assert (status, json.loads(out)) == (0, [None, "2", None])
    status, out, err = typed(f"{thing} --remove tags.gone")
    assert (status, out) == (2, "")
    assert "--remove tags.gone: is not there, and cannot be taken away" in err
