"""The workshops of the engine suite: for each engine, a way to make it act by a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from doubles.assignment import Bench
from doubles.scripted_engine import ScriptedEngine
from gristmill.engine.local import LocalEngine

#: Acts by the table in ACTS and STARTS; tells every call by one line, appended in one write.
SCRIPT = """
    import json
    import os
    import time

    ACTS = {int(batch): acts for batch, acts in json.loads(os.environ["ACTS"]).items()}
    STARTS = json.loads(os.environ["STARTS"]).get(os.environ["GRISTMILL_WORKER_INDEX"], [])


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
        if number < len(STARTS) and STARTS[number] == "fail":
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
        acts = ACTS.get(context.minibatch_index, [])
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


    def shutdown():
        tell("shutdowns", os.getpid())
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
        return self.bench.engine(
            mini_batch_size=items,
            workers=workers,
            timeout_s=0.5,
            variables={"ACTS": json.dumps(dict(acts or {})), "STARTS": json.dumps(dict(starts or {}))},
        )

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
