"""Columns of a table in the types of an MLflow signature; what does not fit is named by column and row."""

import base64
import importlib
import sys
from typing import Any, Dict, Iterable, List, Optional


class BadFile(ValueError):
    """A file is not what the model takes."""


def imported(module: str, package: str, why: str) -> Any:
    """Import what has to be installed; where it is not, say what is missing, and where."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise  # it is there, and lacks something itself
        raise ImportError("the package %s is not in %s: %s" % (package, sys.executable, why)) from error


def type_name(spec: Any) -> str:
    """Return the name of a column's type in MLflow: ``long``, ``double``, ``Array(string)``..."""
    return str(getattr(spec.type, "name", spec.type))


def is_required(spec: Any) -> bool:
    """Say whether a table has to have a column; MLflow changed its word for it."""
    return bool(getattr(spec, "required", not getattr(spec, "optional", False)))


def checked(table: Any, specs: List[Any], first: int, is_untyped: bool) -> Any:
    """Return the columns of a table that a signature names, in its types.

    Parameters
    ----------
    table
        A frame.
    specs
        The columns of the signature (``mlflow.types.ColSpec``), with names.
    first
        The number of the table's first row in its file, from 1.
    is_untyped
        Whether the table comes from text, in which a number has no type of its own.
    """
    there = [spec for spec in specs if spec.name in table]
    missing = [spec for spec in specs if spec.name not in table and is_required(spec)]
    if missing:
        what = ", ".join("%r (%s)" % (spec.name, type_name(spec)) for spec in missing)
        message = "the model's signature has the column %s, which is missing" % what
        others = unknown(table, specs)
        if others:
            message += "; found is %s, which the signature does not know" % ", ".join(map(repr, others))
        raise BadFile(message)
    changed = {}
    for spec in there:
        values = table[spec.name]
        converted = Column(spec, first, is_untyped).converted(values)
        if converted is not values:
            changed[spec.name] = converted
    names = [spec.name for spec in there]
    found = table if list(table.columns) == names else table[names]
    if changed:
        found = found.copy()
        for name, converted in changed.items():
            found[name] = converted
    return found


def unknown(table: Any, specs: List[Any]) -> List[str]:
    """Return the names of the columns that a signature does not have."""
    known = {spec.name for spec in specs}
    return [str(name) for name in table.columns if name not in known]


