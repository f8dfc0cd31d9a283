"""Where the rows of a text file end: the one place that says what a row of a ``csv`` or ``jsonl`` file is.

The planner counts rows by it and finds the bytes at which a file may be cut; the worker cuts smaller pieces
by it. So both agree on every byte. A row of a ``csv`` file is a record of RFC 4180, read as Python's ``csv``
and pandas read it: a quote opens only where a field begins, line breaks between quotes belong to the field,
``""`` is a quote, and a row ends with CR LF, LF or CR. A row of a ``jsonl`` file is a line that ends with LF.
Lines with nothing but white space are no rows, as for pandas; they stay with the row before or behind them.

Text comes in blocks, and nearly all of the work is done by counting and splitting whole blocks: only where a
quote stands in the middle of a field are its surroundings looked at character by character.
"""

import os
import re
from operator import itemgetter
from typing import NamedTuple, Optional, Tuple

BLOCK_BYTES = 256 * 1024
"""Bytes that are looked at in one go; about a millisecond."""

#: A block in which a quote stands where none is expected is halved down to this.
_SMALLEST_BYTES = 4096
_FEW_BYTES = 512
#: What may stand between fields; the one that is most frequent in the first line does.
_DELIMITERS = (b",", b";", b"\t", b"|")
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_QUOTED_FIELD = re.compile(rb'"(?:[^"]|"")*"')
_last = itemgetter(-1)

#: Where in a field the text stands: at its beginning, in one without quotes, between quotes, behind a quote
#: that may have closed it.
_BEGIN, _PLAIN, _QUOTED, _CLOSED = 0, 1, 2, 3


class State(NamedTuple):
    """Where a scan stands."""

    field: int
    has_content: bool
    """Whether the row that has begun holds more than white space."""
    rows: int
    """Rows that are complete."""


FRESH = State(_BEGIN, False, 0)


class Dialect(NamedTuple):
    """How a file is to be read."""

    delimiter: Optional[bytes]
    """What stands between the fields of a ``csv`` file; None: lines of ``jsonl``."""
    begin: int
    """Where the text begins, in bytes: behind a byte order mark."""


def dialect_of(head: bytes, is_csv: bool) -> Optional[Dialect]:
    """Find out how a file is to be read, from its first bytes; None: it is no text of single bytes.

    Parameters
    ----------
    head
        Its first `BLOCK_BYTES`.
    is_csv
        Whether it is a ``csv`` file, or else ``jsonl``.
    """
    if head.startswith(_WIDE):
        return None
    begin = len(_BOM) if head.startswith(_BOM) else 0
    if not is_csv:
        return Dialect(None, begin)
    lines = _QUOTED_FIELD.sub(b"", head[begin:]).splitlines()
    first = next((line for line in lines if line.strip(b" ")), b"")
    counts = [first.count(one) for one in _DELIMITERS]
    return Dialect(_DELIMITERS[counts.index(max(counts))], begin)


def read_block(descriptor: int, at: int, end: int, most: int = BLOCK_BYTES) -> bytes:
    """Return the next bytes of a file; a CR at the end of them is the last byte, or has no LF behind it.

    Parameters
    ----------
    descriptor
        The file.
    at, end
        From where, and up to where at most.
    most
        How many bytes are wanted, about.
    """
    block = os.pread(descriptor, min(BLOCK_BYTES, most, end - at), at)
    while block.endswith(b"\r") and at + len(block) < end:
        more = os.pread(descriptor, 1, at + len(block))
        if not more:
            break
        block += more
    return block


