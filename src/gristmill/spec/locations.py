"""Where data lies, as one text, and back: what a file would say."""

from __future__ import annotations

import re
from pathlib import Path

from gristmill.spec.asset_values import Location
from gristmill.spec.references import Reference, reference_of

_DATASTORE = re.compile(r"azureml://datastores/([^/]+)/paths/?(.*)", re.IGNORECASE | re.DOTALL)


def in_datastore(text: str) -> Location | None:
    """Take a path in a datastore apart; None where it is another text."""
    found = _DATASTORE.fullmatch(text)
    return Location(datastore=found[1], below=found[2]) if found else None


def as_text(location: Location) -> str:
    """Write a location as a file would, a path of this machine whole."""
    if location.datastore is not None:
        return f"azureml://datastores/{location.datastore}/paths/{location.below}"
    if location.asset is not None:
        return f"azureml:{location.asset}"
    return location.address or str(location.path)


def location_of(text: str) -> Location:
    """Return the location that `as_text` has written."""
    if text.startswith("/") and not text.startswith("//"):
        return Location(path=Path(text))
    reference: Reference | None = reference_of(text)
    if reference is not None:
        return Location(asset=reference)
    return in_datastore(text) or Location(address=text)
