"""The pages of the documentation, taken apart for the tests beside this file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from flow.mill import REPOSITORY, Mill

DOCS = REPOSITORY / "docs"
PAGES = (
    "scoring-scripts.md",
    "deployment-yaml.md",
    "cli.md",
    "errors.md",
    "environments.md",
    "tuning.md",
    "mlflow-models.md",
    "coming-from-azure-ml.md",
    "endpoints.md",
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def read(page: str) -> str:
    """Return the text of a page of ``docs/``."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str, *kinds: str) -> list[tuple[str, str]]:
    """Return kind and text of the code blocks of these kinds, in their order."""
    return [(kind, text) for kind, text in _BLOCK.findall(read(page)) if kind in kinds]


def without_blocks(text: str) -> str:
    return _BLOCK.sub("", text)


def spans(text: str) -> list[str]:
    """Return what stands between backticks, outside of code blocks."""
    return _INLINE.findall(without_blocks(text))


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next one of its level or above."""
    text = without_blocks(read(page))
    found = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    assert found is not None, f"{page} has no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = [number for number, line in enumerate(lines) if re.fullmatch(r"[|\-: ]+", line)]
    left_out = {*heads, *(number - 1 for number in heads)}
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for n, line in enumerate(lines) if n not in left_out]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def typed(page: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type the bash and python blocks of a page, one after the other, in a folder."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in (("gristmill", "-m gristmill"), ("python3", "")):
        entry = programs / name
        entry.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        entry.chmod(0o755)
    environment = {
        **Mill(folder).environment(),
        "HOME": str(folder),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    parts = [
        text if kind == "bash" else f"python3 - <<'PYTHON_BLOCK'\n{text}PYTHON_BLOCK\n"
        for kind, text in blocks(page, "bash", "python")
    ]
    (folder / "work").mkdir()
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(parts)],
        cwd=folder / "work",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
