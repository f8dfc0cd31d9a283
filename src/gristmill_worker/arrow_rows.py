"""Rows of a data frame written by Arrow: the bytes of pandas' ``to_csv``, an order of magnitude sooner.

Only what is known to come out the same is written here; for anything else `ArrowRows.rows` returns None, and
pandas writes the frame. Known are, column by column: integers, booleans, floats, texts with and without
missing ones, nullable integers and booleans, and categories that are texts. Arrow and pandas print the same
shortest digits of a float, in another notation where it is small, large or whole: those are put right here.

pyarrow and numpy are those of the script's environment, handed in by `frames`: nothing is imported. Before
they are believed, `frames` lets them write a frame of odd values and compares.
"""

from typing import Any, Dict, List, Optional, Tuple

#: Rows that are written at once: they stay in the processor's cache, and a cell may be 32 KB long.
ROWS_AT_ONCE = 1 << 16

#: Plain digits in Arrow and in pandas alike, from the first on and below the second.
_PLAIN = {8: (1e-4, 1e10), 4: (1e-3, 1e6)}
#: An exponent in both, with the same digits, from here on, and below that.
_HUGE, _TINY = 1e16, 1e-9
#: An exponent in both from `_TINY` up to here, in Arrow of one digit and in pandas of two. What is neither
#: plain, huge, tiny nor small is written by numpy.
_SMALL = 1e-6

#: The dtypes of texts, by name: of pandas 3, and before.
_TEXTS = frozenset({"object", "str", "string", "string[python]", "string[pyarrow]", "large_string[pyarrow]"})
_INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
_NULLABLE_INTEGERS = frozenset({"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"})


class _Unknown(Exception):
    """Nobody knows whether Arrow would write this column as pandas does."""


