"""Score the reviews in CSV files, row by row, with VADER: a file of any length takes the same memory."""

import csv
import os
from pathlib import Path

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


def init():
    """Load VADER's lexicon (part of the package), once per worker process."""
    global analyzer
    analyzer = SentimentIntensityAnalyzer()


def run(mini_batch):
    """Write one scored CSV per input CSV into the output folder; return the files that are done."""
    output = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    for path in mini_batch:
        score(path, output / Path(path).name)
    return mini_batch


def score(source, target):
    """Copy the rows and add a column: `sentiment`, from -1 to 1. Only one row is in memory at a time."""
    with (
        open(source, encoding="utf-8-sig", newline="") as read,
        open(target, "w", encoding="utf-8", newline="") as written,
    ):
        rows = csv.DictReader(read)
        scored = csv.DictWriter(written, [*(rows.fieldnames or []), "sentiment"])
        scored.writeheader()
        for row in rows:
            row["sentiment"] = analyzer.polarity_scores(row["text"] or "")["compound"]
            scored.writerow(row)
