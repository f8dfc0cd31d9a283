"""Gristmill in a notebook: a real kernel runs real cells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flow.holding import SCRIPT as HOLDING
from flow.holding import is_gone
from flow.mill import DEADLINE_S, Mill

pytest.importorskip("ipykernel", reason="needs ipykernel, a notebook's kernel (requirements/dev.in)")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient, to run notebooks (requirements/dev.in)")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat, which comes with nbclient")

# What Jupyter's own packages warn of is not ours to repair.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def notebook(new_mill: Callable[[], Mill]) -> tuple[Mill, Any]:
    """A notebook with a job over forty files, as it stands when it was run from top to bottom."""
    mill = new_mill()
    mill.inputs({f"{number:03d}": str(number) for number in range(40)})
    mill.script(
        """
def init(): pass
def run(mini_batch):
    time.sleep(0.02)
    return [{"n": int(Path(path).read_text())} for path in mini_batch]
"""
    )
    cells = [
        "import gristmill",
        "job = gristmill.run('code/score.py', input='in', name='j', workers=2, mini_batch_size=1)",
        "job",
        "job.frame()",
        "import asyncio\nasyncio.get_running_loop().is_running()",
        "gristmill.run('code/score.py', input='in', name='quiet', progress=False).succeeded",
    ]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with Kernel(mill) as client:
        client.nb = made
        for number, cell in enumerate(made.cells):
            client.execute_cell(cell, number)
    return mill, made


class Kernel:
    """A notebook's client with a kernel of its own, in the folder of a mill."""

    def __init__(self, mill: Mill) -> None:
        self._mill = mill

    def __enter__(self) -> Any:
        self.client = nbclient.NotebookClient(
            nbformat.v4.new_notebook(), timeout=DEADLINE_S, kernel_name="python3", allow_errors=True
        )
        self.client.create_kernel_manager()
        self.client.start_new_kernel(env=self._mill.environment(), cwd=str(self._mill.root))
        self.client.start_new_kernel_client()
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client._cleanup_kernel()


def outputs(notebook: tuple[Mill, Any], cell: int) -> list[Any]:
    return list(notebook[1].cells[cell].outputs)


def test_progress_is_one_output_that_ends_at_100_percent(notebook: tuple[Mill, Any]) -> None:
    (shown,) = outputs(notebook, 1)
    title, bar, *notices = shown.data["text/plain"].splitlines()

    assert shown.output_type == "display_data"
    assert title == "job j; output in j"
    assert bar.startswith(f"[{'█' * 24}] 100 % 40 of 40 items, 0 failed")
    assert all(line.startswith("notice: ") for line in notices)


def test_job_is_shown_as_a_table(notebook: tuple[Mill, Any]) -> None:
    (shown,) = outputs(notebook, 2)

    assert shown.data["text/plain"] == "<gristmill.Job j: Completed: all 40 items>"
    assert "<strong>job j: Completed: all 40 items</strong><table>" in shown.data["text/html"]
    assert "j/predictions.csv</td>" in shown.data["text/html"]


def test_frame_is_shown(notebook: tuple[Mill, Any]) -> None:
    (shown,) = outputs(notebook, 3)

    assert "<th>file</th>" in shown.data["text/html"]
    assert "<td>039</td>" in shown.data["text/html"]


def test_loop_of_the_kernel_goes_on(notebook: tuple[Mill, Any]) -> None:
    assert outputs(notebook, 4)[0].data["text/plain"] == "True"


def test_nothing_is_shown_without_progress(notebook: tuple[Mill, Any]) -> None:
    (shown,) = outputs(notebook, 5)

    assert (shown.output_type, shown.data["text/plain"]) == ("execute_result", "40")


def test_interrupt_of_the_kernel_cancels_the_job_in_order(mill: Mill) -> None:
    mill.inputs({"000": "ok", "001": "wait", "002": "ok"})
    mill.script(HOLDING)
    cell = nbformat.v4.new_code_cell(
        "import gristmill\n"
        "gristmill.run('code/score.py', input='in', output='out', name='j', workers=1, mini_batch_size=1)"
    )
    after = nbformat.v4.new_code_cell("gristmill.job('j').status")
    with Kernel(mill) as client:
        client.nb = nbformat.v4.new_notebook(cells=[cell, after])

        async def interrupted() -> None:
            running = asyncio.ensure_future(client.async_execute_cell(cell, 0))
            while "001" not in mill.calls() and not running.done():
                await asyncio.sleep(0.01)
            await client.km._async_interrupt_kernel()
            await running
            await client.async_execute_cell(after, 1)

        asyncio.run(interrupted())

    shown, error = cell.outputs
    assert "1 of 3 items" in shown.data["text/plain"]
    assert error.ename == "KeyboardInterrupt"
    assert error.evalue.startswith("job j: Canceled")
    assert after.outputs[0].data["text/plain"] == "'Canceled'"
    assert [pid for pid in mill.lines("pids") if not is_gone(pid)] == []
    view = mill.show()
    assert (view["status"], view["succeeded"], view["not_run"]) == ("Canceled", 1, 2)
