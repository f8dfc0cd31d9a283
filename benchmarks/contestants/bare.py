"""Process pools: a loop by hand, the standard library's, pebble and joblib.

Each function does the whole work and returns the seconds from the start of the listing to the written file;
starting the processes is within, as it is for Gristmill.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from concurrent.futures import TimeoutError as _TimeoutError

import scoring
from scoring import Work

_FORK = multiprocessing.get_context("fork")  # the cheapest way to start a process


def loop(work: Work) -> float:
    """By hand: each process takes every n-th mini-batch and writes a file; then the files are joined."""
    began = time.perf_counter()
    batches = work.batches()
    shares = [(batches[n :: work.workers], f"{work.output}.{n}") for n in range(work.workers)]
    processes = [_FORK.Process(target=_share, args=share) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    with open(work.output, "wb") as whole:
        for _, part in shares:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, whole)
    return time.perf_counter() - began


def _share(batches: list[list[str]], output: str) -> None:
    with open(output, "w", encoding="utf-8", errors="surrogateescape") as file:
        for batch in batches:
            file.writelines(f"{line}\n" for line in scoring.score(batch))


def pool(work: Work) -> float:
    """``multiprocessing.Pool.imap_unordered``: no order, no retries, no deadlines, no record of anything."""
    began = time.perf_counter()
    batches = work.batches()
    with _FORK.Pool(work.workers, initializer=scoring.load) as processes:
        work.write(processes.imap_unordered(scoring.score, batches, chunksize=work.setting))
    return time.perf_counter() - began


def pebble(work: Work) -> float:
    """``pebble.ProcessPool.map`` with a timeout: it can stop what hangs, a chunk at a time."""
    from pebble import ProcessPool

    began = time.perf_counter()
    batches = work.batches()
    with ProcessPool(max_workers=work.workers, initializer=scoring.load, context=_FORK) as processes:
        future = processes.map(scoring.score, batches, chunksize=work.setting, timeout=600)
        work.write(_results(future))
    return time.perf_counter() - began


def _results(future):  # type: ignore[no-untyped-def]
    results = future.result()
    while True:
        try:
            yield next(results)
        except StopIteration:
            return
        except _TimeoutError as error:
            raise SystemExit("a chunk took too long") from error


def joblib(work: Work) -> float:
    """``joblib.Parallel`` with its own choice of how many calls travel together (batch_size="auto")."""
    from joblib import Parallel, delayed

    began = time.perf_counter()
    batches = work.batches()
    parallel = Parallel(n_jobs=work.workers, return_as="generator_unordered")
    work.write(parallel(delayed(scoring.score)(batch) for batch in batches))
    return time.perf_counter() - began
