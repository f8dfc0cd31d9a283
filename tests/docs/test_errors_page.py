"""`docs/errors.md` has every message that a user can meet, and shows none that there is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import rows, section, spans
from flow.mill import REPOSITORY
from gristmill import errors
from gristmill.cli.exit_status import of_error
from gristmill.engine.contract import Reason

PAGE = "errors.md"
SOURCES = REPOSITORY / "src"
MESSAGES = (
    "The job failed",
    "Nothing was started",
    "The job could not go on",
    "The catalog",
    "Notices",
    "What verify finds",
)
CLASSES = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
}
# What makes a refusal of a value or a key; the classes of `errors` are the others.
MAKERS = {*CLASSES, "wrong", "PatternError", "_NoPlaceError", "ArgumentTypeError"}
# Of these only the classes of Python know an instance with a status.
WITHOUT_STATUS = {"GristmillError", "JobFailedError"}
# Cells of the first column that are no message, and words in backticks that only explain one.
NO_MESSAGES = {"score.py:12: ", "JOB", "--workers", "\\!"}


def text_of(node: ast.expr) -> str:
    """Return a text as it stands in the source, with … for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "…"


def nodes(folder: Path) -> Iterator[ast.AST]:
    for path in sorted(folder.rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def refusals() -> set[str]:
    """Collect the message of every error that is made, but for those that only hand others on."""
    found = set()
    for node in nodes(SOURCES):
        if isinstance(node, ast.Call) and node.args:
            func = node.func
            name = getattr(func, "id", "") or getattr(func, "attr", "")
            if name in MAKERS or (name == "error" and isinstance(func, ast.Attribute)):
                found.add(text_of(node.args[0]))
    for node in nodes(SOURCES / "gristmill/spec"):  # elsewhere, what is called so belongs to a finding
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "what":
            found.add(text_of(node.value))
    return {text for text in found if len(re.sub(r"\W|remove it|got|1", "", text)) > 2}


def texts() -> str:
    """Join all texts of the sources, one a line."""
    return "\n".join(
        text_of(node) for node in nodes(SOURCES) if isinstance(node, (ast.Constant, ast.JoinedStr))
    )


def phrases(*headings: str) -> set[str]:
    """Return the messages that the page shows below some headings."""
    found = {
        phrase for heading in headings for row in rows(section(PAGE, heading)) for phrase in spans(row[0])
    }
    for heading in ("The input", "The files beside a deployment", "The job could not go on"):
        lines = [line for line in section(PAGE, heading).splitlines() if not line.startswith("|")]
        found |= {span for span in spans("\n".join(lines)) if " " in span}
    return {phrase for phrase in found if phrase not in NO_MESSAGES and not phrase.startswith("gristmill ")}


def pattern(phrase: str) -> re.Pattern[str]:
    """Return what finds a phrase in one line of the texts; `…` stands for anything."""
    return re.compile(".*".join(map(re.escape, phrase.strip("… ").split("…"))))


SHOWN = [pattern(phrase) for phrase in phrases(*MESSAGES) - {"must be …", "… cannot be read: …"}]
TEXTS = texts()


@pytest.mark.parametrize("message", sorted(refusals()))
def test_every_refusal_is_on_the_page(message: str) -> None:
    in_one_line = message.replace("\n", " ")
    is_general = in_one_line.startswith(("must be …", "… cannot be read: …"))

    assert is_general or any(shown.search(in_one_line) for shown in SHOWN)


@pytest.mark.parametrize("phrase", sorted(phrases(*MESSAGES)))
def test_every_message_of_the_page_is_one_of_ours(phrase: str) -> None:
    assert pattern(phrase).search(TEXTS)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_has_its_exit_status(name: str) -> None:
    table = {spans(row[0])[0]: row[2] for row in rows(section(PAGE, "The classes"))}
    expected = "" if name in WITHOUT_STATUS else str(int(of_error(vars(errors)[name]())))

    assert table[name] == expected
    assert len(table) == len(CLASSES)


def test_every_reason_is_explained() -> None:
    table = [spans(row[0])[0] for row in rows(section(PAGE, "Items failed"))]

    assert sorted(table) == sorted(reason.value for reason in Reason)
