"""Score files with an MLflow model: what Gristmill runs where a deployment has such a model and no script.

It gives a row for each row of each file: its number in the file, what the model predicted, the file's name.
The Python that runs it needs mlflow (mlflow-skinny is enough), pandas, and whatever the model needs.
"""

import os
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

from mlflow_columns import BadFile, imported
from mlflow_inputs import Reader

#: Large CSV, Parquet and JSON Lines files are read in pieces, so many rows at a time...
CHUNK_ROWS = 100_000
#: ...if the model's signature names its columns, and the file has more bytes than this.
LARGE_BYTES = 64 << 20

model: Any = None
reader: Any = None


class ModelError(Exception):
    """The model cannot be used in this Python."""


class FileError(Exception):
    """These files of the mini-batch cannot be scored; Gristmill scores the others without them."""

    def __init__(self, message: str, failed_files: List[str]) -> None:
        super().__init__(message)
        self.failed_files = failed_files


def init() -> None:
    """Load the model, once per worker process."""
    global model, reader
    folder = model_folder()
    model = load(folder)
    rows = os.environ.get("GRISTMILL_MLFLOW_CHUNK_ROWS")  # gristmill: {mlflow: {chunk_rows: ...}}
    reader = Reader(
        schema=model.metadata.get_input_schema(),
        chunk_rows=int(rows or CHUNK_ROWS),
        large_bytes=0 if rows else LARGE_BYTES,
    )


def run(mini_batch: List[str], context: Any = None) -> Any:
    """Return the rows of all files; those that cannot be scored are named together."""
    import pandas as pd

    frames: List[Any] = []
    problems: Dict[str, Exception] = {}
    for path in mini_batch:
        try:
            frames += score(path, context)
        except MemoryError:
            raise
        except Exception as error:  # whatever the file, or the model about it, has come up with
            problems[path] = error
    if problems:
        raise blame(problems, context)
    return pd.concat(frames, ignore_index=True)


def score(path: str, context: Any) -> Iterator[Any]:
    """Yield frames that have a row for each row of a file."""
    import pandas as pd

    name, first = shown_name(path, context), first_row(path, context)
    done = first
    for piece in reader.pieces(path, first):
        try:
            predicted = as_frame(model.predict(piece))
        except (MemoryError, BadFile):
            raise
        except Exception as error:
            said = str(error).rpartition(" Error: ")[2]  # MLflow puts all of the data in front
            raise BadFile("the model raised %s: %s" % (type(error).__name__, said)) from error
        predicted.insert(0, "row", range(done, done + len(predicted)))
        # One object for all rows, where the text type of pandas would copy it, and refuse what is not UTF-8.
        predicted["file"] = pd.Series(name, index=predicted.index, dtype=object)
        done += len(predicted)
        yield predicted
    if done == first:
        raise BadFile("there are no rows in it, or the model returned none")


def shown_name(path: str, context: Any) -> str:
    """Return a file's name, with the folders that it lies in below the input folder."""
    source = getattr(context, "source", {}).get(path)  # Gristmill may split a file by rows
    file = path if source is None else source.file
    return os.path.relpath(file, getattr(context, "input_folder", None) or os.path.dirname(file))


def first_row(path: str, context: Any) -> int:
    """Return the number of the first row in its file, from 0."""
    source = getattr(context, "source", {}).get(path)
    return 0 if source is None else int(source.first_row)


def blame(problems: Dict[str, Exception], context: Any) -> FileError:
    """Say what is wrong with the first of some files, and how many more there are."""
    path, error = next(iter(problems.items()))
    is_told = isinstance(error, BadFile)
    what = str(error) if is_told else "it cannot be read: %s: %s" % (type(error).__name__, error)
    message = "%s: %s" % (shown_name(path, context), what)
    if len(problems) > 1:
        message += " (and %d more files of the mini-batch)" % (len(problems) - 1)
    failed = FileError(message, list(problems))
    failed.__cause__ = error.__cause__ if is_told else error
    return failed


# What a model returns, as a frame


