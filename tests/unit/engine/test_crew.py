"""How many workers fit on a machine, by its cores, GPUs and memory (contract, sections 1.4 and 2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.crew import Crew, Resources, crew_for, resources_for, size_of
from gristmill.errors import RequestError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from gristmill.spec.values import Deployment

GIB = 1 << 30
MACHINE = Resources(cores=8, memory=64 * GIB, devices=(), names_devices=False)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "score.py"
    path.write_text("def run(mini_batch): return mini_batch\n")
    return path


def deployment(script: Path, **extensions: object) -> Deployment:
    overrides = [
        Override(path=f"gristmill.{key}", value=value, origin=f"--{key}") for key, value in extensions.items()
    ]
    return load(script, overrides)


def crew(script: Path, resources: Resources, **extensions: object) -> Crew:
    return crew_for(deployment(script, **extensions), resources)


def gpus(number: int, **more: object) -> Resources:
    return replace(MACHINE, devices=tuple(map(str, range(number))), **more)


def test_auto_takes_every_usable_core_where_nothing_else_binds(script: Path) -> None:
    assert crew(script, MACHINE) == Crew(workers=8)


@pytest.mark.parametrize(
    ("each", "visible", "workers"),
    [(None, 3, 3), (None, 20, 8), (0, 3, 8), (0.5, 3, 6), (0.25, 3, 8), (1, 3, 3), (2, 5, 2), (1, 9, 8)],
)
def test_auto_takes_as_many_workers_as_the_gpus_serve(
    script: Path, each: float | None, visible: int, workers: int
) -> None:
    assert crew(script, gpus(visible), gpus_per_worker=each).workers == workers


def test_auto_says_when_gpus_decide_and_what_starts_more(script: Path) -> None:
    assert crew(script, gpus(2)).notices == (
        "2 workers for 2 GPUs (1 each); if the script uses none, --set gristmill.gpus_per_worker=0 starts 8",
    )


@pytest.mark.parametrize(("megabytes", "workers"), [(100, 1), (399, 1), (400, 2), (1000, 5), (9000, 8)])
def test_auto_leaves_200_megabytes_for_each_worker(script: Path, megabytes: int, workers: int) -> None:
    assert crew(script, replace(MACHINE, memory=megabytes * 10**6)).workers == workers


def test_auto_leaves_twice_the_model_for_each_worker(script: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "below").mkdir(parents=True)
    (model / "a").write_bytes(bytes(1_000_000))
    (model / "below" / "b").write_bytes(bytes(1_500_000))
    found = load(script, [Override(path="model", value=model, origin="--model")])

    made = crew_for(found, replace(MACHINE, memory=3 * 205_000_000))

    assert size_of(model) == 2_500_000
    assert made.workers == 3
    assert made.notices == (
        "3 workers although more would have a core: a worker with its model is taken to need 0.2 GB, and "
        "0.6 GB are available; --workers N starts more",
    )


def test_auto_does_without_memory_where_nobody_knows_it(script: Path) -> None:
    assert crew(script, replace(MACHINE, memory=None)).workers == 8


@given(cores=st.integers(1, 99), memory=st.none() | st.integers(0, 1 << 40), visible=st.integers(0, 9))
def test_auto_has_at_least_one_worker_and_no_more_than_cores(
    tmp_path_factory: pytest.TempPathFactory, cores: int, memory: int | None, visible: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "score.py"
    file.write_text("def run(mini_batch): return mini_batch\n")
    assert 1 <= crew(file, gpus(visible, cores=cores, memory=memory)).workers <= cores


def test_a_number_that_was_asked_for_is_taken_whatever_the_machine_has(script: Path) -> None:
    assert crew(script, gpus(1, memory=1), workers=40) == Crew(workers=40)


@pytest.mark.parametrize(
    ("workers", "each", "visible", "told"),
    [
        (4, 1, 2, "4 workers with 1 GPU each: that is 4, and 2 visible (by nvidia-smi, or "
         "CUDA_VISIBLE_DEVICES where it is set); use at most 2 (--workers 2), or a smaller "
         "gristmill.gpus_per_worker: 0.5 lets two workers share one"),
        (1, 2, 0, "1 worker with 2 GPUs each: that is 2, and 0 visible"),
        ("auto", 2, 1, "1 worker with 2 GPUs each: that is 2, and 1 visible"),
    ],
)  # fmt: skip
def test_too_few_whole_gpus_are_refused_with_the_numbers_and_the_remedy(
    script: Path, workers: object, each: float, visible: int, told: str
) -> None:
    with pytest.raises(RequestError) as refused:
        crew(script, gpus(visible), workers=workers, gpus_per_worker=each)
    assert str(refused.value).startswith(told)


def test_as_many_gpus_as_asked_for_are_enough(script: Path) -> None:
    assert crew(script, gpus(4), workers=2, gpus_per_worker=2) == Crew(workers=2)


def test_a_deployment_that_names_its_own_gpus_is_never_refused(script: Path) -> None:
    own = replace(MACHINE, names_devices=True)
    assert crew(script, own, workers=4, gpus_per_worker=2) == Crew(workers=4)


@pytest.mark.parametrize(
    ("workers", "visible", "notices"),
    [
        (4, 2, ()),
        (5, 2, ("5 workers share 2 GPUs, and gristmill.gpus_per_worker 0.5 has room for 4; --workers 4 keeps "
                "to it",)),
        (1, 0, ("gristmill.gpus_per_worker is 0.5, and no GPU is visible; the workers run without one",)),
    ],
)  # fmt: skip
def test_shares_of_gpus_are_noticed_where_they_do_not_hold(
    script: Path, workers: int, visible: int, notices: tuple[str, ...]
) -> None:
    assert crew(script, gpus(visible), workers=workers, gpus_per_worker=0.5).notices == notices


# Looking it up


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("extensions", "devices"),
    [
        ({}, ("5", "7")),
        ({"workers": 3}, ()),
        ({"workers": 3, "gpus_per_worker": 1}, ("5", "7")),
        ({"gpus_per_worker": 0}, ()),
    ],
)
def test_gpus_are_looked_up_only_where_their_number_matters(
    script: Path, extensions: dict[str, object], devices: tuple[str, ...]
) -> None:
    assert resources_for(deployment(script, **extensions)).devices == devices


@pytest.mark.usefixtures("two_gpus")
def test_a_deployment_s_own_gpus_are_not_counted(script: Path) -> None:
    variables = Override(path="environment_variables.CUDA_VISIBLE_DEVICES", value="0", origin="--set")
    found = resources_for(load(script, [variables]))
    assert (found.devices, found.names_devices) == ((), True)
