"""``parallel_run_step.settings.json``: how data frames are to be written, from a file beside the script.

It is contract, section 1.1: ``{"append_row": {"pandas.DataFrame.to_csv": {"sep": ",", "index": true}}}``
overrides the arguments with which a frame is written in the contract's format. What would break the
predictions file is refused before ``init()``; everything else goes to the user's own pandas as it is.
"""

import codecs
import json
import os
from typing import Any, Dict, Optional, Tuple

from gristmill_worker.script import ScriptError

#: The file's name; it lies in the folder of the scoring script.
FILE_NAME = "parallel_run_step.settings.json"

_METHOD = "pandas.DataFrame.to_csv"

#: Arguments that no value is possible for, and why.
_OURS = {
    "path_or_buf": "the rows go to the predictions file",
    "mode": "the predictions file is opened by gristmill",
    "storage_options": "the predictions file is opened by gristmill",
    "compression": "the predictions file is not compressed",
}


def frame_settings(script: str) -> Dict[str, Any]:
    """Return the arguments of ``to_csv`` that the file beside a scoring script sets.

    Parameters
    ----------
    script
        The path of the scoring script.

    Returns
    -------
    Dict[str, Any]
        Name and value of each argument, as they stand in the file; none where there is no such file.

    Raises
    ------
    ScriptError
        The file cannot be read, is no JSON, or sets what would break the predictions file.
    """
    path = os.path.join(os.path.dirname(script), FILE_NAME)
    try:
        with open(path, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
        settings = json.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ScriptError("%s cannot be read: %s" % (FILE_NAME, error.strerror)) from error
    except UnicodeDecodeError as error:
        raise ScriptError("%s is not UTF-8: %s; save it as UTF-8" % (FILE_NAME, error)) from error
    except json.JSONDecodeError as error:
        place = (FILE_NAME, error.lineno, error.colno, error.msg)
        raise ScriptError("%s is not JSON: line %d, column %d: %s" % place) from error
    append_row = _member(settings, "append_row", "its top level")
    arguments = _member(append_row, _METHOD, '"append_row"')
    if not isinstance(arguments, dict):
        raise _misshapen('"%s"' % _METHOD, arguments)
    for name, value in arguments.items():
        objection = _objection(name, value)
        if objection is not None:
            raise ScriptError('%s: argument "%s" of %s: %s' % (FILE_NAME, name, _METHOD, objection))
    return arguments


def written_columns(frame: Any, arguments: Dict[str, Any]) -> Tuple[str, ...]:
    """Return the names of the columns that ``to_csv`` writes with these arguments, the index included.

    A column of the index without a name has an empty one, as in a header that pandas writes.
    """
    chosen = arguments.get("columns")
    names = frame.columns if chosen is None else frame.iloc[:0].loc[:, list(chosen)].columns
    written = tuple(map(str, names))
    if not arguments.get("index"):
        return written
    labels = arguments.get("index_label")
    if labels is None:
        labels = frame.index.names
    elif labels is False:
        labels = []  # pandas writes no name above the index then
    elif not isinstance(labels, list):
        labels = [labels]
    levels = frame.index.nlevels
    index = ["" if label is None else str(label) for label in labels][:levels]
    return (*index, *[""] * (levels - len(index)), *written)


def _member(settings: Any, key: str, owner: str) -> Any:
    if not isinstance(settings, dict):
        raise _misshapen(owner, settings)
    return settings.get(key, {})


def _misshapen(owner: str, value: object) -> ScriptError:
    return ScriptError(
        '%s: %s must be an object, not %s; the form is {"append_row": {"%s": {"sep": ","}}}'
        % (FILE_NAME, owner, json.dumps(value), _METHOD)
    )


def _objection(name: str, value: object) -> Optional[str]:
    """Say why this argument would break the predictions file and what to do; None where it would not."""
    if name in _OURS:
        return "it cannot be set: %s; remove it" % _OURS[name]
    if name == "encoding" and not _is_utf8(value):
        return 'the predictions file is UTF-8; remove it or set it to "utf-8"'
    if name in ("lineterminator", "line_terminator") and value != "\n":
        return 'rows end in a line feed; remove it or set it to "\\n"'
    if name == "header" and value is not False:
        return (
            "a header would stand above the rows of every mini-batch; remove it or set it to false. For one "
            "header at the top of the predictions file write 'properties: {include_output_header: \"true\"}' "
            "in the deployment"
        )
    if name == "sep" and isinstance(value, str) and ("\n" in value or "\r" in value):
        return 'a line break ends a row; set it to another character, such as ","'
    if name == "chunksize" and isinstance(value, int) and value < 0:
        return "pandas would write no rows at all; remove it or set it to a positive number"
    return None


def _is_utf8(encoding: object) -> bool:
    try:
        return encoding is None or codecs.lookup(str(encoding)).name == "utf-8"
    except LookupError:
        return False
