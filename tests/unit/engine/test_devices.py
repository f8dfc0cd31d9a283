"""Which GPUs are visible to us, by a variable or by a made-up ``nvidia-smi``, and who gets which."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.devices import ANSWER_LIMIT_S, VISIBLE, devices_of, visible_devices

Tool = Callable[..., dict[str, str]]

MIG = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0"
UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"


@pytest.fixture
def nvidia_smi(tmp_path: Path) -> Tool:
    """Return a function that puts an ``nvidia-smi`` on PATH: it notes each call in ``calls``, then runs the
    lines given.
    """

    def nvidia_smi(lines: str, *, mode: int = 0o755) -> dict[str, str]:
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{lines}\n')
        tool.chmod(mode)
        return {"PATH": f"{tool.parent}:{os.environ['PATH']}"}

    return nvidia_smi


# Our own variable


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        ("0", ("0",)),
        ("2,0", ("2", "0")),
        (" 1 , 3 ", ("1", "3")),
        (f"{UUID},GPU-1a2b", (UUID, "GPU-1a2b")),
        (f"{MIG},MIG-77", (MIG, "MIG-77")),
        ("", ()),
        (" ", ()),
        ("-1", ()),
        ("-1,0", ()),
        ("0,-1,2", ("0",)),
        ("0,1,", ("0", "1")),
    ],
)
def test_our_own_variable_says_what_is_visible(value: str, devices: tuple[str, ...]) -> None:
    assert visible_devices({VISIBLE: value}) == devices


@pytest.mark.parametrize("value", ["3", "", "-1"])
def test_the_tool_is_not_asked_where_our_own_variable_is_set(
    nvidia_smi: Tool, tmp_path: Path, value: str
) -> None:
    visible_devices({**nvidia_smi("echo 0"), VISIBLE: value})
    assert not (tmp_path / "calls").exists()


# The tool


def test_the_tool_is_asked_once_for_the_indices(nvidia_smi: Tool, tmp_path: Path) -> None:
    assert visible_devices(nvidia_smi("echo 0; echo 1; echo 11")) == ("0", "1", "11")
    assert (tmp_path / "calls").read_text() == "--query-gpu=index --format=csv,noheader\n"


@pytest.mark.parametrize(
    "lines",
    [
        "echo 0; exit 9",
        "kill -9 $$",
        "exit 0",
        "echo No devices were found",
        "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
        r"printf '\377\376\n'",
    ],
)
def test_a_tool_that_fails_or_finds_nothing_means_no_gpu(nvidia_smi: Tool, lines: str) -> None:
    assert visible_devices(nvidia_smi(lines)) == ()


def test_a_line_that_is_no_index_is_passed_over(nvidia_smi: Tool) -> None:
    variables = nvidia_smi("echo 0; echo 'Unable to determine the device handle for GPU 1'; echo 2")
    assert visible_devices(variables) == ("0", "2")


def test_what_the_tool_says_on_standard_error_is_not_shown(
    nvidia_smi: Tool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert visible_devices(nvidia_smi("echo trouble >&2; echo 0")) == ("0",)
    assert capfd.readouterr() == ("", "")


def test_the_tool_s_standard_input_is_empty(nvidia_smi: Tool) -> None:
    assert visible_devices(nvidia_smi("cat; echo 0")) == ("0",)


def test_a_tool_that_cannot_be_executed_means_no_gpu(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/there/is/no/such/shell\n")
    tool.chmod(0o755)
    assert visible_devices({"PATH": str(tmp_path)}) == ()


@pytest.mark.parametrize("lines", ["echo 0; sleep 1000", "echo 0; sleep 1000 &"])
def test_a_tool_that_hangs_means_no_gpu_and_leaves_nothing(
    nvidia_smi: Tool, tmp_path: Path, lines: str
) -> None:
    lock = tmp_path / "held"
    os.mkfifo(lock)
    reader = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    assert visible_devices(nvidia_smi(f"exec 9> {lock}\n{lines}"), limit_s=0.5) == ()
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # all that held the other end are dead
    os.close(reader)


def test_the_tool_has_ten_seconds() -> None:
    assert ANSWER_LIMIT_S == 10


@pytest.mark.parametrize("has_path", [True, False])
def test_without_the_tool_no_process_is_spawned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_path: bool
) -> None:
    def spawned(*_: object, **__: object) -> None:
        raise AssertionError("a process was spawned")

    monkeypatch.setattr("subprocess.Popen", spawned)
    monkeypatch.setattr("os.defpath", str(tmp_path))
    assert visible_devices({"PATH": str(tmp_path)} if has_path else {}) == ()


def test_a_tool_that_may_not_be_executed_is_none(nvidia_smi: Tool, tmp_path: Path) -> None:
    variables = nvidia_smi("echo 0", mode=0o644)
    assert visible_devices({"PATH": variables["PATH"].split(":")[0]}) == ()
    assert not (tmp_path / "calls").exists()


# Who gets which


@given(st.lists(st.integers(0, 99), min_size=1, unique=True), st.integers(1, 200))
def test_gpus_are_dealt_out_in_turn_and_as_evenly_as_can_be(indices: list[int], workers: int) -> None:
    devices = [str(index) for index in indices]
    dealt = [devices_of(worker, devices) for worker in range(workers)]
    assert dealt[: len(devices)] == devices[:workers]
    shares = [dealt.count(device) for device in devices]
    assert sum(shares) == workers
    assert max(shares) - min(shares) <= 1


def test_without_a_gpu_a_worker_is_given_none() -> None:
    assert devices_of(3, ()) is None


@given(st.lists(st.integers(0, 99), min_size=1, unique=True), st.integers(1, 5))
def test_workers_with_whole_gpus_have_so_many_and_none_twice(indices: list[int], each: int) -> None:
    devices = [str(index) for index in indices]
    crew = len(devices) // each
    dealt = [str(devices_of(worker, devices, float(each))).split(",") for worker in range(crew)]
    assert [len(one) for one in dealt] == [each] * crew
    assert [device for one in dealt for device in one] == devices[: crew * each]


@given(st.integers(1, 9), st.integers(1, 9))
def test_with_half_a_gpu_each_at_most_two_workers_share_one(gpus: int, workers: int) -> None:
    devices = [str(index) for index in range(gpus)]
    dealt = [devices_of(worker, devices, 0.5) for worker in range(min(workers, 2 * gpus))]
    assert max(dealt.count(device) for device in devices) <= 2


@pytest.mark.parametrize("devices", [[], ["0", "1"]])
def test_no_gpu_for_a_worker_hides_them(devices: list[str]) -> None:
    assert devices_of(1, devices, 0.0) == ""
