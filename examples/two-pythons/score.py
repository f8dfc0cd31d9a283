"""The mean price in each table, by whatever Python and pandas the deployment asks for."""

import sys
from pathlib import Path

import pandas as pd


def run(mini_batch):
    rows = []
    for path in mini_batch:
        table = pd.read_csv(path)
        rows.append(
            {
                "file": Path(path).name,
                "python": "{}.{}".format(*sys.version_info),
                "pandas": pd.__version__,
                "rows": len(table),
                "mean_price": round(table["price"].mean(), 2),
            }
        )
    return pd.DataFrame(rows)
