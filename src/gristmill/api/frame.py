"""The predictions of a job as a data frame. The only importer of `pandas`, and only when it is asked."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from gristmill.errors import JobStateError, RequestError
from gristmill.service.predictions import Predictions
from gristmill.spec.values import OutputFormat

if TYPE_CHECKING:
    import pandas

#: The column of predictions that have no columns of their own.
LINES = "prediction"
#: A column that holds names of files whatever they look like: ``007`` is no number there.
_NAMES = "file"


def pandas_module() -> Any:
    """Import pandas.

    Raises
    ------
    RequestError
        It is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise RequestError(
            f"a data frame needs the package pandas, which cannot be imported here ({error}); install it "
            "with 'pip install pandas', or read the file of predictions yourself"
        ) from error
    return pandas


def read_frame(predictions: Predictions) -> pandas.DataFrame:
    """Read predictions as a data frame.

    Parameters
    ----------
    predictions
        The file, and how it is to be read.

    Returns
    -------
    pandas.DataFrame
        A row for each row of the file, in its order, with the columns that the script gave it; or one column,
        ``prediction``, with the text of each line. Only an empty cell is a missing value: ``NA`` is a text.
        Bytes that are not UTF-8 come as surrogates, which ``os.fsencode`` turns back.

    Raises
    ------
    RequestError
        pandas is not installed.
    JobStateError
        The file is not what was written.
    """
    module = pandas_module()
    try:
        if predictions.output_format is OutputFormat.PARQUET:
            return _parquet(module, predictions)
        if predictions.output_format is OutputFormat.JSONL:
            return _json_lines(module, predictions)
        if predictions.is_lines:
            return _lines(module, predictions)
        return _table(module, predictions)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise JobStateError(
            f"{predictions.path} cannot be read as the predictions that the job wrote: {error}; "
            "gristmill verify tells whether it was changed"
        ) from error


def _lines(module: Any, predictions: Predictions) -> Any:
    lines = predictions.path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    return module.DataFrame({LINES: module.Series(lines if lines[-1] else lines[:-1], dtype=object)})


def _json_lines(module: Any, predictions: Predictions) -> Any:
    """Not by pandas: it makes dates of texts, and refuses names of files that are not UTF-8."""
    with predictions.path.open(encoding="utf-8") as file:
        return module.DataFrame(list(map(json.loads, file)))


def _parquet(module: Any, predictions: Predictions) -> Any:
    try:
        return module.read_parquet(predictions.path)
    except ImportError as error:
        raise RequestError(
            f"{predictions.path} is a Parquet file, for which pandas needs pyarrow ({error}); install "
            "it with pip install 'gristmill[parquet]'"
        ) from error


def _table(module: Any, predictions: Predictions) -> Any:
    columns = predictions.columns or _header(predictions)
    if not columns:
        return module.DataFrame()
    kinds = {place: object for place, name in enumerate(columns) if name == _NAMES}
    options = _options(predictions, len(columns), is_exact=_reads_exactly(module))
    try:
        frame = module.read_csv(predictions.path, **options, dtype=kinds)
    except UnicodeDecodeError:
        # pandas' own text type refuses what is not UTF-8; so texts become Python's, and numbers stay numbers.
        guess = module.read_csv(predictions.path, **options, encoding_errors="replace")
        texts = {place: object for place in guess if not module.api.types.is_numeric_dtype(guess[place])}
        frame = module.read_csv(
            predictions.path, **options, dtype={**texts, **kinds}, encoding_errors="surrogateescape"
        )
    frame.columns = list(columns)
    return frame


def _options(predictions: Predictions, columns: int, *, is_exact: bool) -> dict[str, Any]:
    return {
        "sep": predictions.separator,
        "header": 0 if predictions.has_header else None,
        "names": range(columns),
        "index_col": False,
        "keep_default_na": False,
        "na_values": [""],
        "skip_blank_lines": False,
        "lineterminator": "\n",
        "low_memory": False,
        "encoding": "utf-8",
        **({} if is_exact else {"float_precision": "round_trip"}),
        **predictions.cells,
    }


def _reads_exactly(module: Any) -> bool:
    """Say whether this pandas reads every number as it was written, without being asked to."""
    major, minor = str(module.__version__).split(".")[:2]
    return (int(major), int(minor)) >= (3, 1)


def _header(predictions: Predictions) -> tuple[str, ...]:
    with predictions.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return tuple(next(csv.reader(file, delimiter=predictions.separator), ()))
