"""Score images of handwritten digits, one at a time: a row per image, with file, class and probability."""

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
    """Return one row per image, in the order of the mini-batch."""
    return pd.DataFrame([row(path) for path in mini_batch])


def row(path):
    """Say which digit one image shows, and how sure the model is."""
    (probabilities,) = model.predict_proba([pixels(path)])
    best = probabilities.argmax()
    return {
        "file": Path(path).name,
        "class": model.classes_[best],
        "probability": probabilities[best].round(4),
    }


def pixels(path):
    """Read one image as a row of numbers from 0 (black) to 1 (white)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype="float64").ravel() / 255
