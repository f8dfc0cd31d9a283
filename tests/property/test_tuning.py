"""Whatever is measured, what is recommended is possible, and no slower than anything else that is."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from doubles.measurements import COMPUTES, READS, WAITS, linear, measurements
from gristmill.service.tuning.decision import (
    LONGEST_MINI_BATCH_S,
    MEMORY_SHARE,
    SIZE_WITHIN,
    WORKERS_WITHIN,
    decide,
)
from gristmill.service.tuning.facts import Current

MB = 1_000_000


@given(
    fixed_s=st.floats(0, 100),
    file_s=st.floats(1e-7, 100),
    files=st.integers(1, 10**7),
    upto=st.sampled_from([1, 4, 64, 1024]),
    cores=st.integers(1, 128),
    start_s=st.floats(0, 100),
    memory=st.tuples(st.integers(1, 4000), st.integers(0, 100)),
    memory_bytes=st.none() | st.integers(0, 10**12),
    shares=st.sampled_from([COMPUTES, WAITS, READS]),
    current=st.tuples(st.integers(1, 1000), st.integers(1, 64)),
)
def test_what_is_recommended_is_possible_and_quick(
    fixed_s: float,
    file_s: float,
    files: int,
    upto: int,
    cores: int,
    start_s: float,
    memory: tuple[int, int],
    memory_bytes: int | None,
    shares: object,
    current: tuple[int, int],
) -> None:
    assume(shares is not READS or fixed_s + file_s >= READS.reading_s)  # a call that reads takes that long
    base, each = memory
    measured = measurements(
        linear(fixed_s, file_s),
        files=files,
        upto=upto,
        cores=cores,
        start_s=start_s,
        memory=lambda n: (base + each * n) * MB,
        memory_bytes=memory_bytes,
        shares=shares,  # type: ignore[arg-type]
        current=Current(mini_batch_size=current[0], workers=current[1], timeout_s=30.0),
    )

    chosen = decide(measured)

    size, workers = chosen.mini_batch_size, chosen.workers
    assert 1 <= size <= measured.sizes[-1].size
    assert 1 <= workers <= min(files, max(cores * 2, 1))
    assert chosen.timeout_s >= max(30, 4 * (fixed_s + file_s * size) * 0.999)
    assert 0 <= chosen.idle < 1
    assert 0 <= chosen.fixed_share <= 1
    peak = (base + each * size) * MB
    assert memory_bytes is None or workers == 1 or workers * peak <= memory_bytes * MEMORY_SHARE
    assert size == 1 or memory_bytes is None or peak <= memory_bytes * MEMORY_SHARE
    assert size == 1 or chosen.call_s <= LONGEST_MINI_BATCH_S
    if workers > 1:  # one worker is nobody's rival
        alone = start_s + math.ceil(files / size) * (fixed_s + file_s * size)
        assert chosen.expected.seconds <= alone * (1 + WORKERS_WITHIN + SIZE_WITHIN + 0.01) + 0.001 * files
