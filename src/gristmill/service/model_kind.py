"""What kind of model a file or a folder holds, told from its name and a look at its first bytes.

Nothing here opens a model: no library of one is imported, and a zip archive is asked only for its names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.kinds import neighbour

_NUMBERS = {"numpy": "numpy", "pandas": "pandas"}
_IMAGES = {"PIL": "pillow"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of model, and the script that is written for it."""

    words: str
    """What it is called, with its article."""
    template: str
    """The name of its template, without the suffixes."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """What the script needs: the module, and the package that brings it."""
    for_images: Mapping[str, str] = field(default_factory=dict)
    """What it needs for images alone, likewise."""
    fills: Mapping[str, str] = field(default_factory=dict)
    """What else stands in the template, by its placeholder."""


ONNX = Kind(
    words="an ONNX model",
    template="onnx",
    packages={"onnxruntime": "onnxruntime", **_NUMBERS},
    for_images=_IMAGES,
)
SCIKIT_LEARN = Kind(
    words="a pickled model, as of scikit-learn",
    template="scikit_learn",
    packages={"joblib": "joblib", "sklearn": "scikit-learn", **_NUMBERS},
)
TORCHSCRIPT = Kind(
    words="a TorchScript model",
    template="torchscript",
    packages={"torch": "torch", **_NUMBERS},
    for_images=_IMAGES,
)
PYTORCH_WEIGHTS = Kind(
    words="a PyTorch file of weights without the code of their network",
    template="pytorch_weights",
    packages=TORCHSCRIPT.packages,
    for_images=_IMAGES,
    fills={
        "imports": "",
        "load": "# A network that was pickled whole needs weights_only=False, which runs code of the file.\n"
        "    weights = torch.load(str(path), map_location=device, weights_only=True)",
    },
)
SAFETENSORS = Kind(
    words="a safetensors file of weights without the code of their network",
    template="pytorch_weights",
    packages={**TORCHSCRIPT.packages, "safetensors": "safetensors"},
    for_images=_IMAGES,
    fills={
        "imports": "\nfrom safetensors.torch import load_file",
        "load": "weights = load_file(str(path), device=device)",
    },
)
MLFLOW = Kind(words="an MLflow model", template="mlflow", packages={"mlflow": "mlflow", **_NUMBERS})
UNKNOWN = Kind(words="a model of a kind that is not known here", template="plain_model")
NO_MODEL = Kind(words="no model", template="plain")

KINDS = (ONNX, SCIKIT_LEARN, TORCHSCRIPT, PYTORCH_WEIGHTS, SAFETENSORS, MLFLOW, UNKNOWN, NO_MODEL)

_BY_SUFFIX = {
    ".onnx": ONNX,
    ".pkl": SCIKIT_LEARN,
    ".pickle": SCIKIT_LEARN,
    ".joblib": SCIKIT_LEARN,
    ".pt": PYTORCH_WEIGHTS,
    ".pth": PYTORCH_WEIGHTS,
    ".safetensors": SAFETENSORS,
}
_ZIP = b"PK\x03\x04"
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """A model, and what is known about it."""

    kind: Kind
    file: Path
    """The file or the MLflow folder that the script is to open: the model itself, or one in its folder."""
    notice: str | None = None
    """What its owner should know."""


def recognise(model: Path) -> Recognised:
    """Say what kind of model a file or a folder holds.

    Parameters
    ----------
    model
        The file, or the folder.

    Returns
    -------
    Recognised
        `UNKNOWN`, and a notice that says what is known, where it cannot be told.

    Raises
    ------
    SpecError
        There is nothing there, or it cannot be read.
    """
    if not model.exists():
        raise SpecError(f"--model {model}: no such file or folder{neighbour(model)}")
    if not model.is_file() and not model.is_dir():
        raise SpecError(f"--model {model}: is neither a file nor a folder; give the model's file or folder")
    try:
        if model.is_dir():
            return _in_folder(model)
        if model.name == "MLmodel":
            raise SpecError(
                f"--model {model}: this file describes an MLflow model, and the model is its folder; "
                f"give {model.parent}"
            )
        return _of_file(model)
    except OSError as error:
        raise SpecError(
            f"--model {model} cannot be read: {error.strerror or error}; give yourself access to it"
        ) from error


def _in_folder(folder: Path) -> Recognised:
    if (folder / "MLmodel").is_file():
        return Recognised(kind=MLFLOW, file=folder)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _BY_SUFFIX and path.is_file())
    if len(files) == 1:
        return _of_file(files[0])
    names = ", ".join(path.name for path in files[:5])
    why = f"holds several models ({names}): give one with --model, or load them in init()" if files else None
    return Recognised(kind=UNKNOWN, file=folder, notice=_unknown(folder, why))


def _of_file(file: Path) -> Recognised:
    with open(file, "rb") as opened:
        head = opened.read(len(_POINTER))
    kind = _BY_SUFFIX.get(file.suffix.lower(), UNKNOWN)
    notice = _unknown(file) if kind is UNKNOWN else None
    if not head:
        notice = f"{file} is empty; was it copied whole?"
    elif head == _POINTER:
        notice = f"{file} is a pointer of Git LFS and not the model itself; git lfs pull fetches it"
    elif head.startswith(_ZIP) and kind in (PYTORCH_WEIGHTS, SCIKIT_LEARN):
        kind, notice = _of_archive(file, kind)
    return Recognised(kind=kind, file=file, notice=notice)


def _of_archive(file: Path, kind: Kind) -> tuple[Kind, str | None]:
    """Tell PyTorch's archives apart by the names in them: only TorchScript brings its code along."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile:
        return kind, f"{file} begins as a zip archive and cannot be read as one; was it copied whole?"
    if "constants.pkl" in names:
        return TORCHSCRIPT, None
    if "data.pkl" in names:
        return PYTORCH_WEIGHTS, None
    return UNKNOWN, _unknown(file)


def _unknown(model: Path, why: str | None = None) -> str:
    if why:
        return f"{model} {why}"
    known = ", ".join(_BY_SUFFIX)
    return (
        f"what kind of model {model} is cannot be told (known are {known}, and folders with a file MLmodel): "
        "the script finds it and says where to load it"
    )