def as_frame(predicted: Any) -> Any:
    """Return predictions as a frame: one row each, columns with names."""
    import numpy as np
    import pandas as pd

    if hasattr(predicted, "toarray"):  # a sparse matrix
        predicted = predicted.toarray()
    elif hasattr(predicted, "detach"):  # a tensor of PyTorch
        predicted = predicted.detach().cpu().numpy()
    elif hasattr(predicted, "to_pandas") and not isinstance(predicted, (pd.DataFrame, pd.Series)):
        predicted = predicted.to_pandas()
    if predicted is None:
        raise BadFile("predict() returned None, and no rows")
    if isinstance(predicted, pd.DataFrame):
        frame = predicted.reset_index(drop=True)
    elif isinstance(predicted, pd.Series):
        frame = predicted.reset_index(drop=True).to_frame(predicted.name or "prediction")
    elif isinstance(predicted, dict):
        frame = pd.concat([columns_of(values, str(key)) for key, values in predicted.items()], axis=1)
    elif (
        isinstance(predicted, (list, tuple)) and predicted and all(isinstance(one, dict) for one in predicted)
    ):
        frame = pd.DataFrame(list(predicted))
    elif isinstance(predicted, (str, bytes)) or not (
        isinstance(predicted, (list, tuple)) or np.ndim(predicted)
    ):
        frame = pd.DataFrame({"prediction": [predicted]})
    else:
        frame = columns_of(predicted, "prediction")
    frame.columns = [own_name(name, frame.shape[1]) for name in frame.columns]
    return frame


def columns_of(values: Any, name: str) -> Any:
    """Return values as columns: one, or one for each number of a second dimension."""
    import numpy as np
    import pandas as pd

    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = None
    if array is None or array.dtype == object or array.ndim < 2:
        one_each = [values] if array is not None and array.ndim == 0 else list(values)
        return pd.DataFrame({name: pd.Series(one_each)})
    if array.ndim > 2:
        return pd.DataFrame({name: [row.tolist() for row in array]})
    if array.shape[1] == 1:
        return pd.DataFrame({name: array[:, 0]})
    return pd.DataFrame(array, columns=["%s_%d" % (name, number) for number in range(array.shape[1])])


def own_name(name: Any, columns: int) -> str:
    """Return the name of a column of the model's: text, and not that of a column of ours."""
    if isinstance(name, str):
        return "prediction_" + name if name in ("row", "file") else name
    return "prediction" if columns == 1 else "prediction_%s" % (name,)


# The model


def model_folder() -> Path:
    """Return the folder that holds the file MLmodel."""
    given = os.environ.get("GRISTMILL_MODEL_PATH") or os.environ.get("AZUREML_MODEL_DIR")
    if not given:
        raise ModelError("there is no model: AZUREML_MODEL_DIR is not set")
    found = sorted(Path(given).rglob("MLmodel"), key=lambda path: (len(path.parts), str(path)))
    if not found:
        raise ModelError("there is no file MLmodel in %s" % given)
    return found[0].resolve().parent  # the folder may be a link, which MLflow does not follow


def load(folder: Path) -> Any:
    """Return the model that MLflow loads; where it does not load, say which versions it was made with."""
    for module, package in (("mlflow", "mlflow-skinny"), ("pandas", "pandas"), ("numpy", "numpy")):
        imported(module, package, "MLflow models are scored with it")
    try:
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))
    except MemoryError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [""]
        message = "the model cannot be loaded: %s: %s" % (type(error).__name__, said[0])
        raise ModelError(message + versions(folder)) from error


def versions(folder: Path) -> str:
    """Say which packages a model was made with that are other ones here, as far as it tells."""
    wanted = made_with(folder)
    here = {name: installed(name) for name in wanted}
    others = [name for name, version in wanted.items() if here[name] != version]
    if not others:
        return ""
    made = ", ".join("%s %s" % (name, wanted[name]) for name in others)
    found = ", ".join("%s %s" % (name, here[name]) if here[name] else "no %s" % name for name in others)
    return "; it was made with %s, and this Python (%s) has %s" % (made, sys.executable, found)


def made_with(folder: Path) -> Dict[str, str]:
    """Return the version of Python and of each package that the model's own files name."""
    wanted: Dict[str, str] = {}
    try:
        for line in (folder / "MLmodel").read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("python_version:"):
                wanted["Python"] = line.partition(":")[2].strip().strip("'\"")
        for line in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines():
            name, pinned, version = line.partition(";")[0].partition("==")
            if pinned:
                wanted[name.partition("[")[0].strip()] = version.strip()
    except (OSError, ValueError):
        pass  # a model need not tell
    return wanted


def installed(name: str) -> str:
    """Return the version of a package, or of Python; empty where it is not installed."""
    import importlib.metadata

    if name == "Python":
        return "%d.%d.%d" % sys.version_info[:3]
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
