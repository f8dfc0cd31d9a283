"""Write scikit-learn's wine data as CSV files, and train the model that score.py uses.

    python3 prepare.py [FOLDER]

FOLDER (default: `data` beside this file) gets `model.joblib` and `samples/`: twelve CSV files of wines that
the model has not seen, as laboratories might send them. It takes a second or two.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FILES = 12


def main(folder):
    """Fill the folder, and say how good the model is."""
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    wines, cultivars = load_wine(return_X_y=True, as_frame=True)
    seen, unseen, seen_cultivars, unseen_cultivars = train_test_split(
        wines, cultivars, test_size=0.5, stratify=cultivars, random_state=0
    )

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(seen, seen_cultivars)
    joblib.dump(model, folder / "model.joblib")

    rows = unseen.assign(cultivar=unseen_cultivars).rename_axis("wine")
    for number, part in enumerate(np.array_split(np.arange(len(rows)), FILES), start=1):
        rows.iloc[part].to_csv(samples / f"laboratory-{number:02}.csv")

    print(f"{len(rows)} wines in {FILES} files in {samples}")
    print(f"model in {folder / 'model.joblib'}: right on {model.score(unseen, unseen_cultivars):.1%} of them")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
