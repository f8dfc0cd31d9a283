"""Whatever is typed behind a verb of `az ml`: an answer, or words on stderr and nothing on stdout."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.cli.groups import GROUPS
from gristmill.cli.main import main
from gristmill.cli.parser import Parser

# These wait for somebody, or are about more than the home.
LEFT_OUT = {"stream", "cancel", "stacks", "logs", "prune", "scoring-script"}
VERBS = [
    (group, verb, command)
    for group, one in GROUPS.items()
    if group != "env"
    for verb, command in one.commands.items()
    if verb not in LEFT_OUT
]
USUAL = {
    "name": ["texts", "weights"],
    "endpoint_name": ["texts"],
    "file": ["deployment.yml", "store.yml", "broken.yml", "nowhere.yml"],
    "path": ["in", "in/a.txt"],
    "version": ["1", "2"],
    "set": ["tags.a=1", "description=words", "settings.mini_batch_size=2", "a.b=c"],
    "input": ["in", "azureml:texts:1", "azureml://datastores/workspaceblobstore/paths/x"],
    "output": ["tsv", "table", "yaml"],
    "query": ["name", "[].name", "@", "["],
}
ANYTHING = ["", "x", "-1", "=", "a=b", "azureml:", "https://h/p", "..", "é", "a\nb", "tags={", "1", "/"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    (folder / "in").mkdir()
    (folder / "in/a.txt").write_text("a")
    (folder / "score.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    (folder / "deployment.yml").write_text(
        "{name: lengths, endpoint_name: texts, code_configuration: {code: ., scoring_script: score.py}}"
    )
    (folder / "store.yml").write_text("{name: store, type: local, path: in}")
    (folder / "broken.yml").write_text("name: [\n")
    return folder


@st.composite
def typed(draw: st.DrawFn) -> list[str]:
    """A verb, what it needs, and some of its other options with likely and unlikely values."""
    group, verb, command = draw(st.sampled_from(VERBS))
    parser = Parser(prog="gristmill")
    command.add_options(parser)
    words = [group, verb]
    for action in parser._actions:
        if action.dest == "help" or not (action.required or draw(st.integers(0, 4)) == 0):
            continue
        if action.option_strings:
            words.append(draw(st.sampled_from(action.option_strings)))
        if action.nargs != 0:
            words.append(draw(st.sampled_from([*USUAL.get(action.dest, []), *ANYTHING])))
    return words


@given(words=typed())
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_typed_is_answered_or_refused_in_words(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRISTMILL_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    out, err = io.StringIO(), io.StringIO()

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)

    assert status in (0, 2, 3)
    assert "Traceback" not in err.getvalue()
    assert status == 0 or (out.getvalue() == "" and "gristmill: error: " in err.getvalue())
