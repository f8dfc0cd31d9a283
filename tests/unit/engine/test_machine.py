"""How much memory this machine lets us take: what is free, and what our control groups leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.engine.machine import available_memory

KIB, MIB = 1 << 10, 1 << 20


def written(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    free = "MemTotal:       9000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n"
    return written(tmp_path / "proc", {"meminfo": free, "self/cgroup": "0::/outer/inner\n"})


def version_2(limit: object, used: int, idle: int, folder: str = "") -> dict[str, str]:
    return {
        f"{folder}memory.max": f"{limit}\n",
        f"{folder}memory.current": f"{used}\n",
        f"{folder}memory.stat": f"anon 5\ninactive_file {idle}\nactive_file 7\n",
    }


def version_1(limit: int, used: int, idle: int) -> dict[str, str]:
    return {
        "memory/memory.limit_in_bytes": f"{limit}\n",
        "memory/memory.usage_in_bytes": f"{used}\n",
        "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {idle}\n",
    }


@pytest.mark.parametrize(
    ("files", "available"),
    [
        ({}, 8000 * KIB),
        (version_2("max", 5, 0), 8000 * KIB),
        (version_2(4 * MIB, 3 * MIB, MIB), 2 * MIB),
        (version_2(100 * MIB, 3 * MIB, MIB), 8000 * KIB),
        (version_2(MIB, 3 * MIB, MIB), 0),
        (version_1(4 * MIB, 3 * MIB, MIB), 2 * MIB),
        (version_1(9223372036854771712, 3 * MIB, MIB), 8000 * KIB),
        (version_2("max", 5, 0) | version_2(4 * MIB, MIB, 0, "outer/"), 3 * MIB),
        (version_2(9 * MIB, 5 * MIB, 0, "outer/") | version_2(3 * MIB, MIB, 0, "outer/inner/"), 2 * MIB),
        ({"memory.max": "much\n", "memory.current": "1"}, 8000 * KIB),
    ],
)
def test_available_memory_is_the_least_that_anybody_leaves(
    tmp_path: Path, proc: Path, files: dict[str, str], available: int
) -> None:
    assert available_memory(written(tmp_path / "cgroup", files), proc) == available


def test_a_group_of_version_1_is_found_below_its_controller(tmp_path: Path, proc: Path) -> None:
    (proc / "self/cgroup").write_text("5:cpu,cpuacct:/\n4:blkio,memory:/job/one\n0::/other\n")
    files = {f"memory/job/one/{Path(path).name}": text for path, text in version_1(MIB, 0, 0).items()}
    assert available_memory(written(tmp_path / "cgroup", files), proc) == MIB


def test_where_nothing_is_told_nobody_knows(tmp_path: Path) -> None:
    assert available_memory(tmp_path, tmp_path) is None


def test_this_machine_has_memory() -> None:
    assert (available_memory() or 0) > 0
