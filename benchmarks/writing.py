"""Writing: what it costs to bring results from the script to the predictions file.

A data frame of a path, a whole number and a float is encoded as a worker does it, appended to a part with its
CRC-32, and assembled, synced and renamed as the coordinator does it: all that one core has to do. Beside it
stands the same way with pandas' ``to_csv`` in the place of Arrow, and what lists of dicts take. Figures are
seconds of processor time, which other work on the machine does not change much.

    python3 run.py bench writing
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, tell

from gristmill.engine.contract import Span
from gristmill.run.commit import Committer
from gristmill.run.table import Table
from gristmill.run.waiting import Rows
from gristmill_worker.frames import FrameRows, as_utf8, frame_text
from gristmill_worker.part import Part
from gristmill_worker.rows import Encoded, encoder

FILES = ["a", "b"]
ENOUGH_MB = 200
WHY_NOT = "half of it is the search for the shortest digits of floats; the rest varies with the disk"


def main() -> int:
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    rounds = given.rounds or (2 if given.quick else 5)
    count = 10_000 if given.quick else 1_000_000
    frame, dicts = _frame(count), _dicts(count // 10)
    size_mb = len(as_utf8(frame_text(frame, {"sep": " "}))) / 1e6
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-writing-"))
    try:
        whole = by_turns(_whole_ways(frame, scratch), rounds)
        tell("the whole way of a frame is measured")
        alone = by_turns(_alone(frame), rounds)
        tell("encoding alone is measured")
        lists = by_turns(_of_lists(dicts, scratch), rounds)
    finally:
        shutil.rmtree(scratch)
    rows = (
        _row(
            "from a data frame to the predictions file", f"{count:,} rows, {size_mb:.0f} MB", whole, "to_csv"
        ),
        _row("encoding a data frame, nothing else", f"{count:,} rows", alone, "to_csv"),
        _row("from a list of dicts to the predictions file", f"{len(dicts):,} rows", lists, "csv"),
    )
    speed = size_mb / sorted(whole["Arrow"])[rounds // 2]
    return hand_in(
        Result(
            name="writing",
            question="How fast does a result of run() become rows of the predictions file, for each core?",
            rounds=rounds,
            rows=rows,
            bars=(bar("P7-writing", speed, "" if speed >= ENOUGH_MB else WHY_NOT),),
            notes=(
                "Seconds of processor time of one process: encoding, the worker's part with its CRC-32, and"
                " the coordinator's assembling, sync and rename.",
                f"MB/s with Arrow, round by round: {_speeds(size_mb, whole['Arrow'])}; with to_csv: "
                f"{_speeds(size_mb, whole['to_csv'])}.",
            ),
            versions=versions("gristmill", "pandas", "pyarrow", "numpy"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _speeds(size_mb: float, took: tuple[float, ...]) -> str:
    return ", ".join(f"{size_mb / one:.0f}" for one in took)


def _row(heading: str, label: str, took: dict[str, tuple[float, ...]], reference: str) -> Row:
    series = tuple(Series(contestant=name, figures=one) for name, one in took.items())
    return Row(heading=heading, label=label, unit="s", series=series, reference=reference)


def _frame(count: int) -> pd.DataFrame:
    paths = [f"folder/{number % 1000:04d}/image_{number:07d}.png" for number in range(count)]
    values = np.random.default_rng(0).random(count)
    return pd.DataFrame({"file": paths, "n": np.arange(count), "p": values})


def _dicts(count: int) -> list[dict[str, Any]]:
    return [{"name": f"image_{number:07d}.png", "n": number, "p": number / 7} for number in range(count)]


def _whole_ways(frame: pd.DataFrame, scratch: Path) -> dict[str, Callable[[], float]]:
    arrow, parquet, jsonl = encoder("azure", "s.py"), encoder("parquet", "s.py"), encoder("jsonl", "s.py")

    def by_pandas(result: Any, files: list[str]) -> Encoded:
        return Encoded(as_utf8(frame_text(result, {"sep": " "})), len(result), ("file", "n", "p"), ())

    return {
        "Arrow": lambda: _whole(arrow, frame, scratch),
        "to_csv": lambda: _whole(by_pandas, frame, scratch),
        "Parquet": lambda: _whole(parquet, frame, scratch),
        "JSON Lines": lambda: _whole(jsonl, frame, scratch),
    }


def _alone(frame: pd.DataFrame) -> dict[str, Callable[[], float]]:
    rows = FrameRows(" ")
    return {
        "Arrow": lambda: _busy_s(lambda: rows(frame)),
        "to_csv": lambda: _busy_s(lambda: as_utf8(frame_text(frame, {"sep": " "}))),
    }


def _of_lists(dicts: list[dict[str, Any]], scratch: Path) -> dict[str, Callable[[], float]]:
    def way(output_format: str) -> Callable[[], float]:
        encode = encoder(output_format, "s.py")
        return lambda: _whole(encode, dicts, scratch)

    return {name: way(name) for name in ("csv", "jsonl", "parquet", "azure")}


def _whole(encode: Callable[..., Encoded], result: Any, scratch: Path) -> float:
    """Bring a result the whole way, and return the seconds of processor time that it took."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    (folder / "parts").mkdir()

    def work() -> None:
        part = Part(str(folder / "parts" / "1.part"))
        encoded = encode(result, FILES)
        crc = part.append(encoded.data, 0)
        _assemble(folder, encoded, crc)

    took_s = _busy_s(work)
    shutil.rmtree(folder)
    return took_s


def _assemble(folder: Path, encoded: Encoded, crc: int) -> None:
    header = encoded.header or ()
    table = Table([header], [encoded.types]) if encoded.types else None
    committer = Committer(
        parts=folder / "parts",
        scratch=folder / "scratch",
        columns=[header],
        with_header=False,
        lines=[""],
        table=table,
    )
    committer.add(Rows(Span(0), 1, 0, len(encoded.data), crc, 1 if header else 0))
    committer.advance()
    committer.assemble()
    committer.publish(folder / "predictions")
    committer.close()


def _busy_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    raise SystemExit(main())
