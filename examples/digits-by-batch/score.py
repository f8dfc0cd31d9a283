"""Score images of handwritten digits, a whole mini-batch at once: one array in, one prediction call."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def init():
    """Load the model, once per worker process."""
    global model
    model = pickle.loads(Path(os.environ["AZUREML_MODEL_DIR"], "model.pkl").read_bytes())


def run(mini_batch):
    """Stack the images, predict once, and return one row per image."""
    images = np.stack([pixels(path) for path in mini_batch])  # (files, 64)
    probabilities = model.predict_proba(images)  # (files, 10)
    return pd.DataFrame(
        {
            "file": [Path(path).name for path in mini_batch],
            "class": model.classes_[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1).round(4),
        }
    )


def pixels(path):
    """Read one image as a row of numbers from 0 (black) to 1 (white)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype="float64").ravel() / 255
