"""A worker and its script's own files: what it tells of them, and when it must be replaced."""

from __future__ import annotations

import os

from gristmill.engine.contract import Failed, Farewell, Notice, Ready, Scored, WorkerEnded, pieces_in
from worker.conftest import Serve, Served


def pieces(served: Served, event: Scored | Farewell) -> dict[str, bytes]:
    """Return what an outcome added to files, by name."""
    start = event.offset + (event.length if isinstance(event, Scored) else 0)
    if not event.attached:
        return {}
    with open(served.bench.assignment.part_path(event.part), "rb") as part:

        def read(size: int, at: int) -> bytes:
            return os.pread(part.fileno(), size, at)

        return {one.name: read(one.length, one.offset) for one in pieces_in(read, start, event.attached)}


def aside(served: Served, part: int, label: str) -> dict[str, bytes]:
    folder = served.bench.assignment.staging / "aside" / str(part) / label
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_pieces_and_whole_files_are_told_with_each_mini_batch(serve: Serve) -> None:
    served = serve(
        """
        OUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


        def run(mini_batch, context):
            with open(OUT + "/all", "a") as file:
                file.write("%d\\n" % context.minibatch_index)
            with open(OUT + "/%d" % context.minibatch_index, "w") as file:
                file.write("whole")
            return mini_batch
        """
    )
    outcomes = sorted(served.shift.all(Scored))
    assert [one.span.batches for one in outcomes] == [1, 1, 1, 1]
    assert [pieces(served, one) for one in outcomes] == [{"all": b"%d\n" % number} for number in range(4)]
    assert [aside(served, one.part, f"{one.span.first}-0-1") for one in outcomes] == [
        {str(number): b"whole"} for number in range(4)
    ]
    assert [(one.files, one.held) for one in outcomes] == [(1, 0)] * 4
    assert served.rows == served.paths


def test_mini_batches_without_files_are_told_together_and_without_pieces(serve: Serve) -> None:
    served = serve("def run(mini_batch): return mini_batch")
    assert {(one.attached, one.attached_crc, one.files, one.held) for one in served.shift.all(Scored)} == {
        (0, 0, 0, 0)
    }


def test_what_shutdown_leaves_is_told_with_the_goodbye(serve: Serve) -> None:
    served = serve(
        """
        OUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


        def init():
            global file
            file = open(OUT + "/all", "w")


        def run(mini_batch):
            file.write("row\\n")
            return mini_batch


        def shutdown():
            file.write("end\\n")
            file.close()
            with open(OUT + "/summary", "w") as summary:
                summary.write("sum")
        """
    )
    assert [pieces(served, one) for one in served.shift.all(Scored)] == [{"all": b"row\n"}] * 4
    (goodbye,) = served.shift.all(Farewell)
    assert pieces(served, goodbye) == {"all": b"end\n"}
    assert (goodbye.files, aside(served, goodbye.part, "shutdown")) == (1, {"summary": b"sum"})


def test_a_worker_that_never_scored_leaves_nothing_at_its_end(serve: Serve) -> None:
    served = serve(
        """
        OUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


        def run(mini_batch):
            raise ValueError("no")


        def shutdown():
            with open(OUT + "/summary", "w") as summary:
                summary.write("sum")
        """
    )
    (goodbye,) = served.shift.all(Farewell)
    assert (goodbye.files, goodbye.attached) == (0, 0)
    assert len(served.shift.all(Failed)) == 4


def test_a_failed_try_that_holds_a_file_open_is_told_and_its_worker_replaced(serve: Serve) -> None:
    served = serve(
        """
        OUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


        def init():
            global file
            file = open(OUT + "/all", "w")


        def run(mini_batch, context):
            file.write("%d\\n" % context.minibatch_index)
            if context.minibatch_index == 1:
                raise ValueError("as asked")
            return mini_batch
        """
    )
    (failed,) = served.shift.all(Failed)
    assert (failed.span.first, failed.reason.value) == (1, "exception")
    assert "as asked" in failed.message
    (ended,) = served.shift.all(WorkerEnded)
    assert "it held all open after a failed try" in ended.message
    outcomes = sorted(served.shift.all(Scored))
    assert [pieces(served, one) for one in outcomes] == [{"all": b"%d\n" % number} for number in (0, 2, 3)]
    assert ended.part == outcomes[0].part != outcomes[1].part
    assert len(served.shift.all(Ready)) == 2


def test_what_a_library_holds_is_told_once_and_its_outcomes_are_held(serve: Serve) -> None:
    served = serve(
        """
        import sqlite3

        OUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


        def init():
            global base
            base = sqlite3.connect(OUT + "/scores.db")
            base.execute("create table scores (name)")
            base.commit()


        def run(mini_batch):
            base.executemany("insert into scores values (?)", [(path,) for path in mini_batch])
            base.commit()
            return mini_batch
        """
    )
    outcomes = served.shift.all(Scored)
    assert [(one.held, one.files, one.attached) for one in outcomes] == [(1, 0, 0)] * 4
    (notice,) = [one for one in served.shift.all(Notice) if one.key == "held_open"]
    assert "scores.db in the output folder is kept open by a library" in notice.text
    (goodbye,) = served.shift.all(Farewell)
    assert list(aside(served, goodbye.part, "shutdown")) == ["scores.db"]
