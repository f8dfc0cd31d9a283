"""What a bare script is run with: a deployment that nobody had to write (contract, end of section 2).

Its defaults serve a newcomer, and differ from those of a deployment file. They are a document like any other,
so that options over them are checked by the same schema.
"""

from __future__ import annotations

from pathlib import Path

from gristmill.spec.tree import Mapping, Place, tree


def bare_document(script: Path) -> Mapping:
    """Make the document of a bare script.

    Parameters
    ----------
    script
        The script, absolute.

    Returns
    -------
    Mapping
        In the canonical layout: as many workers as fit, ten minutes for one call of ``run()``, a stop at 20 %
        failed items, and comma-separated rows with a header.
    """
    code = {"code": str(script.parent), "scoring_script": script.name}
    return _for_a_newcomer(script, {"code_configuration": code})


def bare_model_document(model: Path) -> Mapping:
    """Make the document of an MLflow model that comes without anything else; see `bare_document`."""
    return _for_a_newcomer(model, {"model": str(model)})


def _for_a_newcomer(path: Path, what: dict[str, object]) -> Mapping:
    root = tree(
        {
            **what,
            "settings": {"retry_settings": {"timeout": 600}},
            "gristmill": {"workers": "auto", "error_threshold": "20%", "output_format": "csv"},
        },
        Place(origin=str(path), folder=path.parent),
    )
    assert isinstance(root, Mapping)
    return root
