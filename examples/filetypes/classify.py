"""Say what type each file is, from its content: Magika's neural network, run by onnxruntime."""

import functools
import os

import onnxruntime
from magika import Magika


def init():
    """Load Magika and its model (3 MB, part of the package), once per worker process."""
    global magika
    # Gristmill sets OMP_NUM_THREADS to cores / workers, but onnxruntime does not read it, and Magika has no
    # option for it. Without these lines every worker would start one thread per core, and they would fight.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    onnxruntime.InferenceSession = functools.partial(onnxruntime.InferenceSession, sess_options=options)
    magika = Magika()


def run(mini_batch):
    """Return one row per file."""
    return [row(path) for path in mini_batch]


def row(path):
    """Identify one file; one that cannot be read gets a row too, and its neighbours do not suffer."""
    try:
        result = magika.identify_path(path)
    except OSError:
        result = None
    if result is None or not result.ok:
        return {"file": path, "label": "unreadable", "score": 0.0}
    return {"file": path, "label": str(result.output.label), "score": round(result.score, 4)}
