"""A format that could not be written in the end is refused before anything runs."""

from __future__ import annotations

import pytest

from gristmill.errors import SpecError
from gristmill.service import request
from gristmill.spec.values import OutputFormat


def test_parquet_needs_pyarrow_beside_gristmill(monkeypatch: pytest.MonkeyPatch) -> None:
    request.check_format(OutputFormat.PARQUET)
    monkeypatch.setattr(request, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"parquet needs pyarrow beside gristmill.*pip install"):
        request.check_format(OutputFormat.PARQUET)
    request.check_format(OutputFormat.JSONL)
