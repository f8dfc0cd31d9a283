"""Files as an MLflow model takes them: tables, images and plain bytes, in the types of the model's signature.

What is wrong with a file is an exception whose message names the column, what is expected and what is there.
"""

import itertools
import json
import os
from typing import Any, Iterator, List, Optional

from mlflow_columns import BadFile, checked, imported, type_name, unknown
from mlflow_images import image

TABLES = (".csv", ".parquet", ".pqt", ".json", ".jsonl")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
#: In these formats a number has no type of its own.
UNTYPED = (".csv", ".json", ".jsonl")


class Reader:
    """Reads files for one model."""

    def __init__(self, schema: Any, chunk_rows: int, large_bytes: int) -> None:
        """Keep what the model asks for.

        Parameters
        ----------
        schema
            The inputs of its signature (``mlflow.types.Schema``), or None.
        chunk_rows
            Rows in a piece of a large table.
        large_bytes
            Larger tables are read in pieces, where the schema names their columns.
        """
        self.schema = schema
        self.chunk_rows = chunk_rows
        self.large_bytes = large_bytes
        self.tensors: List[Any] = (
            list(schema.inputs) if schema is not None and schema.is_tensor_spec() else []
        )
        is_columns = schema is not None and not self.tensors
        self.columns: List[Any] = list(schema.inputs) if is_columns else []
        self.has_names = bool(self.columns) and schema.has_input_names()
        self._told: set = set()  # type: ignore[type-arg]  # Python 3.8 cannot subscript set

    def pieces(self, path: str, first_row: int = 0) -> Iterator[Any]:
        """Yield what the model gets of a file: one piece, or several of a large table.

        Parameters
        ----------
        path
            The file.
        first_row
            The number of its first row, from 0, where it is a part of another file.
        """
        kind = os.path.splitext(path)[1].lower()
        if kind in TABLES:
            yield from self._table(path, kind, first_row + 1)
        elif len(self.columns) == 1 and type_name(self.columns[0]) == "binary":
            with open(path, "rb") as file:
                name = self.columns[0].name if self.has_names else 0
                yield imported("pandas", "pandas", _TABLES).DataFrame({name: [file.read()]})
        elif kind not in IMAGES:
            supported = ", ".join((*TABLES, *IMAGES))
            raise BadFile("file type %r is not supported; supported are %s" % (kind, supported))
        elif self.columns or len(self.tensors) > 1:
            asked = "%d columns" % len(self.columns) if self.columns else "%d arrays" % len(self.tensors)
            raise BadFile("it is an image, and the model's signature asks for %s" % asked)
        else:
            spec = self.tensors[0] if self.tensors else None
            array = image(path, spec)
            yield {spec.name: array} if spec is not None and spec.name else array

    def _table(self, path: str, kind: str, first: int) -> Iterator[Any]:
        in_pieces = self.has_names and os.path.getsize(path) > self.large_bytes
        for piece in self._read(path, kind, self.chunk_rows if in_pieces else None):
            if self.tensors:
                yield self._arrays(piece)
                continue
            if self._takes_records():
                yield piece if isinstance(piece, list) else as_table(piece).to_dict("records")
                continue
            table = as_table(piece)
            if self.has_names:
                others = unknown(table, self.columns)
                table = checked(table, self.columns, first, kind in UNTYPED)
                self._tell_unknown(others)
            elif self.columns and table.shape[1] != len(self.columns):
                what = "it has %d columns, and the model's signature has %d"
                raise BadFile(what % (table.shape[1], len(self.columns)))
            first += len(table)
            if len(table):
                yield table

    def _takes_records(self) -> bool:
        """Say whether one unnamed input is a ``dict`` for each row, as type hints of a model make it."""
        kinds = [type(spec.type).__name__ for spec in self.columns]
        return not self.has_names and kinds in (["Map"], ["Object"])

    def _read(self, path: str, kind: str, rows: Optional[int]) -> Iterator[Any]:
        if kind == ".csv":
            return csv_file(path, rows, self.columns if self.has_names else [])
        return (json_lines if kind == ".jsonl" else json_file if kind == ".json" else parquet_file)(
            path, rows
        )

    def _tell_unknown(self, names: List[str]) -> None:
        if not self._told.issuperset(names):
            self._told.update(names)
            print("columns that the model's signature does not know are left out: %s" % ", ".join(names))

    def _arrays(self, piece: Any) -> Any:
        """Return an array, or one for each name, in the types and shapes of the signature."""
        names = [spec.name for spec in self.tensors]
        if names == [None]:
            return array_of(piece, self.tensors[0])
        given = piece if isinstance(piece, dict) and "data" not in piece else as_table(piece)
        if len(names) == 1 and names[0] not in given:
            return {names[0]: array_of(as_table(piece), self.tensors[0])}
        missing = [repr(name) for name in names if name not in given]
        if missing:
            raise BadFile("the model's signature has %s, which is missing" % ", ".join(missing))
        return {spec.name: array_of(given[spec.name], spec) for spec in self.tensors}


