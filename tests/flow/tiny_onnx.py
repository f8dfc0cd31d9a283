"""ONNX models of a few hundred bytes, written field by field, so that no test needs a library that does.

The numbers of the fields are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLOAT, INT64, STRING = 1, 7, 8
Field = bytes | str | int


def model(nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], *more: bytes) -> bytes:
    """Return a model; ``more`` are the constants of its graph."""
    graph = message((2, "tiny"), *((1, node) for node in nodes), *((5, one) for one in more))
    graph += message(*((11, one) for one in inputs), *((12, one) for one in outputs))
    opsets = [message((1, ""), (2, 17)), message((1, "ai.onnx.ml"), (2, 3))]
    return message((1, 8), (7, graph), *((8, opset) for opset in opsets))


def node(operation: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object) -> bytes:
    """Return a node; operations of classic models are told by their attributes."""
    domain = "ai.onnx.ml" if operation in ("ZipMap", "LabelEncoder") else ""
    described = [(5, _attribute(name, value)) for name, value in attributes.items()]
    wires = [*((1, name) for name in inputs), *((2, name) for name in outputs)]
    return message(*wires, (4, operation), *described, (7, domain))


def tensor(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """Return an input or an output; a length that is a word may be any."""
    lengths = [(1, message((1 if isinstance(length, int) else 2, length))) for length in shape]
    return message((1, name), (2, message((1, message((1, kind), (2, message(*lengths)))))))


def probabilities(name: str) -> bytes:
    """Return an output that is a list of dicts, from a class's name to its probability."""
    number = message((1, message((1, FLOAT))))
    one = message((5, message((1, STRING), (2, number))))
    return message((1, name), (2, message((4, message((1, one))))))


def constant(name: str, values: NDArray[np.float32]) -> bytes:
    """Return a constant of the graph."""
    lengths = [(1, length) for length in values.shape]
    return message(*lengths, (2, FLOAT), (8, name), (9, values.astype("<f4").tobytes()))


def message(*fields: tuple[int, Field]) -> bytes:
    """Write the fields of a message, by number."""
    written = b""
    for number, value in fields:
        if isinstance(value, int):
            written += _varint(number << 3) + _varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            written += _varint(number << 3 | 2) + _varint(len(content)) + content
    return written


def _attribute(name: str, value: object) -> bytes:
    match value:
        case int():
            return message((1, name), (3, value), (20, 2))
        case [str(), *_]:
            return message((1, name), *((9, text) for text in value), (20, 8))
        case [float(), *_]:
            numbers = np.asarray(value, dtype="<f4").tobytes()
            return message((1, name), (7, numbers), (20, 6))
        case [int(), *_]:
            return message((1, name), *((8, number) for number in value), (20, 7))
    raise AssertionError(f"{name}: {value}")


def _varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])
