"""Ages as they are typed."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from gristmill.cli.parser import age_argument


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("30d", 720), ("8w", 1344), ("0h", 0), ("9999w", 1679832)]
)
def test_an_age_is_a_number_with_its_unit(text: str, hours: float) -> None:
    assert age_argument(text) == hours


@pytest.mark.parametrize("text", ["", "d", "30", "-1d", "1.5d", "30m", "99999d", "²d", "1 d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="a number of hours, days or weeks: 12h, 30d, 8w"):
        age_argument(text)