class ArrowRows:
    """Writes frames for one separator."""

    def __init__(self, pandas: Any, pyarrow: Any, compute: Any, numpy: Any, separator: str) -> None:
        self._pandas = pandas
        self._arrow = pyarrow
        self._compute = compute
        self._numpy = numpy
        self._separator = separator
        self._special = "[" + separator + '"\r\n]'
        self._marks = tuple(mark.encode() for mark in (separator, '"', "\n", "\r"))

    def rows(self, frame: Any) -> Optional[bytes]:
        """Return the rows of a frame, each ended by a line feed; None where pandas must write it."""
        try:
            return self._rows(frame)
        except Exception:  # an old pyarrow lacks a kernel, a text is not UTF-8, a cell is too long, ...
            return None

    def _rows(self, frame: Any) -> Optional[bytes]:
        with self._numpy.errstate(all="ignore"):
            columns = [self._column(frame.iloc[:, place]) for place in range(len(frame.columns))]
            if not columns:
                return None
            count = len(frame)
            if count <= ROWS_AT_ONCE:
                return bytes(self._lines(columns, 0, count))
            bounds = [*range(0, count, ROWS_AT_ONCE), count]
            return b"".join([self._lines(columns, *pair) for pair in zip(bounds, bounds[1:])])

    def _column(self, series: Any) -> Tuple[str, Any]:
        """Return what kind a column is of, and its values."""
        name = str(series.dtype)
        if name in _INTEGERS:
            return "integer", series.to_numpy()
        if name in ("float64", "float32"):
            return "float", series.to_numpy()
        if name == "bool":
            return "boolean", series.to_numpy()
        if name in _TEXTS:
            return "text", series.to_numpy() if name == "object" else series.array
        if name in _NULLABLE_INTEGERS:
            return "integer", series.array
        if name == "boolean":
            return "boolean", series.array
        if name == "category":
            categories = self._pandas.Series(series.array.categories)
            if str(categories.dtype) not in _TEXTS:
                raise _Unknown(name)
            values = categories.to_numpy()
            if not all(type(value) is str for value in values):
                raise _Unknown(name)
            return "category", (series.array.codes, self._quoted(self._arrow.array(values, "string")))
        raise _Unknown(name)

    def _lines(self, columns: List[Tuple[str, Any]], start: int, end: int) -> memoryview:
        """Return some rows as one run of bytes."""
        pieces: List[Any] = []
        writers: Dict[str, Any] = {
            "integer": self._integers,
            "float": self._floats,
            "boolean": self._booleans,
            "text": self._texts,
            "category": self._categories,
        }
        for kind, values in columns:
            cells = writers[kind](values, start, end)
            if len(columns) == 1:
                cells = [self._visible(cells)]
            pieces += [*cells, self._separator]
        pieces[-1] = "\n"
        compute = self._compute
        options = compute.JoinOptions(null_handling="replace", null_replacement="")
        lines = compute.binary_join_element_wise(*pieces, "", options=options)
        first, last = self._bounds(lines)
        return memoryview(lines.buffers()[2])[first:last]

    def _visible(self, cells: List[Any]) -> Any:
        """Return the cells of the only column: an empty one is quoted, since a blank line is no row."""
        compute = self._compute
        texts = compute.fill_null(cells[0], "")
        if len(cells) > 1:
            texts = compute.binary_join_element_wise(texts, compute.fill_null(cells[1], ""), "")
        return compute.if_else(compute.equal(texts, ""), '""', texts)

    # Cells: pieces of text that are put one behind the other; a missing one is empty.

    def _integers(self, values: Any, start: int, end: int) -> List[Any]:
        return [self._compute.cast(self._arrow.array(values[start:end]), "string")]

    def _booleans(self, values: Any, start: int, end: int) -> List[Any]:
        return [self._compute.if_else(self._arrow.array(values[start:end]), "True", "False")]

    def _categories(self, values: Any, start: int, end: int) -> List[Any]:
        codes, cells = values
        chosen = codes[start:end]
        return [self._compute.take(cells, self._arrow.array(chosen, mask=chosen < 0))]

    def _texts(self, values: Any, start: int, end: int) -> List[Any]:
        some = values[start:end]
        if self._numpy.ndarray is type(some):
            if not set(map(type, some)) <= {str, type(None), float}:
                raise _Unknown("objects")
            return [self._quoted(self._arrow.array(some, "string", from_pandas=True))]
        cells = self._arrow.array(some)
        if not isinstance(cells, self._arrow.Array):  # pandas 3 keeps texts in pieces
            cells = cells.combine_chunks()
            if not isinstance(cells, self._arrow.Array):
                cells = self._arrow.concat_arrays(cells.chunks)
        return [self._quoted(cells.cast("string"))]

    def _quoted(self, cells: Any) -> Any:
        """Return texts in quotes where a reader needs them."""
        first, last = self._bounds(cells)
        text = bytes(memoryview(cells.buffers()[2])[first:last]) if last > first else b""
        if not any(mark in text for mark in self._marks):
            return cells
        compute = self._compute
        special = compute.match_substring_regex(cells, pattern=self._special)
        doubled = compute.replace_substring(cells, pattern='"', replacement='""') if b'"' in text else cells
        quoted = compute.binary_join_element_wise('"', doubled, '"', "")
        return compute.if_else(special, quoted, cells)

    def _floats(self, values: Any, start: int, end: int) -> List[Any]:
        numpy, compute, arrow = self._numpy, self._compute, self._arrow
        some = values[start:end]
        missing = numpy.isnan(some)
        has_gaps = missing.any()
        texts = compute.cast(arrow.array(some, mask=missing) if has_gaps else arrow.array(some), "string")
        size = numpy.abs(some)
        smallest, largest = _PLAIN[some.dtype.itemsize]
        plain = ((size >= smallest) & (size < largest)) | (some == 0)
        if not (plain | missing).all():
            if self._pandas.isna(some[numpy.isinf(some)]).any():
                raise _Unknown("an old option of pandas makes infinite ones missing")
            small = (size >= _TINY) & (size < _SMALL)
            if small.any():
                longer = compute.replace_substring(texts, pattern="e-", replacement="e-0")
                texts = compute.if_else(arrow.array(small), longer, texts)
            odd = ~(plain | missing | small | (size >= _HUGE) | (size < _TINY))
            if odd.any():
                others = arrow.array(some[odd].astype(str).astype(object), "string")
                texts = compute.replace_with_mask(texts, arrow.array(odd), others)
        whole = plain & (numpy.trunc(some) == some)
        if not whole.any():
            return [texts]
        return [texts, compute.if_else(arrow.array(whole), ".0", "")]

    def _bounds(self, cells: Any) -> Tuple[int, int]:
        """Return where the characters of texts begin and end in their buffer."""
        if not len(cells):
            return 0, 0
        offsets = self._numpy.frombuffer(cells.buffers()[1], dtype=self._numpy.int32)
        return int(offsets[cells.offset]), int(offsets[cells.offset + len(cells)])