class Scanner:
    """Follows the rows of one text."""

    def __init__(self, delimiter: Optional[bytes], state: State = FRESH) -> None:
        """Begin where a row begins, unless another state is given."""
        self.state = state
        self._delimiter = delimiter
        self._blank = b" \t\r" if delimiter != b"\t" else b" \r"
        self._may_be_blank = re.compile(b"\n[\n" + self._blank + b"]")
        self._may_open = frozenset((delimiter or b"") + b"\n\r")
        self._misplaced = re.compile(b"[^" + (delimiter or b"") + b'\n\r"]"')
        special = rb'["\n]|\r\n?|' + re.escape(delimiter or b",")
        self._special = re.compile(special)
        self._line_end = re.compile(rb"\n" if delimiter is None else rb"\r\n?|\n")

    @property
    def is_in_quotes(self) -> bool:
        """Whether a quote is open."""
        return self.state.field == _QUOTED

    @property
    def rows_at_end(self) -> int:
        """The rows there are if the text ends here: the last one needs no line break."""
        return self.state.rows + self.state.has_content

    def feed(self, block: bytes) -> None:
        """Take the next bytes, as `read_block` gives them."""
        self.state = self._after(self.state, block)

    def feed_until(self, rows: int, block: bytes) -> int:
        """Take the next bytes up to where so many rows are complete, counted from the beginning.

        Returns
        -------
        int
            How many bytes were taken: all of them, where they do not complete so many.
        """
        state, end = self._after(self.state, block), len(block)
        if state.rows < rows:
            self.state = state
            return end
        begin, state = 0, self.state
        while end - begin > _FEW_BYTES:
            middle = _between_lines(block, (begin + end) // 2)
            reached = self._after(state, block[begin:middle])
            if reached.rows >= rows:
                end = middle
            else:
                begin, state = middle, reached
        for line_end in self._line_end.finditer(block, begin, end):
            state, begin = self._after(state, block[begin : line_end.end()]), line_end.end()
            if state.rows >= rows:
                break
        self.state = state
        return begin

    def _after(self, state: State, block: bytes) -> State:
        """Return where the scan stands after some bytes."""
        if not block:
            return state
        text: Optional[bytes] = block
        field = _BEGIN
        if self._delimiter is not None:
            text, field = self._outside(state.field, block)
            if text is None or (b"\r" in text and text.count(b"\r") != text.count(b"\r\n")):
                return self._after_odd(state, block)
        assert text is not None
        return self._counted(state, text, field)

    def _outside(self, field: int, block: bytes) -> Tuple[Optional[bytes], int]:
        """Return the text without what stands between quotes, one quote for each of these, and where in a
        field it ends; None where a quote stands in the middle of a field.
        """
        if field != _QUOTED and b'"' not in block:
            return block, _BEGIN if block[-1] in self._may_open else _PLAIN
        segments = block.split(b'"')
        is_quoted = field == _QUOTED
        outside = segments[1::2] if is_quoted else segments[0::2]
        ends_quoted = (len(segments) % 2 == 0) != is_quoted
        before_quotes = outside if ends_quoted else outside[:-1]
        if field == _PLAIN and before_quotes and not before_quotes[0]:
            return None, field
        text = b'"'.join(outside)
        if is_quoted or ends_quoted:
            text = b'"' * is_quoted + text + b'"' * ends_quoted
        if len(text) < len(block) // 4:  # nearly all of it is quoted, so this is the sooner way
            is_odd = self._misplaced.search(text) is not None
        else:
            is_odd = not self._may_open.issuperset(map(_last, filter(None, before_quotes)))
        if is_odd:
            return None, field
        if ends_quoted:
            return text, _QUOTED
        if not outside[-1]:
            return text, _CLOSED
        return text, _BEGIN if outside[-1][-1] in self._may_open else _PLAIN

    def _counted(self, state: State, text: bytes, field: int) -> State:
        """Count the lines of a text that has no line breaks but ends of rows."""
        lines = text.count(b"\n")
        if not lines:
            has_content = state.has_content or bool(text.strip(self._blank))
            return State(field, has_content, state.rows)
        blank, first_end, last_begin = self._blank, text.index(b"\n"), text.rindex(b"\n") + 1
        rows = lines - 1
        if self._may_be_blank.search(text):
            between = text[first_end + 1 : last_begin].split(b"\n")
            rows = sum(1 for line in between if line.strip(blank))
        rows += state.has_content or bool(text[:first_end].strip(blank))
        return State(field, bool(text[last_begin:].strip(blank)), state.rows + rows)

    def _after_odd(self, state: State, block: bytes) -> State:
        """Find the place that needs a closer look, and go on as usual around it."""
        if len(block) <= _SMALLEST_BYTES:
            return self._followed(state, block)
        middle = _between_lines(block, len(block) // 2)
        return self._after(self._after(state, block[:middle]), block[middle:])

    def _followed(self, state: State, block: bytes) -> State:
        """Follow the text from one special character to the next."""
        field, has_content, rows = state
        position = 0
        for found in self._special.finditer(block):
            begin, character = found.start(), found.group()
            if begin > position and field != _QUOTED:
                field = _PLAIN
                has_content = has_content or bool(block[position:begin].strip(self._blank))
            position = found.end()
            if character == b'"':
                has_content = True
                if field in (_BEGIN, _CLOSED):
                    field = _QUOTED
                elif field == _QUOTED:
                    field = _CLOSED
            elif field != _QUOTED:
                field = _BEGIN
                if character == self._delimiter:
                    has_content = True
                else:
                    rows += has_content
                    has_content = False
        if position < len(block) and field != _QUOTED:
            field = _PLAIN
            has_content = has_content or bool(block[position:].strip(self._blank))
        return State(field, has_content, rows)


def _between_lines(block: bytes, middle: int) -> int:
    """Return a place that is not within a CR LF."""
    return middle + 1 if block[middle - 1 : middle + 1] == b"\r\n" else middle
