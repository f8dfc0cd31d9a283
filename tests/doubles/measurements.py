"""Measurements that nobody made: scripts of known cost, as `gristmill tune` would have seen them."""

from __future__ import annotations

from collections.abc import Callable

from gristmill.service.tuning.facts import (
    Current,
    Files,
    Measurements,
    Shares,
    SideBySide,
    SizeCost,
    Start,
)

GB = 1_000_000_000
COMPUTES = Shares(reading=0.0, computing=1.0, waiting=0.0, writing=0.0, cores=1.0)
WAITS = Shares(reading=0.0, computing=0.02, waiting=0.98, writing=0.0, cores=0.02)
READS = Shares(reading=0.7, computing=0.3, waiting=0.0, writing=0.0, cores=0.3, reading_s=0.007)


def linear(fixed_s: float, file_s: float) -> Callable[[int], float]:
    """A call that costs something, and something for each file."""
    return lambda size: fixed_s + file_s * size


def sizes(
    cost: Callable[[int], float],
    upto: int,
    memory: Callable[[int], int] = lambda _: 100_000_000,
) -> tuple[SizeCost, ...]:
    """What calls with 1, 2, 4, … files take."""
    powers = [1 << power for power in range(upto.bit_length()) if 1 << power <= upto]
    return tuple(
        SizeCost(size=n, calls=5, seconds=cost(n), slowest_s=1.1 * cost(n), peak_bytes=memory(n))
        for n in powers
    )


def crews(size: int, **files_per_s: float) -> tuple[SideBySide, ...]:
    """How fast crews were: ``crews(8, w1=100, w2=190)``."""
    return tuple(
        SideBySide(workers=int(name[1:]), size=size, files_per_s=rate) for name, rate in files_per_s.items()
    )


def measurements(
    cost: Callable[[int], float],
    *,
    files: int = 100_000,
    upto: int = 256,
    start_s: float = 0.5,
    cores: int = 4,
    memory: Callable[[int], int] = lambda _: 100_000_000,
    memory_bytes: int | None = 16 * GB,
    shares: Shares = COMPUTES,
    side_by_side: tuple[SideBySide, ...] = (),
    gpu_workers: int | None = None,
    worker_limit_bytes: int | None = None,
    growth: float = 1.0,
    slowest_file_s: float | None = None,
    current: Current | None = None,
) -> Measurements:
    """Measurements of a script on a machine."""
    upto = min(upto, files)
    return Measurements(
        files=Files(
            files=files,
            sampled=min(files, 2048),
            median_bytes=1000,
            largest_bytes=2000,
            total_bytes=1000 * files,
        ),
        start=Start(import_s=0.0, init_s=start_s, peak_bytes=memory(1), held_bytes=memory(1)),
        cores=cores,
        memory_bytes=memory_bytes,
        worker_limit_bytes=worker_limit_bytes,
        gpu_workers=gpu_workers,
        sizes=sizes(cost, upto, memory),
        shares=shares,
        side_by_side=side_by_side,
        slowest_file_s=cost(1) if slowest_file_s is None else slowest_file_s,
        growth=growth,
        current=current or Current(mini_batch_size=10, workers=1, timeout_s=30.0),
    )
