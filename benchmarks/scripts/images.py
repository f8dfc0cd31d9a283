"""What is on the picture? EfficientNet-Lite0 on ImageNet's thousand classes."""

import os

import numpy
import onnxruntime
from PIL import Image

_state = {}


def init():
    limits = onnxruntime.SessionOptions()
    limits.intra_op_num_threads = limits.inter_op_num_threads = 1
    _state["session"] = onnxruntime.InferenceSession(
        os.environ["BENCH_MODEL"], limits, providers=["CPUExecutionProvider"]
    )


def pixels(path):
    image = Image.open(path).convert("RGB").resize((224, 224), Image.BICUBIC)
    return ((numpy.asarray(image, "float32") - 127) / 128).transpose(2, 0, 1)


def run(mini_batch):
    (scores,) = _state["session"].run(None, {"x": numpy.stack([pixels(path) for path in mini_batch])})
    return [f"{path},{label}" for path, label in zip(mini_batch, scores.argmax(1), strict=True)]
