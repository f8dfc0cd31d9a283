"""``--output``: an answer as text. The shapes of ``tsv`` and ``table`` are those of ``az``, since scripts
read them. This module must not know what is asked about, and prints nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

#: What a table leaves out.
_NOT_IN_TABLES = ("id", "type", "etag")
_BETWEEN_COLUMNS = "  "
#: What older readers of YAML take for the end of a line.
_BREAKS = re.compile("[\x85\u2028\u2029]")


def as_text(answer: Any, form: str, *, is_terminal: bool) -> str:
    """Return an answer as text.

    Parameters
    ----------
    answer
        Values for JSON; None, what a query gives that finds nothing, is no text at all.
    form
        One of `options.FORMS`.
    is_terminal
        Whether colours are shown, of the forms that have them.

    Returns
    -------
    str
        Whole lines; possibly none.
    """
    if answer is None:
        return ""
    if form in _COLOURED and is_terminal:
        return _coloured(_FORMS[form](answer), _COLOURED[form])
    return _FORMS[form](answer)


def _json(answer: Any) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def _yaml(answer: Any) -> str:
    from io import StringIO

    from ruamel.yaml import YAML  # nobody else needs it for an answer

    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # so that readers of both versions see "no" as a text
    yaml.default_flow_style = False
    yaml.allow_unicode = not _BREAKS.search(json.dumps(answer, ensure_ascii=False))  # these need escapes
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None there
    text = StringIO()
    yaml.dump(answer, text)
    return re.sub(r"\A%YAML 1\.1\n---\s|\.\.\.\n\Z", "", text.getvalue())


def _tsv(answer: Any) -> str:
    rows = answer if isinstance(answer, list) else [answer]
    return "".join(f"{_tsv_row(row)}\n" for row in rows)


def _tsv_row(row: Any) -> str:
    if isinstance(row, Mapping):
        return "\t".join(map(_tsv_cell, row.values()))
    if isinstance(row, list):
        return "\t".join(map(_tsv_cell, row))
    return str(row).lower() if isinstance(row, bool) else _tsv_cell(row)


def _tsv_cell(value: Any) -> str:
    """Return a value; of a list its length, and of what has keys nothing, so that the columns stay apart."""
    if isinstance(value, list):
        return str(len(value))
    return "" if isinstance(value, Mapping) else str(value)


def _table(answer: Any) -> str:
    rows = [_table_row(row) for row in (answer if isinstance(answer, list) else [answer])]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        return ""
    cells = [[_table_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(name), *(len(line[number]) for line in cells)) for number, name in enumerate(columns)]
    is_number = [
        all(_is_number(row.get(name)) for row in rows if row.get(name) is not None) for name in columns
    ]
    lines = [columns, ["-" * width for width in widths], *cells]
    return "".join(f"{_table_line(line, widths, is_number)}\n" for line in lines)


def _table_row(row: Any) -> dict[str, Any]:
    """Return the columns of a row: what has one value, under its name with a capital letter."""
    if isinstance(row, Mapping):
        return {
            name[:1].upper() + name[1:]: value
            for name, value in row.items()
            if name not in _NOT_IN_TABLES and value is not None and not isinstance(value, (Mapping, list))
        }
    if isinstance(row, list):
        return {f"Column{number}": value for number, value in enumerate(row, start=1)}
    return {"Result": row}


def _table_cell(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split("\n"))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _table_line(line: list[str], widths: list[int], is_number: list[bool]) -> str:
    cells = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(line, widths, is_number, strict=True)
    ]
    return _BETWEEN_COLUMNS.join(cells).rstrip()


def _none(_: Any) -> str:
    return ""


def _coloured(text: str, language: str) -> str:
    from rich.console import Console  # only for who looks at a terminal
    from rich.syntax import Syntax

    console = Console(force_terminal=True, width=max(map(len, text.splitlines()), default=1) + 1)
    with console.capture() as captured:
        console.print(Syntax(text.rstrip("\n"), language, theme="ansi_dark", background_color="default"))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


_FORMS: dict[str, Callable[[Any], str]] = {
    "json": _json,
    "jsonc": _json,
    "yaml": _yaml,
    "yamlc": _yaml,
    "table": _table,
    "tsv": _tsv,
    "none": _none,
}
_COLOURED = {"jsonc": "json", "yamlc": "yaml"}
