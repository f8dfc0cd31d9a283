"""`parallel_run_step.settings.json`: what it changes, what it may not change, and how it is told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Columns, Failed, Reason, StartFailed
from gristmill_worker.encoded import BadReturn, Encoded
from gristmill_worker.frame_settings import FILE_NAME, frame_settings
from gristmill_worker.rows import encoder
from gristmill_worker.script import ScriptError
from worker.conftest import Serve

FRAME = pd.DataFrame({"a": ["x y", None], "b": [0.5, 2.0]})
PAIRS = pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["k", None])

#: Text that a CSV reader of every Python takes.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def encode(frame: pd.DataFrame, **arguments: Any) -> Encoded:
    return encoder("azure", "score.py", arguments)(frame, ["1.txt", "2.txt"])


def content(**arguments: Any) -> str:
    return json.dumps({"append_row": {"pandas.DataFrame.to_csv": arguments}})


def settings_of(folder: Path, text: str) -> dict[str, Any]:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return frame_settings(str(folder / "score.py"))


# What the file may say


def test_without_the_file_nothing_is_set(tmp_path: Path) -> None:
    assert frame_settings(str(tmp_path / "score.py")) == {}


@pytest.mark.parametrize(
    "text",
    ["{}", '{"append_row": {}}', '{"append_row": {"pandas.DataFrame.to_csv": {}}}', '{"summary_only": 3}'],
)
def test_a_file_that_says_nothing_of_frames_sets_nothing(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text) == {}


def test_values_are_handed_on_as_they_are(tmp_path: Path) -> None:
    arguments = {"sep": ",", "index": True, "na_rep": None, "whatever": [1, {"a": 2.5}]}
    assert settings_of(tmp_path, content(**arguments)) == arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"header": False},
        {"encoding": "utf-8"},
        {"encoding": "UTF8"},
        {"encoding": None},
        {"lineterminator": "\n"},
        {"line_terminator": "\n"},
        {"chunksize": None},
    ],
    ids=str,
)
def test_what_says_how_it_is_anyway_is_taken_and_changes_nothing(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    taken = settings_of(tmp_path, content(**arguments))
    assert encode(FRAME, **taken) == encoder("azure", "score.py")(FRAME, [])


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "\ufeff" + content(sep=";")) == {"sep": ";"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path_or_buf": "x.csv"}, 'argument "path_or_buf" of pandas.DataFrame.to_csv: it cannot be set'),
        ({"mode": "a"}, 'argument "mode" of pandas.DataFrame.to_csv: it cannot be set'),
        ({"compression": "gzip"}, "the predictions file is not compressed; remove it"),
        ({"storage_options": {}}, "the predictions file is opened by gristmill; remove it"),
        ({"encoding": "latin-1"}, 'the predictions file is UTF-8; remove it or set it to "utf-8"'),
        ({"encoding": "utf-8-sig"}, 'argument "encoding"'),
        ({"encoding": "no such"}, 'argument "encoding"'),
        ({"encoding": 8}, 'argument "encoding"'),
        ({"lineterminator": "\r\n"}, 'rows end in a line feed; remove it or set it to "\\n"'),
        ({"lineterminator": None}, 'argument "lineterminator"'),
        ({"line_terminator": ""}, 'argument "line_terminator"'),
        ({"header": True}, "write 'properties: {include_output_header: \"true\"}' in the deployment"),
        ({"header": ["a", "b"]}, "remove it or set it to false"),
        ({"header": 0}, 'argument "header"'),
        ({"sep": "\n"}, 'a line break ends a row; set it to another character, such as ","'),
        ({"chunksize": -1}, "remove it or set it to a positive number"),
    ],
    ids=str,
)
def test_what_would_break_the_output_is_refused(tmp_path: Path, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ScriptError) as refused:
        settings_of(tmp_path, content(**{"sep": ",", **arguments}))
    assert str(refused.value).startswith(f'{FILE_NAME}: argument "{next(iter(arguments))}" of ')
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "its top level must be an object, not []"),
        ('{"append_row": "x"}', '"append_row" must be an object, not "x"'),
        ('{"append_row": {"pandas.DataFrame.to_csv": null}}', '"pandas.DataFrame.to_csv" must be an object'),
    ],
)
def test_another_shape_is_refused_with_the_right_one(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ScriptError) as refused:
        settings_of(tmp_path, text)
    assert str(refused.value).startswith(f"{FILE_NAME}: {told}")
    assert str(refused.value).endswith('{"append_row": {"pandas.DataFrame.to_csv": {"sep": ","}}}')


def test_a_file_that_is_no_json_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as refused:
        settings_of(tmp_path, '{\n  "append_row": {,}\n}')
    assert str(refused.value).startswith(f"{FILE_NAME} is not JSON: line 2, column 18: Expecting property")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ScriptError, match=r"is not UTF-8: .* position 7.*; save it as UTF-8"):
        frame_settings(str(tmp_path / "score.py"))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(ScriptError, match=f"{FILE_NAME} cannot be read: Is a directory"):
        frame_settings(str(tmp_path / "score.py"))


# What becomes of it in the rows; the header is always the one that pandas would write


@pytest.mark.parametrize(
    ("frame", "arguments", "data"),
    [
        (FRAME, {"sep": ","}, b"x y,0.5\n,2.0\n"),
        (FRAME, {"sep": ",", "index": True}, b"0,x y,0.5\n1,,2.0\n"),
        (FRAME, {"index": True}, b'0 "x y" 0.5\n1  2.0\n'),
        (FRAME, {"na_rep": "-", "float_format": "%.2f"}, b'"x y" 0.50\n- 2.00\n'),
        (FRAME, {"sep": "\t", "quoting": 1}, b'"x y"\t"0.5"\n""\t"2.0"\n'),
        (FRAME, {"columns": ["b"]}, b"0.5\n2.0\n"),
        (FRAME, {"columns": ["b", "a"], "index": True, "sep": ";"}, b"0;0.5;x y\n1;2.0;\n"),
        (FRAME, {"index": True, "index_label": "row", "sep": ";"}, b"0;x y;0.5\n1;;2.0\n"),
        (FRAME.rename_axis("id"), {"index": True, "sep": ";"}, b"0;x y;0.5\n1;;2.0\n"),
        (FRAME.set_axis(PAIRS, axis=0), {"index": True, "sep": ";"}, b"p;1;x y;0.5\nq;2;;2.0\n"),
        (
            FRAME.set_axis(PAIRS, axis=0),
            {"index": True, "index_label": ["u", "v"], "sep": ";"},
            b"p;1;x y;0.5\nq;2;;2.0\n",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_rows_and_header_are_those_of_pandas(
    frame: pd.DataFrame, arguments: dict[str, Any], data: bytes
) -> None:
    encoded = encode(frame, **arguments)
    written = frame.to_csv(**{"sep": " ", "index": False, **arguments})
    [header, *_] = csv.reader(io.StringIO(written), delimiter=arguments.get("sep", " "))
    assert encoded == Encoded(data, 2, tuple(header), ())


def test_an_index_without_label_still_has_its_column_in_the_header() -> None:
    assert encode(FRAME, index=True, index_label=False).header == ("", "a", "b")


@given(CELLS, CELLS, st.sampled_from(",; \t|"), st.booleans())
def test_any_text_reads_back_with_any_separator(one: str, two: str, separator: str, index: bool) -> None:
    encoded = encode(pd.DataFrame({"a": [one, "x"], "b": ["y", two]}), sep=separator, index=index)
    text = io.StringIO(encoded.data.decode(), newline="")
    rows = [row[index:] for row in csv.reader(text, delimiter=separator)]
    assert rows == [[one, "y"], ["x", two]]
    assert encoded.header == ("", "a", "b")[not index :]


def test_an_empty_frame_has_no_rows() -> None:
    assert encode(pd.DataFrame({"a": []}), index=True) == Encoded(b"", 0, None, ())


@pytest.mark.parametrize(
    ("result", "data"), [(["x y"], b"x y\n"), ([], b""), (pd.Series([1, 2]), b"1\n2\n")], ids=str
)
def test_lists_are_written_as_ever(result: Any, data: bytes) -> None:
    assert encoder("azure", "score.py", {"sep": ",", "index": True})(result, []).data == data


def test_the_native_format_takes_no_settings() -> None:
    native = encoder("csv", "score.py", {"sep": ";", "index": True})(FRAME, ["1", "2"])
    assert native == encoder("csv", "score.py")(FRAME, ["1", "2"])


class OldFrame(pd.DataFrame):
    """A frame of pandas before 1.5, which knows the line ending by another name."""

    def to_csv(self, *args: Any, **options: Any) -> Any:
        if "lineterminator" in options:
            raise TypeError("to_csv() got an unexpected keyword argument 'lineterminator'")
        return super().to_csv(*args, lineterminator=options.pop("line_terminator"), **options)


@pytest.mark.parametrize("name", ["lineterminator", "line_terminator"])
def test_pandas_before_1_5_takes_the_same_settings(name: str) -> None:
    old = encode(OldFrame(FRAME), sep=",", index=True, **{name: "\n"})
    assert old == encode(FRAME, sep=",", index=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seperator": ","}, "unexpected keyword argument 'seperator'"),
        ({"line_terminatr": "\n"}, "unexpected keyword argument 'line_terminatr'"),
        ({"sep": ",,"}, "TypeError: "),
        ({"columns": ["c"]}, "KeyError: "),
        ({"quoting": 3}, "need to escape"),
    ],
    ids=str,
)
def test_what_pandas_refuses_is_told_with_the_file(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(BadReturn) as refused:
        encode(FRAME, **arguments)
    assert told in str(refused.value)
    assert FILE_NAME in str(refused.value)
    assert str(refused.value).endswith("; correct append_row there")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_value_without_text_is_not_blamed_on_the_settings() -> None:
    with pytest.raises(RuntimeError, match="no text"):
        encode(pd.DataFrame({"a": [Unprintable()]}), sep=",")


# In a real worker

SCRIPT = """
    import pandas


    def run(mini_batch):
        names = [os.path.basename(path) for path in mini_batch]
        return pandas.DataFrame({"name": names, "size": 0}).rename_axis("row")
    """


def test_a_worker_writes_frames_as_the_file_beside_its_script_says(serve: Serve) -> None:
    served = serve(SCRIPT, beside={FILE_NAME: content(sep=",", index=True)})
    assert served.rows == [f"{number % 5},{number:03d}.txt,0" for number in range(20)]
    assert [columns.names for columns in served.shift.all(Columns)] == [("row", "name", "size")]


def test_the_file_lies_beside_the_script_and_not_above_it(serve: Serve) -> None:
    beside = {FILE_NAME: "no JSON", f"src/{FILE_NAME}": content(sep=";")}
    served = serve(SCRIPT, name="src/score.py", beside=beside)
    assert served.rows == [f"{number:03d}.txt;0" for number in range(20)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (content(mode="a"), f'{FILE_NAME}: argument "mode" of pandas.DataFrame.to_csv: it cannot be set'),
        ('{"append_row"', f"{FILE_NAME} is not JSON: line 1, column 14: "),
    ],
)
def test_a_worker_with_a_wrong_file_does_not_start(serve: Serve, text: str, told: str) -> None:
    served = serve("tell('calls', 'import')", beside={FILE_NAME: text}, starts=False)
    [failure] = served.shift.all(StartFailed)
    assert failure.message.startswith(told)
    assert failure.message in served.bench.log("error")
    assert served.bench.told("calls") == []


@pytest.mark.parametrize("output_format", ["csv", "none"])
def test_another_format_does_not_read_the_file(serve: Serve, output_format: str) -> None:
    served = serve(
        "def run(mini_batch): return mini_batch",
        beside={FILE_NAME: "no JSON"},
        output_format=output_format,
    )
    assert served.shift.all(StartFailed) == []
    assert served.shift.answers() == [0, 1, 2, 3]


def test_a_mini_batch_whose_frame_pandas_refuses_to_write_so_fails(serve: Serve) -> None:
    served = serve(SCRIPT, beside={FILE_NAME: content(seperator=",")}, mini_batch_size=20)
    [failed] = served.shift.all(Failed)
    assert failed.reason is Reason.BAD_RETURN
    assert FILE_NAME in failed.message
    assert "'seperator'" in failed.message
