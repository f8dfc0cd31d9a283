"""Provenance: columns in front of a row's own that say where it comes from (``gristmill.provenance``)."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

#: What can be asked for.
KNOWN = ("input_file", "row", "mini_batch", "deployment", "model_version")


#: Which mini-batch a result is of, and the number of each file's first row in the file that it is a piece of;
#: None: they are whole. A plain tuple: one is made for every call of ``run()``.
Origin = Tuple[int, Optional[Sequence[int]]]


class Provenance:
    """The columns that were asked for, and what is the same in every row."""

    def __init__(
        self, names: Sequence[str] = (), deployment: str = "", model_version: Optional[str] = None
    ) -> None:
        self.names = tuple(names)
        self._same: Dict[str, Any] = {"deployment": deployment, "model_version": model_version}

    def columns(self, rows: int, files: Sequence[str], origin: Origin) -> Dict[str, Sequence[Any]]:
        """Return the columns for so many rows of a mini-batch of these files, in the order asked for.

        A row's file is known where each file has one row, or where there is but one file; its number within
        the file counts from 0. Else both are None.
        """
        if not self.names:
            return {}
        return {name: self._column(name, rows, files, origin) for name in self.names}

    def _column(self, name: str, rows: int, files: Sequence[str], origin: Origin) -> Sequence[Any]:
        unknown: List[Any] = [None] * rows
        if name == "input_file":
            return list(files) if len(files) == rows else list(files) * rows if len(files) == 1 else unknown
        if name == "row":
            first_rows = origin[1] or [0] * len(files)
            if len(files) == 1:
                return range(first_rows[0], first_rows[0] + rows)
            return first_rows if len(files) == rows else unknown
        return [origin[0] if name == "mini_batch" else self._same[name]] * rows
