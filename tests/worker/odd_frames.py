"""Odd data frames, and what the worker makes of them, in any Python from 3.8 and with any pandas from 1.1 on.

`python odd_frames.py SOURCES` prints one JSON object: for each frame its rows in both formats, as hex; and
how many frames Arrow writes, with the names of those that come out otherwise.
"""

from __future__ import annotations

import datetime
import decimal
import json
import sys

import numpy as np
import pandas as pd

NAN = float("nan")
TEXTS = [
    "plain",
    "",
    " ",
    "a b",
    " a",
    "a ",
    'say "hi"',
    '"',
    '""',
    "'",
    "x,y",
    "a\tb",
    "a\\b",
    "#",
    "line1\nline2",
    "a\rb",
    "a\r\nb",
    "\n",
    "\r",
    "\r\n",
    "ü",
    "日本",
    "\U0001f600",
    "\u2028",
    "\x85",
    "\x1c",
    "\x07",
    "nan",
    "None",
    "NA",
    "007",
    "1e5",
    "True",
]
FLOATS = [
    *(0.0, -0.0, 0.1, 0.1 + 0.2, 1.0, 100.0, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 1e300, 5e-324),
    *(float("inf"), float("-inf"), NAN, 1 / 3, 2**53 + 2.0),
]
DATES = pd.to_datetime(
    ["2024-01-02T00:00:00.000000", "2024-01-03T04:05:06.000000", "2024-01-03T04:05:06.000007", None]
)


class Thing:
    def __str__(self):
        return "a thing"

    __repr__ = __str__


def objects(*values):
    """A column of objects, whatever the values are."""
    return pd.Series(list(values), dtype=object)


