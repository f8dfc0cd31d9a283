"""The scoring scripts of the kill suite, and what each job is run with.

Every script is deterministic, notes each call in a log before it works, and takes a few milliseconds, so
that a job has several passes, syncs and journal writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HEAD = """
import os
import time
import zlib


def init():
    pass


def noted(mini_batch):
    line = " ".join(os.path.basename(path) for path in mini_batch) + "\\n"
    log = os.open(os.environ["KILLING_CALLS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, line.encode())
    os.close(log)
    time.sleep(float(os.environ["KILLING_CALL_S"]))


def digest(path):
    with open(path, "rb") as file:
        return "%08x" % zlib.crc32(file.read())
"""

ROWS_SCRIPT = (
    HEAD
    + """

def run(mini_batch):
    noted(mini_batch)
    return ["%s %s" % (os.path.basename(path), digest(path)) for path in mini_batch]
"""
)

CSV_SCRIPT = (
    HEAD
    + '''

def run(mini_batch):
    """Every third mini-batch has another column."""
    noted(mini_batch)
    rows = [{"digest": digest(path), "text": 'a "b", c'} for path in mini_batch]
    if int(os.path.basename(mini_batch[0])[1:4]) % 3 == 0:
        rows = [dict(row, size=os.stat(path).st_size) for row, path in zip(rows, mini_batch)]
    return rows
'''
)

FILES_SCRIPT = (
    HEAD
    + """

def run(mini_batch):
    # Some mini-batches write the same file.
    noted(mini_batch)
    for path in mini_batch:
        found = digest(path)
        folder = os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "first=" + found[0])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, os.path.basename(path)), "w") as file:
            file.write(found)
        if int(os.path.basename(path)[1:4]) % 20 == 0:
            with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "shared"), "w") as file:
                file.write(found)
    return mini_batch
"""
)

APPENDED_SCRIPT = (
    HEAD
    + """

def init():
    global kept
    kept = open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "kept.csv"), "w")
    kept.write("name,digest\\n")


def run(mini_batch):
    noted(mini_batch)
    for path in mini_batch:
        name, found = os.path.basename(path), digest(path)
        kept.write("%s,%s\\n" % (name, found))
        everything = os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "all.txt")
        is_new = not os.path.exists(everything)
        with open(everything, "a") as file:
            file.write("name digest\\n" * is_new + "%s %s\\n" % (name, found))
    return mini_batch
"""
)

POISON_SCRIPT = (
    HEAD
    + """

def run(mini_batch):
    noted(mini_batch)
    for path in mini_batch:
        if os.path.basename(path) in ("f008", "f048") and "KILLING_REPAIRED" not in os.environ:
            raise ValueError("cannot read " + os.path.basename(path))
    return ["%s %s" % (os.path.basename(path), digest(path)) for path in mini_batch]
"""
)

MENDED_SCRIPT = (
    HEAD
    + """

def run(mini_batch):
    # Unless it is mended, some files fail, and of others there is no result.
    noted(mini_batch)
    is_mended = "KILLING_REPAIRED" in os.environ
    rows = []
    for path in mini_batch:
        name = os.path.basename(path)
        if not is_mended and name in ("f008", "f028"):
            raise ValueError("cannot read " + name)
        found = digest(path)
        with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "all.txt"), "a") as file:
            file.write("%s %s\\n" % (name, found))
        with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], name + ".own"), "w") as file:
            file.write("%s of %d" % (found, len(mini_batch)))
        if is_mended or name != "f021":
            rows.append({"name": name, "digest": found, **({"more": "x"} if name == "f028" else {})})
    return rows
"""
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A kind of job."""

    name: str
    script: str
    options: tuple[str, ...]
    files: int = 80
    mini_batch_size: int = 2
    call_s: float = 0.008
    """How long one ``run()`` takes at least."""
    parts: int = 0
    """How many parts of mini-batches an undisturbed job runs, since it takes some apart."""
    second_tries: int = 0
    """How many calls of an undisturbed job are made again, since the first try failed."""
    listing_is_long: bool = False
    """Whether work begins long before the input is listed."""

    @property
    def mini_batches(self) -> int:
        """How many there are of the undisturbed input."""
        return -(-self.files // self.mini_batch_size)


ROWS = Shape(name="rows", script=ROWS_SCRIPT, options=("--format", "azure"))
LONG = Shape(
    name="long",
    script=ROWS_SCRIPT,
    options=("--format", "azure"),
    files=100,
    mini_batch_size=1,
    call_s=0.012,
)
LISTING = Shape(name="listing", script=ROWS_SCRIPT, options=("--format", "azure"), listing_is_long=True)
CSV = Shape(name="csv", script=CSV_SCRIPT, options=("--format", "csv"))
JSONL = Shape(name="jsonl", script=CSV_SCRIPT, options=("--format", "jsonl"))
PARQUET = Shape(name="parquet", script=CSV_SCRIPT, options=("--format", "parquet"))
FILES = Shape(name="files", script=FILES_SCRIPT, options=("--output-action", "summary_only"))
APPENDED = Shape(
    name="appended",
    script=APPENDED_SCRIPT,
    options=("--output-action", "summary_only", "--set", "gristmill.shared_header=true"),
)
LISTED_FILES = replace(FILES, name="listed files", listing_is_long=True)
POISONED = Shape(
    name="poisoned",
    script=POISON_SCRIPT,
    options=("--format", "azure", "--max-retries", "1", "--error-threshold", "-1"),
    parts=4,
    second_tries=4,
)
THRESHOLD = Shape(
    name="threshold",
    script=POISON_SCRIPT,
    options=("--format", "azure", "--max-retries", "0", "--error-threshold", "1"),
)
MENDED = Shape(
    name="mended",
    script=MENDED_SCRIPT,
    options=("--format", "csv", "--max-retries", "0", "--error-threshold", "-1"),
    files=40,
)
MENDED_PARQUET = replace(
    MENDED,
    name="mended parquet",
    options=("--format", "parquet", "--max-retries", "0", "--error-threshold", "-1"),
)
MANY = Shape(
    name="many",
    script=ROWS_SCRIPT,
    options=("--format", "azure"),
    files=1000,
    mini_batch_size=1,
    call_s=0.005,
)
