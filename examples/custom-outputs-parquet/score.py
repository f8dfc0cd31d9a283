"""Score tables of wines: a CSV file in, a Parquet file of the same name out."""

import os
from pathlib import Path

import joblib
import pandas as pd


def init():
    """Load the model, once per worker process."""
    global model
    model = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"], "model.joblib"))


def run(mini_batch):
    """Write one Parquet file per CSV file into the output folder; return the files that are done."""
    output = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    for path in mini_batch:
        scored(pd.read_csv(path)).to_parquet(output / f"{Path(path).stem}.parquet", index=False)
    return mini_batch


def scored(table):
    """Add the predicted cultivar and its probability; the model takes the columns that it was trained on."""
    probabilities = model.predict_proba(table[model.feature_names_in_])
    best = probabilities.argmax(axis=1)
    return table.assign(prediction=model.classes_[best], probability=probabilities.max(axis=1))
