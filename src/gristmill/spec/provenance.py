"""Provenance: where columns that say whence a row comes cannot be."""

from __future__ import annotations

from gristmill.spec.problems import Problem
from gristmill.spec.schema import DeploymentFile
from gristmill.spec.tree import Mapping
from gristmill.spec.values import OutputFormat


def unfit_provenance(root: Mapping, file: DeploymentFile) -> Problem | None:
    """Say that columns are asked for in a format that has no room for them."""
    if not file.gristmill.provenance or file.gristmill.output_format is not OutputFormat.AZURE:
        return None
    section = root.entries["gristmill"].node
    assert isinstance(section, Mapping), "it was checked"
    entry = section.entries["provenance"]
    what = (
        "needs the output format csv, jsonl or parquet: rows in Azure's format are what run() returned, and"
        " nothing else; add 'output_format: csv' to gristmill, or --format csv"
    )
    return Problem(place=entry.node.place, path=entry.path, what=what)
