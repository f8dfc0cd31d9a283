"""Engines that bring a cluster: Ray Data, Daft, Dask and Spark, all on this machine, loopback only.

Each function returns the seconds from the start of the listing to the written file. Its service runs already
when the clock starts; what it takes to start that shows in the time of the whole process.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

import scoring
from scoring import Work


class _Scorer:
    """A stateful worker, as Ray Data documents it for models: loaded once for each actor."""

    def __init__(self) -> None:
        scoring.load()

    def __call__(self, batch):  # type: ignore[no-untyped-def]
        return {"line": [str(line) for line in scoring.score(list(batch["path"]))]}


def ray_data(work: Work) -> float:
    """``map_batches`` in a pool of actors; plain tasks were no faster, where there is nothing to load."""
    import ray

    with tempfile.TemporaryDirectory(prefix="gm-ray-") as place:
        ray.init(
            address="local",
            num_cpus=work.workers,
            include_dashboard=False,
            logging_level="error",
            log_to_driver=False,
            _temp_dir=place,
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        pool = ray.data.ActorPoolStrategy(size=work.workers)
        began = time.perf_counter()
        rows = ray.data.from_items([{"path": path} for path in scoring.listed(work.folder)])
        scored = rows.map_batches(_Scorer, batch_size=work.size, compute=pool)
        work.write(batch["line"] for batch in scored.iter_batches(batch_size=None))
        took = time.perf_counter() - began
        ray.shutdown()
    return took


def daft(work: Work) -> float:
    import daft as tool

    @tool.cls(use_process=True, max_concurrency=work.workers)
    class Scorer:
        def __init__(self) -> None:
            scoring.load()

        @tool.method.batch(return_dtype=tool.DataType.string(), batch_size=work.size)
        def run(self, paths):  # type: ignore[no-untyped-def]
            return [str(line) for line in scoring.score(paths.to_pylist())]

    began = time.perf_counter()
    rows = tool.from_pydict({"path": list(scoring.listed(work.folder))})
    scored = rows.select(Scorer().run(rows["path"]).alias("line"))
    work.write(part.to_pydict()["line"] for part in scored.iter_partitions())
    return time.perf_counter() - began


def dask(work: Work) -> float:
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(
            n_workers=work.workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        began = time.perf_counter()
        futures = client.map(scoring.score, work.batches(), pure=False, batch_size=work.setting)
        done = as_completed(futures, with_results=True)
        work.write(result for _, result in done)
        return time.perf_counter() - began


def spark(work: Work) -> float:
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    import pandas
    from pyspark.sql import SparkSession

    def scored(frames):  # type: ignore[no-untyped-def]
        for frame in frames:
            yield pandas.DataFrame({"line": [str(line) for line in scoring.score(frame["path"].tolist())]})

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(work.size),
    }
    session = SparkSession.builder.master(f"local[{work.workers}]").appName("bench")
    for name, value in settings.items():
        session = session.config(name, value)
    spark = session.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    began = time.perf_counter()
    rows = spark.createDataFrame(pandas.DataFrame({"path": list(scoring.listed(work.folder))}))
    lines = rows.repartition(work.workers).mapInPandas(scored, "line string").toPandas()["line"]
    work.write([lines])
    took = time.perf_counter() - began
    spark.stop()
    return took