class Column:
    """A column of the signature, and how values become its type."""

    def __init__(self, spec: Any, first: int, is_untyped: bool) -> None:
        self.name = spec.name
        self.type = type_name(spec)
        self._first = first
        self._is_untyped = is_untyped

    def converted(self, values: Any) -> Any:
        """Return values in the column's type, or refuse them; nested types are left to MLflow."""
        if self.type in _NUMBERS:
            return self._number(values) if self._is_untyped else self._typed_number(values)
        convert = {
            "boolean": self._boolean,
            "datetime": self._datetime,
            "binary": self._binary,
            "string": self._string,
        }.get(self.type)
        return values if convert is None else convert(values)

    def _wrong(self, values: Any, is_right: Iterable[bool], found: str = "") -> BadFile:
        """Name the first value that is not right, and its row."""
        place = next((number for number, right in enumerate(is_right) if not right), 0)
        where = "column %r, row %d" % (self.name, self._first + place)
        return BadFile("%s: expected %s, found %s" % (where, self.type, found or repr(values.iloc[place])))

    def _wrong_type(self, found: str) -> BadFile:
        return BadFile("column %r: expected %s, found %s" % (self.name, self.type, found))

    def _number(self, values: Any) -> Any:
        """Take numbers out of text: any that can be had without loss."""
        np, pd = imported("numpy", "numpy", _TABLES), imported("pandas", "pandas", _TABLES)
        wanted = np.dtype(_NUMBERS[self.type])
        if values.dtype == wanted:
            return values
        if values.dtype.kind == "b":
            raise self._wrong(values, [False])
        numbers = values if values.dtype.kind in "iuf" else pd.to_numeric(values, errors="coerce")
        lost = numbers.isna() & ~values.isna()
        if lost.any():
            raise self._wrong(values, ~lost)
        if wanted.kind == "f":
            return numbers.astype(wanted)
        if numbers.isna().any():
            raise self._wrong(values, ~numbers.isna(), _NOTHING)
        limits = np.iinfo(wanted)
        fits = (numbers >= limits.min) & (numbers <= limits.max) & (numbers % 1 == 0)
        if not fits.all():
            raise self._wrong(values, fits, repr(numbers[~fits].iloc[0].item()))
        return numbers.astype(wanted)

    def _typed_number(self, values: Any) -> Any:
        """Leave to MLflow what it converts itself; say what it would refuse."""
        np = imported("numpy", "numpy", _TABLES)
        wanted = np.dtype(_NUMBERS[self.type])
        values = values.infer_objects() if values.dtype.kind == "O" else values
        kind, size = values.dtype.kind, getattr(values.dtype, "itemsize", 0)
        if kind in "iu" and wanted == np.float64:
            return values.astype(wanted)
        if kind == wanted.kind and size <= wanted.itemsize:
            return values
        if kind == "u" and wanted.kind == "i" and size < wanted.itemsize:
            return values
        found = str(values.dtype)
        if kind == "f" and wanted.kind == "i" and values.isna().any():
            found += " with missing values" + _NOTHING[len("no value") :]
        raise self._wrong_type(found)

    def _boolean(self, values: Any) -> Any:
        if values.dtype.kind == "b":
            return values
        if not self._is_untyped:
            if values.dtype.kind != "O":
                raise self._wrong_type(str(values.dtype))
            return values
        found = [_TRUTH.get(str(value).strip().lower()) for value in values]
        is_right = [value is not None or gone for value, gone in zip(found, values.isna())]
        if not all(is_right):
            raise self._wrong(values, is_right)
        pd = imported("pandas", "pandas", _TABLES)
        return pd.Series(found, index=values.index, dtype=object if None in found else bool)

    def _datetime(self, values: Any) -> Any:
        """Return times in UTC and without a zone, which is how MLflow takes them."""
        pd = imported("pandas", "pandas", _TABLES)
        if values.dtype.kind in "iufb":
            raise self._wrong_type("%r (%s)" % (values.iloc[0].item(), values.dtype))
        times = values
        if values.dtype.kind != "M":
            times = pd.to_datetime(values, errors="coerce", utc=True, **_each_in_its_own_way(pd))
        lost = times.isna() & ~values.isna()
        if lost.any():
            raise self._wrong(values, ~lost)
        if getattr(times.dtype, "tz", None) is not None:
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        return times.astype("datetime64[ns]")

    def _binary(self, values: Any) -> Any:
        """Take bytes out of base64, where a format has no bytes of its own."""
        if not self._is_untyped:
            return values
        found = [None if text is None or text != text else _decoded(text) for text in values]
        is_right = [data is not None or gone for data, gone in zip(found, values.isna())]
        if not all(is_right):
            raise self._wrong(values, is_right, "what is not base64")
        return imported("pandas", "pandas", _TABLES).Series(found, index=values.index, dtype=object)

    def _string(self, values: Any) -> Any:
        if values.dtype.kind in "iufbM":
            raise self._wrong_type("%r (%s)" % (values.iloc[0], values.dtype))
        return values


_NUMBERS = {"double": "f8", "float": "f4", "long": "i8", "integer": "i4"}
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_TABLES = "tables are read with it"
_NOTHING = "no value, which MLflow does not have among whole numbers"


def _decoded(text: Any) -> Optional[bytes]:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return None


def _each_in_its_own_way(pd: Any) -> Dict[str, str]:
    """Let each time of a column be written in its own way; before pandas 2 that needs no saying."""
    return {} if int(pd.__version__.partition(".")[0]) < 2 else {"format": "mixed"}
