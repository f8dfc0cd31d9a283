"""Log a scikit-learn pipeline as an MLflow model, and write scikit-learn's diabetes data as CSV files.

    python3 prepare.py [FOLDER]

FOLDER (default: `data` beside this file) gets `model/`, with its signature and what it needs, and
`patients/`: four CSV files, as four clinics might send them. It takes a few seconds.
"""

import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CLINICS = ("east", "north", "south", "west")
NUMBERS = ["age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
NEEDS = ("mlflow-skinny", "pandas", "scikit-learn")  # of mlflow itself, scoring needs no more than this


def patients():
    """Return the patients, and how far the disease of each has got a year later."""
    table, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return table.assign(
        sex=table["sex"].map({1.0: "f", 2.0: "m"}), age=table["age"].astype("int64")
    ), progression


def main(folder):
    """Fill the folder, and say how good the model is."""
    table, progression = patients()
    seen, unseen, known, wanted = train_test_split(table, progression, test_size=0.5, random_state=0)
    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ["sex"]))
    model = make_pipeline(columns, Ridge()).fit(seen, known)

    shutil.rmtree(folder / "model", ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whole numbers may be missing one day; here they are not
        signature = mlflow.models.infer_signature(seen, model.predict(seen))
    mlflow.sklearn.save_model(
        model,
        folder / "model",
        signature=signature,
        pip_requirements=[f"{name}=={version(name)}" for name in NEEDS],
        serialization_format="cloudpickle",
    )

    (folder / "patients").mkdir(parents=True, exist_ok=True)
    for clinic, rows in zip(CLINICS, np.array_split(np.arange(len(unseen)), len(CLINICS)), strict=True):
        unseen.iloc[rows].to_csv(folder / "patients" / f"{clinic}.csv", index=False)

    print(f"{len(unseen)} patients of {len(CLINICS)} clinics in {folder / 'patients'}")
    print(f"model in {folder / 'model'}: explains {model.score(unseen, wanted):.0%} of the progression")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
