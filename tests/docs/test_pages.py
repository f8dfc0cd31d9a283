"""The pages of the documentation run as written, say what comes out, and lead where they point to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from docs.pages import DOCS, PAGES, blocks, read, typed, without_blocks
from flow.mill import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
LONGEST_LINE = 120


@pytest.fixture(scope="module", params=PAGES)
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, subprocess.CompletedProcess[str]]:
    """A page, and what came of typing all of its blocks."""
    return request.param, typed(request.param, tmp_path_factory.mktemp("reader"))


def test_every_block_of_a_page_succeeds(page: tuple[str, subprocess.CompletedProcess[str]]) -> None:
    assert page[1].returncode == 0, page[1].stderr


def test_what_a_page_shows_is_what_comes_out(page: tuple[str, subprocess.CompletedProcess[str]]) -> None:
    name, ended = page
    shown = [text for _, text in blocks(name, "text")]

    assert shown
    assert [text for text in shown if text not in ended.stdout] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_begins_with_an_example(name: str) -> None:
    before, _, _ = read(name).partition("\n## ")
    assert "```bash\n" in before


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_blocks(path.read_text(encoding="utf-8")), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("name", [*PAGES, "python.md", "architecture.md", "../README.md"])
def test_internal_links_lead_somewhere(name: str) -> None:
    start = DOCS / name
    for link in LINK.findall(start.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (start.parent / file).resolve() if file else start
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", PAGES)
def test_readme_links_the_page(name: str) -> None:
    assert f"(docs/{name})" in README


@pytest.mark.parametrize("name", PAGES)
def test_lines_are_short_enough(name: str) -> None:
    prose = re.sub(r"^```text\n.*?^```$", "", read(name), flags=re.MULTILINE | re.DOTALL)
    broken = [line for line in prose.splitlines() if not line.startswith("|")]  # a table's row cannot be

    assert [line for line in broken if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_code_in_a_sentence_is_broken_over_two_lines(name: str) -> None:
    assert [line for line in without_blocks(read(name)).splitlines() if line.count("`") % 2] == []
