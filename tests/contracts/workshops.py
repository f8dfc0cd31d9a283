"""The workshops of the engine suite: for each engine, a way to make it act by a table."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from doubles.assignment import Bench
from doubles.scripted_engine import ScriptedEngine
from doubles.warm import WarmBench
from gristmill.engine.contract import Span
from gristmill.engine.local import LocalEngine

#: Acts by the table in ACTS and STARTS; tells every call by one line, appended in one write.
SCRIPT = """
    import json
    import os
    import time

    def table(name):
        with open(os.path.join(os.environ["SEEN"], name)) as file:
            return json.load(file)


    def tell(name, *words):
        path = os.path.join(os.environ["SEEN"], name)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (" ".join(map(str, words)) + "\\n").encode())
        os.close(file)


    def told(name):
        path = os.path.join(os.environ["SEEN"], name)
        return open(path).read().splitlines() if os.path.exists(path) else []


    def init():
        name = "starts-" + os.environ["GRISTMILL_WORKER_INDEX"]
        number = len(told(name))
        tell(name, os.getpid())
        acts = table("STARTS").get(os.environ["GRISTMILL_WORKER_INDEX"], [])
        if number < len(acts) and acts[number] == "fail":
            raise RuntimeError("no weights")


    def run(mini_batch, context):
        number = len([line for line in told("calls") if int(line.split()[0]) == context.minibatch_index])
        tell("calls", context.minibatch_index, len(mini_batch))
        begun = {}
        for line in told("times"):
            what, batch, process = line.split()
            begun[batch] = (what, process)
        for batch, (what, process) in begun.items():
            if what == "begin" and os.path.exists("/proc/" + process):
                tell("beside", context.minibatch_index, batch)
        tell("times", "begin", context.minibatch_index, os.getpid())
        try:
            return act_on(mini_batch, context, number)
        finally:
            tell("times", "end", context.minibatch_index, os.getpid())


    def act_on(mini_batch, context, number):
        acts = table("ACTS").get(str(context.minibatch_index), [])
        act = acts[number] if number < len(acts) else "ok"
        if act == "raise":
            raise ValueError("no")
        if act == "exit":
            os._exit(7)
        while act == "hang":
            time.sleep(60)
        if act == "bad_return":
            return "text"
        return [] if act == "empty" else mini_batch[1:] if act == "short" else mini_batch
"""


class LocalWorkshop:
    """Real worker processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bench: Bench

    def engine(
        self,
        batches: int,
        acts: Mapping[int, Sequence[str]] | None = None,
        *,
        starts: Mapping[int, Sequence[str]] | None = None,
        workers: int = 1,
        items: int = 1,
    ) -> LocalEngine:
        files = [b"%05d" % number for number in range(batches * items)]
        self.bench = Bench(self._folder, SCRIPT, files=files)
        lay_out(self.bench, acts, starts)
        return self.bench.engine(mini_batch_size=items, workers=workers, timeout_s=0.5)

    def calls(self) -> Counter[int]:
        return Counter(int(line.split()[0]) for line in self.bench.told("calls"))

    def neighbours(self, batch: int) -> int:
        return sum(str(batch) in line.split() for line in self.bench.told("beside"))

    def items_seen(self) -> Counter[int]:
        seen: Counter[int] = Counter()
        for line in self.bench.told("calls"):
            batch, items = line.split()
            seen[int(batch)] += int(items)
        return seen


class WarmWorkshop(LocalWorkshop):
    """Real worker processes that have done a job before, and go on with this one.

    Where starts are to fail, there have to be starts: then the workers of the first job are killed before.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.warm: WarmBench

    def engine(
        self,
        batches: int,
        acts: Mapping[int, Sequence[str]] | None = None,
        *,
        starts: Mapping[int, Sequence[str]] | None = None,
        workers: int = 1,
        items: int = 1,
    ) -> LocalEngine:
        files = [b"%05d" % number for number in range(batches * items)]
        self.warm = WarmBench(self._folder, SCRIPT, files=files)
        self.bench = self.warm.bench
        lay_out(self.bench, None, None)
        shift = self.warm.begin("first", mini_batch_size=items, workers=workers)
        shift.ready(workers)
        shift.serve([Span(0, batches)])
        shift.engine.close()
        if starts:
            for process in self.warm.idle():
                os.kill(process, signal.SIGKILL)
                os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        for told in self.bench.seen.iterdir():
            told.unlink()
        lay_out(self.bench, acts, starts)
        return self.warm.engine("second", mini_batch_size=items, workers=workers, timeout_s=0.5)


def lay_out(
    bench: Bench, acts: Mapping[int, Sequence[str]] | None, starts: Mapping[int, Sequence[str]] | None
) -> None:
    """Write the tables down where the script looks for them."""
    for name, table in (("ACTS", acts), ("STARTS", starts)):
        (bench.seen / name).write_text(json.dumps(dict(table or {})))


class ScriptedWorkshop:
    """The double that the scheduler's tests use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine: ScriptedEngine
        self._items = 0

    def engine(
        self,
        batches: int,
        acts: Mapping[int, Sequence[str]] | None = None,
        *,
        starts: Mapping[int, Sequence[str]] | None = None,
        workers: int = 1,
        items: int = 1,
    ) -> ScriptedEngine:
        self._items = items
        self._engine = ScriptedEngine(
            staging=self._folder,
            item_count=lambda batch: items,
            script=acts or {},
            starts=starts or {},
            workers=workers,
        )
        return self._engine

    def calls(self) -> Counter[int]:
        return self._engine.calls

    def neighbours(self, batch: int) -> int:
        return self._engine.neighbours[batch]

    def items_seen(self) -> Counter[int]:
        return Counter({batch: calls * self._items for batch, calls in self._engine.calls.items()})
