"""What kind of file is it? Magika, a model of 3 MB that comes with its package."""

import onnxruntime
from magika import Magika

_state = {}


def init():
    model = Magika()
    # One thread for each session: with a worker for each core, more would fight for the cores.
    limits = onnxruntime.SessionOptions()
    limits.intra_op_num_threads = limits.inter_op_num_threads = 1
    model._onnx_session = onnxruntime.InferenceSession(
        model._model_path, limits, providers=["CPUExecutionProvider"]
    )
    _state["model"] = model


def run(mini_batch):
    results = _state["model"].identify_paths(mini_batch)
    return [f"{path},{result.output.label}" for path, result in zip(mini_batch, results, strict=True)]
