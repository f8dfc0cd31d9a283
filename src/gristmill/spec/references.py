"""References to what is registered: ``azureml:name:version``, and what a document looks like once they are
resolved.

How a name becomes a thing is somebody else's business: a document is loaded with a function that knows. This
module imports only the standard library and what stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as PlainMapping
from dataclasses import dataclass, field

from gristmill.spec.problems import Problem
from gristmill.spec.tree import Mapping

LATEST = "latest"
"""The label that the newest version has by itself."""
_NAME = r"[^:@/\s]+"
_SHORT = re.compile(rf"azureml:/?({_NAME})(?:@({_NAME})|:({_NAME}))?\Z", re.IGNORECASE)
#: With its end, since `/workspaces/project/data/images` is a folder, too.
_LONG = re.compile(
    rf"(?:azureml:/?)?/(?:subscriptions|workspaces)/.+/(?:models|environments|data)/({_NAME})"
    rf"/(?:labels/({_NAME})|versions/({_NAME}))\Z",
    re.IGNORECASE,
)
_COMPUTE = re.compile(rf"(?:azureml:/?)?/subscriptions/.+/computes?/({_NAME})()()\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The name of something that is registered; of version and label, one at most is set."""

    name: str
    version: str | None = None
    """As written; None: whatever the label stands for."""
    label: str | None = None
    """None, where there is no version either: the newest version."""

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        return f"{self.name}@{self.label or LATEST}"


def reference_of(text: str) -> Reference | None:
    """Take a text apart that names something that is registered.

    Parameters
    ----------
    text
        ``azureml:name:version``, ``azureml:name@label``, ``azureml:name``, or the ``id`` that ``show`` gives.

    Returns
    -------
    Reference or None
        None where it is another text.
    """
    said = text.strip()
    found = _SHORT.match(said) or _LONG.match(said) or _COMPUTE.match(said)
    return Reference(name=found[1], label=found[2] or None, version=found[3] or None) if found else None


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A document in which what is registered stands in place of its name."""

    root: Mapping
    references: PlainMapping[str, str] = field(default_factory=dict)
    """What stood at a key: ``azureml:name:version``, with the version that was found."""
    problems: tuple[Problem, ...] = ()
    """A reference that leads nowhere, each; it stands in the document as it was."""
    notices: tuple[Problem, ...] = ()
    """What the user should know."""

    def better_said(self, problems: list[Problem]) -> list[Problem]:
        """Put our problems in place of what a check, which knows no names, says at the same places."""
        ours = {one.path for one in self.problems}
        return [*(one for one in problems if one.path not in ours), *self.problems]


Resolve = Callable[[Mapping], Resolved]
"""Resolves the references of a deployment's document, in the canonical layout."""


def nothing_registered(root: Mapping) -> Resolved:
    """Resolve nothing: what a reference names is then refused."""
    return Resolved(root=root)
