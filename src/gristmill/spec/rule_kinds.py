"""What the parts of ``gristmill.stop_when`` may hold; how rules look as values is said in ``stop_rules``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gristmill.errors import SpecError
from gristmill.spec.document import parse_document
from gristmill.spec.kinds import whole_number, wrong
from gristmill.spec.stop_rules import StopRule
from gristmill.spec.tree import Mapping, Node, Scalar, Sequence, got

#: The largest window, in items: so many failures are remembered one by one.
LARGEST_WINDOW = 10_000
MOST_RULES = 20
DEFAULT_MINIMUM = 100
"""Items that must have ended before a share counts, unless the rule says otherwise."""
EXAMPLE = "'{class: memory, count: 5}'"
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*%\s*")


def rules(node: Any) -> tuple[Node, ...]:
    """Take a list of rules, one rule alone, or the text of either."""
    node = _read(node) if isinstance(node, Scalar) else node
    found = node.items if isinstance(node, Sequence) else (node,)
    if len(found) > MOST_RULES:
        raise wrong(f"must be at most {MOST_RULES} rules (got {len(found)})")
    return found


def rule(node: Node) -> Node:
    """Take one rule, which is a mapping."""
    if not isinstance(node, Mapping):
        raise wrong(f"must be a rule such as {EXAMPLE} {got(node)}")
    return node


def share(node: Any) -> float:
    """Take a share of the items as a percentage."""
    found = _PERCENT.fullmatch(node.text) if isinstance(node, Scalar) else None
    if found is None or not 0 < float(found[1]) <= 100:
        raise wrong(f"must be a share such as 30%, above 0% and at most 100% {got(node)}")
    return float(found[1]) / 100


def window(node: Any) -> int:
    """Take how many items that ended last are looked at."""
    given = whole_number(1)(node)
    if given > LARGEST_WINDOW:
        raise wrong(f"must be at most {LARGEST_WINDOW} items {got(node)}; leave it out to look at all items")
    return given


def fitting(made: StopRule, minimum: int | None) -> StopRule:
    """Take the parts of a rule together; ``minimum`` is the one that was given."""
    if (made.count is None) == (made.fraction is None):
        raise wrong(f"needs one of 'count' and 'fraction', as in {EXAMPLE} or '{{fraction: 30%}}'")
    if made.count is not None and minimum is not None:
        raise wrong("has a 'minimum', which goes with 'fraction' only; remove it")
    if made.window is not None and made.count is not None and made.count > made.window:
        raise wrong(
            f"can never hold: of {made.window} items no {made.count} can fail; make 'count' smaller or"
            " 'window' larger"
        )
    if made.window is not None and minimum is not None and minimum > made.window:
        raise wrong("can never hold: 'minimum' is larger than 'window'; make it smaller")
    return made


def _read(node: Scalar) -> Node:
    """Read the text that stands where a list belongs: behind ``--set``, or among the properties."""
    refusal = wrong(f"must be a list of rules such as [{EXAMPLE[1:-1]}] {got(node)}")
    try:
        document = parse_document(f"rules: {node.text}", "rules", Path())
    except SpecError:
        raise refusal from None
    found = [entry.node for entry in document.root.entries.values()]
    if document.problems or len(found) != 1 or isinstance(found[0], Scalar):
        raise refusal
    return found[0]
