"""Advice is given only where it is true and something can be done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gristmill.service.advice import Circumstances, advice

FINE = Circumstances(
    workers=8,
    chose_workers=False,
    cores=8,
    mini_batches=1000,
    timeout_s=30.0,
    memory=64_000_000_000,
    model_bytes=1_000_000_000,
    largest_file="/in/a",
    largest_bytes=1000,
)


def test_where_all_is_well_nothing_is_said() -> None:
    assert advice(FINE) == ()


def test_idle_cores_are_worth_a_word() -> None:
    (said,) = advice(replace(FINE, workers=1, cores=64))
    assert said == "1 of 64 cores in use: --workers auto uses all of them"


@pytest.mark.parametrize(
    "circumstances",
    [
        replace(FINE, workers=1, cores=64, chose_workers=True),
        replace(FINE, workers=1, cores=64, mini_batches=1),
        replace(FINE, workers=5),
    ],
    ids=["typed for this run", "one mini-batch", "most cores in use"],
)
def test_idle_cores_that_nobody_can_use_are_not(circumstances: Circumstances) -> None:
    assert advice(circumstances) == ()


def test_models_that_do_not_fit_in_memory_are_told_with_what_fits() -> None:
    (said,) = advice(replace(FINE, model_bytes=11_250_000_000))
    assert said == "8 model copies need about 90 of 64 GB: --workers 5 fits"


def test_memory_that_nobody_knows_is_no_reason_for_advice() -> None:
    assert advice(replace(FINE, model_bytes=11_250_000_000, memory=None)) == ()


def test_a_giant_file_is_told_by_name_and_size() -> None:
    (said,) = advice(replace(FINE, largest_bytes=5_000_000_000, largest_file="/in/all.csv"))
    assert said.startswith("one 5.0 GB file is one mini-batch (/in/all.csv): one worker alone scores it")