_TABLES = "tables are read with it"

# Formats


def csv_file(path: str, rows: Optional[int], columns: List[Any]) -> Iterator[Any]:
    """Yield a CSV file as frames: whole, or so many rows at a time.

    Parameters
    ----------
    path
        The file.
    rows
        Rows in a frame; None: all.
    columns
        Those of the signature, with names; none: the first line may be no header.
    """
    pd = imported("pandas", "pandas", _TABLES)
    if not os.path.getsize(path):
        raise BadFile("it is empty")
    texts = {spec.name: str for spec in columns if type_name(spec) in ("string", "datetime", "binary")}
    header = 0 if columns or has_header(path) else None
    found = pd.read_csv(path, dtype=texts, header=header, chunksize=rows)
    if rows is None:
        yield found
        return
    try:
        yield from found
    finally:
        found.close()


def has_header(path: str) -> bool:
    """Say whether a CSV file has names in its first line: numbers are none, unless they count from 0."""
    pd = imported("pandas", "pandas", _TABLES)
    cells = [str(cell) for cell in pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]]
    return cells == [str(number) for number in range(len(cells))] or not all(map(is_number, cells))


def is_number(cell: str) -> bool:
    """Say whether a cell holds a number, or nothing."""
    try:
        float(cell)
        return True
    except ValueError:
        return not cell


def parquet_file(path: str, rows: Optional[int]) -> Iterator[Any]:
    """Yield a Parquet file as frames: whole, or so many rows at a time."""
    with open(path, "rb") as file:
        if rows is None:
            yield imported("pandas", "pandas", _TABLES).read_parquet(file)
            return
        parquet = imported("pyarrow.parquet", "pyarrow", "Parquet files are read with it")
        for batch in parquet.ParquetFile(file).iter_batches(rows):
            yield batch.to_pandas()


def json_lines(path: str, rows: Optional[int]) -> Iterator[Any]:
    """Yield a JSON Lines file as lists of what its lines hold."""
    with open(path, encoding="utf-8-sig") as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        while True:
            piece = [parsed(line, "line %d" % number) for number, line in itertools.islice(lines, rows)]
            if not piece:
                return
            yield piece


def json_file(path: str, rows: Optional[int]) -> Iterator[Any]:
    """Yield what a JSON file holds, without what MLflow's servers want around it."""
    with open(path, encoding="utf-8-sig") as file:
        held = parsed(file.read(), "it")
    for key in ("dataframe_split", "dataframe_records", "instances", "inputs"):
        if isinstance(held, dict) and list(held) == [key]:
            held = held[key]
    yield held


def parsed(text: str, what: str) -> Any:
    """Return what a JSON text holds."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadFile("%s is not JSON: %s" % (what, error)) from error


def as_table(held: Any) -> Any:
    """Return a frame: of rows as dicts or lists, of columns, or of the split form that pandas writes."""
    pd = imported("pandas", "pandas", _TABLES)
    if isinstance(held, pd.DataFrame):
        return held
    if isinstance(held, dict):
        if "data" in held and set(held) <= {"columns", "index", "data"}:
            return pd.DataFrame(held["data"], columns=held.get("columns"))
        if not any(isinstance(value, (list, dict)) for value in held.values()):
            return pd.DataFrame([held])  # one row
        return pd.DataFrame(held).reset_index(drop=True)
    if not isinstance(held, list):
        raise BadFile("it holds a %s; a list of rows is expected" % type(held).__name__)
    return pd.DataFrame(held)


def array_of(held: Any, spec: Any) -> Any:
    """Return an array in the type and shape of a tensor of the signature."""
    np = imported("numpy", "numpy", "the model's signature asks for arrays")
    try:
        if hasattr(held, "to_numpy"):
            held = held.to_numpy()
            if (
                held.dtype == object
                and held.ndim == 1
                and len(held)
                and isinstance(held[0], (list, np.ndarray))
            ):
                held = np.stack([np.asarray(one) for one in held])
        array = np.asarray(held, dtype=spec.type)
        fits = array.ndim == len(spec.shape) and all(b in (-1, a) for a, b in zip(array.shape, spec.shape))
        return array if fits else array.reshape([len(array), *spec.shape[1:]])
    except (TypeError, ValueError) as error:
        asked = "%s of the shape %s" % (spec.type, tuple(spec.shape))
        name = "input %r" % spec.name if spec.name else "the model's input"
        raise BadFile("%s: expected an array of %s, found another: %s" % (name, asked, error)) from error
