"""What the environment says, and which values are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.settings import Home, Settings


def test_without_any_variable_the_defaults_hold() -> None:
    settings = Settings.from_environment({"GRISTMILL_HOME": "/h"})

    assert settings == Settings(home=Home(path=Path("/h")))
    assert (settings.workspace, settings.catalog_url, settings.max_running_jobs) == ("default", None, 1)


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = {"GRISTMILL_WORKSPACE": "", "GRISTMILL_CATALOG": "", "GRISTMILL_MAX_RUNNING_JOBS": ""}

    assert Settings.from_environment({"GRISTMILL_HOME": "/h", **empty}).workspace == "default"


def test_each_variable_is_taken() -> None:
    settings = Settings.from_environment(
        {
            "GRISTMILL_HOME": "/h",
            "GRISTMILL_WORKSPACE": "team-a",
            "GRISTMILL_CATALOG": "postgresql://me@db/x",
            "GRISTMILL_MAX_RUNNING_JOBS": "3",
        }
    )

    assert settings.workspace == "team-a"
    assert settings.catalog_url == "postgresql://me@db/x"
    assert settings.max_running_jobs == 3


@pytest.mark.parametrize("name", ["a/b", "..", " ", "-a", "a" * 65, "ä"])
def test_a_workspace_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="GRISTMILL_WORKSPACE"):
        Settings.from_environment({"GRISTMILL_WORKSPACE": name})


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_jobs_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="GRISTMILL_MAX_RUNNING_JOBS"):
        Settings.from_environment({"GRISTMILL_MAX_RUNNING_JOBS": text})


def test_a_catalog_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(SpecError, match="GRISTMILL_CATALOG") as refused:
        Settings.from_environment({"GRISTMILL_CATALOG": "mysql://me:secret@db/x"})

    assert "secret" not in str(refused.value)


def test_everything_of_a_home_lies_in_it() -> None:
    home = Home(path=Path("/h"))

    places = (
        home.jobs,
        home.environments,
        home.cache,
        home.contents,
        home.records,
        home.runner,
        home.catalog,
        home.outputs,
        home.datastores,
        home.secrets,
    )
    assert {place.parent for place in places} == {home.path}
    assert len(set(places)) == 10
