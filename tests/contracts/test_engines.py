"""The engines of the house, each held to the one suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("contracts.engine_suite")

from contracts.engine_suite import EngineSuite  # noqa: E402  # after the line that makes its asserts speak
from contracts.workshops import LocalWorkshop, ScriptedWorkshop, WarmWorkshop  # noqa: E402


class TestLocalEngine(EngineSuite):
    @pytest.fixture
    def workshop(self, tmp_path: Path) -> LocalWorkshop:
        return LocalWorkshop(tmp_path)


class TestWarmEngine(EngineSuite):
    """The second job of workers that stay loaded."""

    @pytest.fixture
    def workshop(self, tmp_path: Path) -> Iterator[WarmWorkshop]:
        workshop = WarmWorkshop(tmp_path)
        yield workshop
        workshop.warm.close()


class TestScriptedEngine(EngineSuite):
    @pytest.fixture
    def workshop(self, tmp_path: Path) -> ScriptedWorkshop:
        return ScriptedWorkshop(tmp_path)
