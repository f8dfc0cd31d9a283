"""The poison suite on other tools, as a careful user of each would write it; run by ``poisons.py`` in an
environment of its own: ``python _poison_peers.py PEER INPUT KEPT WORKERS TIMEOUT_S``.

Each catches what a mini-batch raises, gives the tool a timeout where it has one, and appends the names of
what came back to the file KEPT as soon as the program has it in its hands.
"""

import os
import sys

import _poisonous

MINI_BATCH = 10


def careful(batch):
    """Call the script; what it raises, or returns against the rules, costs its mini-batch and no more."""
    try:
        result = _poisonous.run(batch)
    except Exception:
        return []
    return result if isinstance(result, list) else []


class Kept:
    def __init__(self, path):
        self._file = open(path, "a")

    def add(self, names):
        self._file.write("".join(f"{name}\n" for name in names))
        self._file.flush()

    def add_from(self, get):
        """Take what a call gives; where it raises, that mini-batch is lost."""
        try:
            self.add(get())
        except Exception as error:
            print(type(error).__name__, error, file=sys.stderr)


def pebble(batches, kept, workers, timeout_s):
    from pebble import ProcessPool

    with ProcessPool(max_workers=workers) as pool:
        for future in [pool.schedule(careful, args=[batch], timeout=timeout_s) for batch in batches]:
            kept.add_from(future.result)


def joblib(batches, kept, workers, timeout_s):
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=workers, return_as="generator_unordered", timeout=timeout_s, batch_size=1)
    for names in parallel(delayed(careful)(batch) for batch in batches):
        kept.add(names)


def concurrent_futures(batches, kept, workers, timeout_s):
    from concurrent.futures import ProcessPoolExecutor, as_completed

    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(careful, batch) for batch in batches]):
            kept.add_from(future.result)


def multiprocessing_pool(batches, kept, workers, timeout_s):
    from multiprocessing import Pool

    with Pool(workers) as pool:
        for names in pool.imap_unordered(careful, batches):
            kept.add(names)


def ray_data(batches, kept, workers, timeout_s):
    import ray

    ray.init(num_cpus=workers, logging_level="error", log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().max_errored_blocks = -1
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_items([{"batch": batch} for batch in batches], override_num_blocks=len(batches))
    for row in rows.map(lambda row: {"names": careful(row["batch"])}).iter_rows():
        kept.add(row["names"])


def dask(batches, kept, workers, timeout_s):
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        for future in as_completed([client.submit(careful, batch, pure=False) for batch in batches]):
            kept.add_from(future.result)


def beam(batches, kept, workers, timeout_s):
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(
        ["--runner=DirectRunner", "--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    )
    target = kept._file.name + ".beam"
    with apache_beam.Pipeline(options=options) as pipeline:
        names = pipeline | apache_beam.Create(batches) | apache_beam.Reshuffle()
        names = names | apache_beam.FlatMap(careful)
        names | apache_beam.io.WriteToText(target, num_shards=1, shard_name_template="")
    with open(target) as file:
        kept.add(file.read().split())


def main():
    peer, folder, kept, workers, timeout_s = sys.argv[1:]
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    batches = [paths[at : at + MINI_BATCH] for at in range(0, len(paths), MINI_BATCH)]
    globals()[peer](batches, Kept(kept), int(workers), float(timeout_s))


if __name__ == "__main__":
    main()