def frames():
    """Name and frame of each case, as functions: a version of pandas may have no such frame."""
    return {
        "golden": lambda: pd.DataFrame(
            {
                "file": ["a.csv", "b c.csv"],
                "p": [0.1, 1.0],
                "n": [NAN, 3.0],
                "s": ['say "hi"', "x,y"],
                "l": [[1, 2], [3]],
                "t": ["line1\nline2", None],
                "b": [True, False],
            }
        ),
        "texts": lambda: pd.DataFrame({"t": TEXTS, "n": range(len(TEXTS))}),
        "texts alone": lambda: pd.DataFrame({"t": TEXTS}),
        "texts as objects": lambda: pd.DataFrame({"t": objects(*TEXTS, None), "u": objects(None, *TEXTS)}),
        "texts of the string type": lambda: pd.DataFrame({"t": pd.array([*TEXTS, None], dtype="string")}),
        "not utf-8": lambda: pd.DataFrame({"t": objects("\udcff", "a\udc80 b", "\ud800", "\udcff\r")}),
        "bytes": lambda: pd.DataFrame({"t": objects(b"a", b"\xff b")}),
        "floats": lambda: pd.DataFrame({"f": FLOATS, "g": [-value for value in FLOATS]}),
        "single floats": lambda: pd.DataFrame({"f": np.array([0.1, 1.0, 1 / 3, -2.5, NAN], "float32")}),
        "large single floats": lambda: pd.DataFrame({"f": np.array([16777216.0, 1e10], "float32")}),
        "half floats": lambda: pd.DataFrame({"f": np.array([0.1, 1.0, NAN], "float16")}),
        "mixed widths": lambda: pd.DataFrame(
            {"f": np.array([0.1], "float32"), "g": [0.1], "h": np.array([1], "int8")}
        ),
        "integers": lambda: pd.DataFrame(
            {
                "i": [0, -1, 2**63 - 1],
                "u": np.array([0, 1, 2**64 - 1], "uint64"),
                "s": np.array([1, 2, 3], "int8"),
            }
        ),
        "integers that are too large": lambda: pd.DataFrame({"i": objects(2**64, -(2**70), 10**30)}),
        "integers with gaps": lambda: pd.DataFrame({"i": [1, None, 3]}),
        "nullable": lambda: pd.DataFrame(
            {
                "i": pd.array([1, None, 2**53 + 1], dtype="Int64"),
                "b": pd.array([True, None, False], dtype="boolean"),
            }
        ),
        "complex": lambda: pd.DataFrame({"c": [1 + 2j, complex(0.1, -1)]}),
        "decimals": lambda: pd.DataFrame({"d": objects(decimal.Decimal("1.10"), decimal.Decimal("NaN"))}),
        "booleans": lambda: pd.DataFrame({"b": [True, False], "o": objects(True, None)}),
        "missing": lambda: pd.DataFrame(
            {"m": objects(NAN, None, pd.NaT, pd.NA, np.float32("nan")), "n": range(5)}
        ),
        "missing alone": lambda: pd.DataFrame({"m": objects(NAN, None, pd.NaT, pd.NA)}),
        "all missing": lambda: pd.DataFrame(
            {"a": [NAN, NAN], "b": objects(None, None), "c": [pd.NaT, pd.NaT]}
        ),
        "dates": lambda: pd.DataFrame({"d": DATES}),
        "days": lambda: pd.DataFrame({"d": DATES.normalize()}),
        "dates with a zone": lambda: pd.DataFrame({"d": DATES.tz_localize("UTC")}),
        "days with a zone": lambda: pd.DataFrame({"d": DATES.normalize().tz_localize("UTC")}),
        "dates of python": lambda: pd.DataFrame(
            {
                "d": objects(
                    datetime.date(2024, 1, 2),
                    datetime.datetime(2024, 1, 2, 3),  # noqa: DTZ001  # users have such
                    datetime.time(1, 2),
                    None,
                )
            }
        ),
        "periods": lambda: pd.DataFrame({"p": pd.period_range("2024-01", periods=2, freq="M")}),
        "spans of time": lambda: pd.DataFrame({"t": pd.to_timedelta([0, 1, 86_401, None], unit="s")}),
        "spans of time down to nanoseconds": lambda: pd.DataFrame({"t": pd.to_timedelta([0, 1], unit="ns")}),
        "intervals": lambda: pd.DataFrame({"i": pd.interval_range(0, 2)}),
        "categories": lambda: pd.DataFrame(
            {"c": pd.Categorical(["a b", None, "x"]), "n": pd.Categorical([1.5, 2.0, None])}
        ),
        "categories of dates": lambda: pd.DataFrame({"c": pd.Categorical(DATES[:2])}),
        "sparse": lambda: pd.DataFrame({"s": pd.arrays.SparseArray([0.0, 0.0, 1.5])}),
        "nested": lambda: pd.DataFrame(
            {
                "l": objects([1, "a b"], [], [None, NAN]),
                "d": objects({"a": [1]}, {}, {1: "x"}),
                "t": objects((1,), (), ("a", 2.5)),
                "s": objects({1}, frozenset(), {"a"}),
            }
        ),
        "arrays inside": lambda: pd.DataFrame({"a": objects(np.arange(3), np.array([0.1, 1.0]))}),
        "objects": lambda: pd.DataFrame({"o": objects(Thing(), len, int, Ellipsis)}).iloc[[0, 3]],
        "mixed": lambda: pd.DataFrame(
            {"m": objects(1, 0.1, "a b", None, True, [1], np.int64(7), np.str_("s"))}
        ),
        "no rows": lambda: pd.DataFrame({"a": []}),
        "no columns": lambda: pd.DataFrame(index=[0, 1]),
        "neither": lambda: pd.DataFrame(),
        "one row": lambda: pd.DataFrame({"a": ["only"]}),
        "one empty text": lambda: pd.DataFrame({"a": [""]}),
        "an index": lambda: pd.DataFrame({"a": [1, 2]}, index=["x y", "z"]),
        "levels of the index": lambda: pd.DataFrame(
            {"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])
        ),
        "levels of the columns": lambda: pd.DataFrame(
            [[1, "a b"]], columns=pd.MultiIndex.from_tuples([("x", 1), ("y", "z")])
        ),
        "the same column twice": lambda: pd.DataFrame([[1, "a"], [2, "b"]], columns=["c", "c"]),
        "odd names of columns": lambda: pd.DataFrame([[1, 2, 3]], columns=["a b", 'say "hi"', "line\nbreak"]),
        "numbers as columns": lambda: pd.DataFrame([[1, 0.5]]),
        "a column called file": lambda: pd.DataFrame({"file": ["x", "y"], "p": [1, 2]}),
        "a slice": lambda: pd.DataFrame({"a": range(10), "b": list("abcdefghij")})[3:5],
        "a thousand rows": lambda: pd.DataFrame({"a": range(1000), "b": ["t %d" % n for n in range(1000)]}),
    }


def written(frame):
    """What the worker writes of a frame, by format; of a mini-batch of two files."""
    from gristmill_worker.rows import encoder

    rows = {}
    for output_format in ("azure", "csv"):
        encoded = encoder(output_format, "score.py")(frame, ["a b.txt", "\udcff.txt"])
        rows[output_format] = [encoded.data.hex(), encoded.results, encoded.header]
    return rows


def by_arrow():
    """How many frames Arrow writes, and the names of those that it writes otherwise than pandas."""
    from gristmill_worker import frames as worker_frames

    written, differing = 0, []
    for separator in worker_frames.SEPARATORS:
        rows = worker_frames.FrameRows(separator)
        rows._settle(worker_frames.LOAD_FROM_ROWS)
        for name, make in frames().items() if rows._arrow is not None else ():
            try:
                frame = make()
                wanted = worker_frames.as_utf8(worker_frames.frame_text(frame, {"sep": separator}))
            except Exception:
                continue
            found = rows._arrow.rows(frame)
            written += found is not None
            differing += [name] if found not in (None, wanted) else []
    return written, differing


def main(sources):
    sys.path.insert(0, sources)
    rows = {}
    for name, make in frames().items():
        try:
            rows[name] = written(make())
        except Exception as error:
            rows[name] = "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"pandas": pd.__version__, "rows": rows, "by arrow": by_arrow()}))


if __name__ == "__main__":
    main(sys.argv[1])
