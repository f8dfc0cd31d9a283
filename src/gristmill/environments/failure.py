"""What is said when an environment cannot be built: what to do, the tool's own words, and the lines of the
conda file that they are about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gristmill.environments.python_wish import name_of
from gristmill.errors import BuildError
from gristmill.spec.packages import Line, Packages

_MOST_WORDS = 30
_MOST_LINES = 5
_NOISE = "Using Python "  # uv says first where it works
_REMEDIES = (
    (
        re.compile(r"no space left on device|os error 28|disk quota exceeded|os error 122", re.IGNORECASE),
        "the disk is full: make room in {home}, or set GRISTMILL_HOME to a folder on another",
    ),
    (
        re.compile(r"\b(?:401|403|407)\b|unauthorized|forbidden|authentication", re.IGNORECASE),
        "the registry refuses: check its address and the credentials in pip's or uv's settings",
    ),
    (
        re.compile(r"network was disabled|--offline|offline mode|because the network", re.IGNORECASE),
        "only what was fetched before can be installed offline: leave --offline out, or name a folder of "
        "packages with --find-links",
    ),
    (
        re.compile(
            r"failed to fetch|error sending request|dns error|connection refused|connect error|timed out"
            r"|network is unreachable|could not connect|temporary failure in name resolution|GatewayError"
            r"|NewConnectionError|request failed|failed to lookup address",
            re.IGNORECASE,
        ),
        "the registry does not answer: check the network, and its address in pip's or uv's settings",
    ),
)
_OTHERWISE = "correct the file, or name a Python that has the packages with --python PATH"


def build_failed(packages: Packages, what: str, words: Sequence[str], home: Path) -> BuildError:
    """Make the error of a build that failed.

    Parameters
    ----------
    packages
        What was to be built.
    what
        What could not be done, as the rest of a sentence.
    words
        What the tool said.
    home
        The folder that environments are kept in.

    Returns
    -------
    BuildError
        Its last lines are the tool's words and the lines of the conda file that they name.
    """
    said = [line.rstrip() for line in words if line.strip() and not line.startswith(_NOISE)][-_MOST_WORDS:]
    text = "\n".join(said)
    remedy = next((remedy for pattern, remedy in _REMEDIES if pattern.search(text)), _OTHERWISE)
    head = f"the environment {packages.name} cannot be built: {what}; {remedy.format(home=home)}"
    named = [f"{line.place}: {line.text}" for line in _lines_of(packages, text)]
    return BuildError("\n".join([head, *(f"  {line}" for line in said), *named]))


def _lines_of(packages: Packages, text: str) -> list[Line]:
    """Return the lines of the conda file whose packages the tool's words name."""
    known = [line for line in (*packages.pip, *packages.conda) if not line.text.startswith("--")]
    found = [line for line in known if _is_named(line, text)]
    # What a folder's own build said does not name the folder.
    found = found or [line for line in known if line.text.startswith("/")]
    return found[:_MOST_LINES]


def _is_named(line: Line, text: str) -> bool:
    if line.text.startswith("/"):
        return line.text in text
    name = re.split(r"[\s=<>!~;\[@]", name_of(line.text))[0]
    pattern = r"[-_.]+".join(re.escape(part) for part in re.split(r"[-_.]+", name) if part)
    return bool(pattern) and re.search(rf"(?<![\w.-]){pattern}(?![\w-])", text, re.IGNORECASE) is not None
