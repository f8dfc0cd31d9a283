"""Images as arrays of pixels, in the shape and type that an MLflow signature asks for."""

from typing import Any, NamedTuple, Optional, Tuple

from mlflow_columns import BadFile, imported

#: What a model without a signature gets: one image, height, width, red green and blue, as uint8.
PLAIN = (-1, -1, -1, 3)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class Layout(NamedTuple):
    """Where an array has the height, the width and the channels of an image."""

    channels: int
    size: Optional[Tuple[int, int]]
    """Width and height; None: those of the image."""
    channels_first: bool
    has_batch: bool
    """Whether a dimension for several images stands in front."""
    has_channels: bool


def image(path: str, spec: Any) -> Any:
    """Return an image as an array.

    Parameters
    ----------
    path
        The file; of several frames the first counts.
    spec
        The tensor of the signature (``mlflow.types.TensorSpec``); None: the model has no signature.
    """
    np = imported("numpy", "numpy", "images are arrays")
    pillow = imported("PIL.Image", "pillow", "images are read with it")
    layout = layout_of(tuple(spec.shape) if spec is not None else PLAIN)
    with pillow.open(path) as opened:
        pixels = opened.convert(_MODES[layout.channels])
    if layout.size is not None and pixels.size != layout.size:
        pixels = pixels.resize(layout.size, pillow.BILINEAR)
    array = np.asarray(pixels)
    if layout.has_channels:
        array = array.reshape(*array.shape[:2], layout.channels)
    if layout.channels_first:
        array = np.ascontiguousarray(array.transpose(2, 0, 1))
    if layout.has_batch:
        array = array[np.newaxis]
    return array if spec is None else array.astype(spec.type)


def layout_of(shape: Tuple[int, ...]) -> Layout:
    """Understand a shape: (N, H, W, C), (N, C, H, W), (N, H, W), or one of these without N."""
    has_batch = len(shape) == 4 or (len(shape) == 3 and shape[0] == -1 and shape[2] not in _MODES)
    one = shape[1:] if has_batch else shape
    if len(one) == 2:
        (height, width), channels, first = one, 1, False
    elif len(one) == 3 and one[0] in _MODES and one[2] not in _MODES:
        (channels, height, width), first = one, True
    elif len(one) == 3 and (one[2] in _MODES or one[2] == -1):
        (height, width, channels), first = one, False
    else:
        raise BadFile("it is an image, and the signature asks for an array of the shape %s" % (shape,))
    if (height == -1) != (width == -1):
        raise BadFile("the signature fixes one side of its images and not the other: %s" % (shape,))
    return Layout(
        channels=3 if channels == -1 else channels,
        size=None if height == -1 else (width, height),
        channels_first=first,
        has_batch=has_batch,
        has_channels=len(one) == 3,
    )
