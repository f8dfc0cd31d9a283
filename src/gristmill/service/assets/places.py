"""Places that are written as in a workspace of the original, and lie on this machine all the same.

``azureml://jobs/<job>/outputs/score/paths/<path>`` is what a job has written; of a model also
``azureml://datastores/<name>/paths/<path>``, since its files are kept. (Data in a datastore stays one.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.service.job_resource import OUTPUT_NAME, find_job
from gristmill.settings import Home
from gristmill.spec.assets import Source
from gristmill.spec.document import read_document
from gristmill.spec.locations import in_datastore
from gristmill.spec.overrides import Override
from gristmill.spec.tree import Scalar

_JOB = re.compile(r"azureml://jobs/([^/]+)/outputs/([^/]+)(?:/paths/?(.*))?", re.IGNORECASE | re.DOTALL)
_PATH = "path"


def with_job_output(source: Source, overrides: Sequence[Override], home: Home) -> Sequence[Override]:
    """Put the path itself in place of one that names the output of a job.

    Returns
    -------
    sequence of Override
        The overrides, with one more where there was such a path.

    Raises
    ------
    UnknownJobError
        There is no such job.
    SpecError
        It has no such output.
    """
    said, origin = _said(source, overrides)
    found = _JOB.fullmatch(said)
    if found is None:
        return overrides
    job, output, below = found[1], found[2], found[3] or ""
    if output.lower() != OUTPUT_NAME or ".." in below.split("/"):
        raise SpecError(
            f"{origin}: is no output of a job; the form is azureml://jobs/{job}/outputs/{OUTPUT_NAME}/paths/<path>"
        )
    return [*overrides, _path(find_job(home, job).job.output / below, origin)]


def with_datastore_path(
    source: Source, overrides: Sequence[Override], path_of: Callable[[str, str], Path]
) -> Sequence[Override]:
    """Put the path itself in place of one in a datastore.

    Parameters
    ----------
    source, overrides
        What is said of a model.
    path_of
        Gives the path of what lies in a datastore, or refuses.
    """
    said, origin = _said(source, overrides)
    place = in_datastore(said)
    if place is None or place.datastore is None or ".." in place.below.split("/"):
        return overrides  # the last is refused where paths are judged
    return [*overrides, _path(path_of(place.datastore, place.below), origin)]


def _said(source: Source, overrides: Sequence[Override]) -> tuple[str, str]:
    """Return the path as it is said, and where it is."""
    for override in reversed(overrides):
        if override.path == _PATH:
            return str(override.text or override.value or ""), override.origin
    if isinstance(source, Path):
        try:
            entry = read_document(source).root.entries.get(_PATH)
        except SpecError:
            return "", ""  # it is told when the file is loaded
        if entry is not None and isinstance(entry.node, Scalar):
            return entry.node.text, f"{entry.node.place.origin}: {_PATH}"
    return "", ""


def _path(path: Path, origin: str) -> Override:
    return Override(path=_PATH, value=str(path), origin=origin)
