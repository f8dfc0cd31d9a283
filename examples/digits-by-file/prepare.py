"""Write scikit-learn's 1,797 digit images as PNG files, and train the model that score.py uses.

    python3 prepare.py [FOLDER]

FOLDER (default: `data` beside this file) gets `images/` and `model.pkl`. It takes a few seconds.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from score import pixels  # training and scoring read an image in the same way
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main(folder):
    """Fill the folder, and say how good the model is on images that it has not seen."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    paths, digits = write_images(images)

    rows = np.stack([pixels(path) for path in paths])
    seen, unseen, seen_digits, unseen_digits = train_test_split(rows, digits, test_size=0.25, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(64,), max_iter=400, random_state=0).fit(seen, seen_digits)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))

    print(f"{len(paths):,} images in {images}")
    right = model.score(unseen, unseen_digits)
    print(f"model in {folder / 'model.pkl'}: right on {right:.1%} of {len(unseen)} unseen images")


def write_images(folder):
    """Write one PNG per digit, named after its number and what it shows: `0017-is-7.png`."""
    data = load_digits()
    paths = [folder / f"{number:04}-is-{digit}.png" for number, digit in enumerate(data.target)]
    for path, image in zip(paths, data.images, strict=True):
        Image.fromarray((image * 15).astype("uint8")).save(path)  # 0..16 becomes 0..240
    return paths, data.target


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
