"""Which known vectors are nearest? Plain numpy, whose matrix products are spread over threads by BLAS."""

import os

import numpy

_state = {}


def init():
    _state["known"] = numpy.load(os.environ["BENCH_MODEL"])


def run(mini_batch):
    lines = []
    for path in mini_batch:
        nearest = (numpy.load(path) @ _state["known"].T).argmax(1)
        lines.append(f"{path},{int(nearest.sum())}")
    return lines
