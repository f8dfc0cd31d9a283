"""Plays scenes before an `Outbox`: a script to be run by any Python, which is told of scenes line by line.

Each scene has a process of its own, forked from this one: an audit hook can never be taken away. What came of
it is left in ``told.json`` in the scene's folder.
"""

import gc
import json
import os
import sys

sys.path.insert(0, sys.argv[1])

from gristmill_worker.outbox import Outbox  # its folder is not on the path before
from gristmill_worker.part import Part
from gristmill_worker.writes import Writes, flush_libraries


class Fails(Exception):
    """The try is to fail."""


def play(root, folder, init, tries, last):
    """Do with the outbox what `loop.Worker` does; each piece of code is run as a script's."""
    os.chdir(os.path.join(root, "working"))
    writes = Writes(folder, os.path.join(root, "working", ".notes"))
    outbox = Outbox(folder, os.path.join(root, "aside"), writes)
    part, me, told = Part(os.path.join(root, "one.part")), os.getpid(), []
    world = {"OUT": folder, "os": os, "Fails": Fails}
    exec(init, world)
    outbox.begin()
    for number, code in enumerate(tries):
        try:
            exec(code, world)
        except Fails:
            left_by_fork(me)
            leaving = outbox.put_back()
            told.append({"failed": True, "leaving": leaving, "there": there(folder)})
            if leaving:
                return told
            continue
        left_by_fork(me)
        touched = outbox.is_touched()
        told.append(
            {"touched": touched, **(taken(outbox, part, outbox.take(number, 0, 1)) if touched else NOTHING)}
        )
        if touched:
            outbox.settle()
    if last is not None:
        exec(last, world)
        if outbox.has_open():
            world.clear()
            gc.collect()
            flush_libraries()
        told.append({"touched": True, **taken(outbox, part, outbox.take_last())})
    return told


def left_by_fork(me):
    if os.getpid() != me:
        os._exit(0)


NOTHING = {"files": 0, "held": False, "foreign": [], "offset": 0, "attached": 0, "there": []}


def taken(outbox, part, takings):
    offset = part.offset
    attached, _ = part.attach(outbox.folder, takings.pieces)
    return {
        "files": takings.files,
        "held": takings.held,
        "foreign": outbox.foreign,
        "offset": offset,
        "attached": attached,
        "there": there(outbox.folder),
    }


def there(folder):
    found = []
    for here, folders, files in os.walk(folder):
        found += [os.path.relpath(os.path.join(here, name), folder) for name in files]
        found += [os.path.relpath(os.path.join(here, name), folder) + "/" for name in folders]
    return sorted(found)


def main():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        scene = json.loads(line)
        child = os.fork()
        if not child:
            told = play(**scene)
            with open(os.path.join(scene["root"], "told.json"), "w") as file:
                json.dump(told, file)
            os._exit(0)
        os.waitpid(child, 0)
        print("played", flush=True)


if __name__ == "__main__":
    main()
