"""`docs/scoring-scripts.md` names everything that a script sees, and every finding of ``gristmill check``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from docs.pages import rows, section, spans
from flow.mill import REPOSITORY, Mill
from gristmill.service.judgement import _PILES
from gristmill_worker.encoded import NOTICES
from gristmill_worker.frame_settings import _OURS
from gristmill_worker.script import Context

PAGE = "scoring-scripts.md"
MISTAKES = ("In the text", "When it is tried")
MAKERS = ("error", "warning", "judge")
STAGES = ("start", "import", "init", "run", "shutdown")
# Codes that are put together: what stands behind the part that varies, and what that may be.
COMPOSED = {
    "-takes-parameters": ("init", "shutdown"),
    "-never-runs": ("init", "shutdown"),
    "-ends-process": STAGES,
    "-hangs": STAGES,
}
# Given by a variable: what piles up, and what the rows lose.
BY_VARIABLE = {
    "code": [code for code, _, _ in _PILES.values()],
    "key": [key.replace("_", "-") for key in NOTICES],
}


def findings() -> dict[str, set[str]]:
    """Collect the code of every finding of the service, and what makes it: error, warning or judge."""
    found: dict[str, set[str]] = {}
    folder = REPOSITORY / "src/gristmill/service"
    for path in (*folder.glob("*.py"), *folder.glob("script/*.py")):
        if path.name == "findings.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS and len(node.args) >= 4:
                for code in codes_of(node.args[0]):
                    found.setdefault(code, set()).add(getattr(node.func, "id", ""))
    return found


def codes_of(argument: ast.expr) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {argument.value}
    if isinstance(argument, ast.JoinedStr):
        end = argument.values[-1]
        assert isinstance(end, ast.Constant)
        return {f"{part}{end.value}" for part in COMPOSED[end.value]}
    if isinstance(argument, ast.Call):
        assert isinstance(argument.func, ast.Attribute)
        argument = argument.func.value
    assert isinstance(argument, ast.Name)
    return set(BY_VARIABLE[argument.id])


def test_every_finding_is_on_the_page() -> None:
    named = [code for heading in MISTAKES for row in rows(section(PAGE, heading)) for code in spans(row[0])]

    assert len(findings()) > 60
    assert sorted(named) == sorted(findings())


@pytest.mark.parametrize(("code", "makers"), sorted(findings().items()))
def test_finding_stands_there_with_its_severity(code: str, makers: set[str]) -> None:
    table = {
        one: row[1] for heading in MISTAKES for row in rows(section(PAGE, heading)) for one in spans(row[0])
    }
    by_case = {"error", "warning", "either"}  # the text of a script decides

    assert table[code] in (by_case if "judge" in makers or len(makers) > 1 else makers)


def test_every_variable_that_a_script_sees_is_on_the_page(tmp_path: Path) -> None:
    mill = Mill(tmp_path)
    mill.inputs(["a"])
    mill.write("model.bin", "x")
    mill.script("def run(b):\n    noted('variables', '\\n'.join(os.environ))\n    return b\n")
    mill.deployment()

    mill.run("--model", "model.bin", CUDA_VISIBLE_DEVICES="0")

    own = {*mill.environment(), "LC_CTYPE", "MILL", "PWD"}  # Python itself may add the first
    seen = {*mill.lines("variables"), "CUDA_VISIBLE_DEVICES"} - own
    named = {name for row in rows(section(PAGE, "What the script sees")) for name in spans(row[0])}
    assert len(seen) > 12
    assert named == seen


def test_every_attribute_of_the_context_is_on_the_page() -> None:
    named = {name for row in rows(section(PAGE, "The functions")) for name in spans(row[0])}

    context = Context("j")
    attributes = {name for name in dir(context) if name[0] != "_" and not callable(getattr(context, name))}
    assert {f"context.{name}" for name in attributes} <= named


@pytest.mark.parametrize("name", _OURS)
def test_every_argument_of_to_csv_that_is_refused_is_on_the_page(name: str) -> None:
    assert name in spans(section(PAGE, "Data frames, written in your way"))
