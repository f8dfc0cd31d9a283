"""The GPU and the MLflow store that each worker finds in its environment (contract, section 1.4)."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from doubles.assignment import TELL, Bench, Shift
from gristmill.engine.contract import Span
from gristmill.engine.local import LocalEngine
from gristmill.errors import JobError
from worker.conftest import Serve, Served

Open = Callable[..., tuple[Bench, Shift]]

GPU, STORE = "CUDA_VISIBLE_DEVICES", "MLFLOW_TRACKING_URI"

TELLS = f"""
    def init():
        for name in ("{GPU}", "{STORE}"):
            tell(name, os.environ["GRISTMILL_WORKER_INDEX"] + "=" + os.environ.get(name, "(not set)"))


    def run(mini_batch):
        return mini_batch
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have an ``nvidia-smi`` that knows three GPUs and notes each call, and nothing set; return its notes."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho call >> {tmp_path}/calls\necho 0; echo 1; echo 2\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    for name in (GPU, STORE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "calls"


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Open]:
    """Return a function that starts an engine and leaves it open, so that every worker comes to life."""
    engines: list[LocalEngine] = []

    def open_engine(script: str, **settings: object) -> tuple[Bench, Shift]:
        bench = Bench(tmp_path, TELL + textwrap.dedent(script))
        engines.append(bench.engine(**settings))
        engines[-1].start()
        return bench, Shift(engines[-1])

    yield open_engine
    for engine in engines:
        engine.halt()
        engine.close()


def started(open_engine: Open, name: str, **settings: object) -> list[str]:
    """Return what each worker has in a variable, by its number, once all are ready."""
    bench, shift = open_engine(TELLS, **settings)
    shift.ready(bench.assignment.workers)
    return sorted(bench.told(name))


def store(served: Served) -> str:
    [told] = served.bench.told(STORE)
    return told.partition("=")[2]


# GPUs


def test_each_worker_is_given_one_gpu_in_turn_and_the_tool_is_asked_once(
    open_engine: Open, surroundings: Path
) -> None:
    assert started(open_engine, GPU, workers=4) == ["0=0", "1=1", "2=2", "3=0"]
    assert surroundings.read_text() == "call\n"


@pytest.mark.parametrize(
    ("each", "workers", "found"),
    [
        (0.0, 2, ["0=", "1="]),
        (0.5, 4, ["0=0", "1=1", "2=2", "3=0"]),
        (1.0, 3, ["0=0", "1=1", "2=2"]),
        (3.0, 1, ["0=0,1,2"]),
    ],
)
def test_each_worker_is_given_as_many_gpus_as_were_asked_for(
    open_engine: Open, each: float, workers: int, found: list[str]
) -> None:
    assert started(open_engine, GPU, workers=workers, gpus_per_worker=each) == found


def test_hidden_gpus_are_not_even_asked_for(open_engine: Open, surroundings: Path) -> None:
    started(open_engine, GPU, gpus_per_worker=0.0)
    assert not surroundings.exists()


def test_an_engine_with_too_few_gpus_does_not_start(open_engine: Open) -> None:
    with pytest.raises(JobError, match="2 workers with 2 GPUs each: that is 4, and 3 visible"):
        open_engine(TELLS, workers=2, gpus_per_worker=2.0)


def test_the_deployment_s_own_gpus_are_enough_for_any_number(open_engine: Open) -> None:
    settings = {"workers": 2, "gpus_per_worker": 4.0, "variables": {GPU: "7"}}
    assert started(open_engine, GPU, **settings) == ["0=7", "1=7"]


def test_our_own_gpus_are_dealt_out_and_the_tool_is_not_asked(
    open_engine: Open, surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GPU, "GPU-1a,MIG-GPU-2b/7/0")
    assert started(open_engine, GPU, workers=3) == ["0=GPU-1a", "1=MIG-GPU-2b/7/0", "2=GPU-1a"]
    assert not surroundings.exists()


@pytest.mark.parametrize("value", ["", "0", "0,2"])
def test_the_deployment_s_own_value_is_left_alone_and_the_tool_is_not_asked(
    open_engine: Open, surroundings: Path, value: str
) -> None:
    found = started(open_engine, GPU, workers=2, variables={GPU: value})
    assert found == [f"0={value}", f"1={value}"]
    assert not surroundings.exists()


@pytest.mark.parametrize("value", ["", "-1"])
def test_gpus_that_are_hidden_from_us_stay_hidden(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(GPU, value)
    assert started(open_engine, GPU) == [f"0={value}"]


def test_without_a_gpu_nothing_is_set(open_engine: Open, tmp_path: Path) -> None:
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert started(open_engine, GPU) == ["0=(not set)"]


def test_a_worker_that_is_replaced_is_given_the_same_gpu_without_asking_again(
    open_engine: Open, surroundings: Path
) -> None:
    bench, shift = open_engine(
        """
        def init():
            tell("gpu", os.environ["GRISTMILL_WORKER_INDEX"] + "=" + os.environ["CUDA_VISIBLE_DEVICES"])


        def run(mini_batch):
            os._exit(3)
        """,
        workers=2,
    )
    shift.ready(2)
    shift.serve([Span(0)])
    shift.ready(3)
    told = bench.told("gpu")
    assert len(told) == 3
    assert set(told) == {"0=0", "1=1"}
    assert surroundings.read_text() == "call\n"


# The MLflow store


def test_the_mlflow_store_is_in_the_job_folder_and_is_not_made_by_us(serve: Serve) -> None:
    served = serve(TELLS)
    folder = served.bench.folder / "job" / "mlruns"
    assert store(served) == folder.as_uri()
    assert store(served).startswith("file:///")
    assert not folder.exists()


def test_a_job_folder_with_odd_characters_is_percent_encoded(serve: Serve, tmp_path: Path) -> None:
    job = tmp_path / "my job #1 100%? é"
    served = serve(TELLS, logs=job / "logs" / "user")
    address = urlsplit(store(served))
    assert (address.scheme, address.netloc, address.query, address.fragment) == ("file", "", "", "")
    assert address.path.isascii()
    assert " " not in address.path
    assert unquote(address.path) == str(job / "mlruns")


def test_the_user_s_own_mlflow_store_is_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE, "sqlite:////elsewhere/mlflow.db")
    assert store(serve(TELLS)) == "sqlite:////elsewhere/mlflow.db"


def test_an_empty_mlflow_store_in_our_surroundings_counts_as_none(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE, "")
    served = serve(TELLS)
    assert store(served) == (served.bench.folder / "job" / "mlruns").as_uri()


def test_the_deployment_s_mlflow_store_is_kept_before_the_user_s(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE, "file:///users")
    assert store(serve(TELLS, variables={STORE: "file:///deployments"})) == "file:///deployments"


def test_of_mlflow_only_the_store_and_the_leave_to_use_it_are_set(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    served = serve(
        """
        def run(mini_batch):
            tell("names", *sorted(name for name in os.environ if name.startswith("MLFLOW_")))
            return mini_batch
        """,
        mini_batch_size=20,
    )
    assert served.bench.told("names") == [f"MLFLOW_ALLOW_FILE_STORE {STORE}"]
