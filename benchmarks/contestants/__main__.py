"""Let one contestant do its work once: ``python contestants NAME SCRIPT FOLDER OUTPUT SIZE WORKERS SETTING``.

Prints, as the last line, the seconds that it took from the start of the listing to the written file.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

import scoring

CONTESTANTS = {
    "gristmill": "ours:gristmill",
    "loop": "bare:loop",
    "pool": "bare:pool",
    "pebble": "bare:pebble",
    "joblib": "bare:joblib",
    "ray_data": "engines:ray_data",
    "daft": "engines:daft",
    "dask": "engines:dask",
    "spark": "engines:spark",
}


def main() -> int:
    name, script, folder, output, size, workers, setting = sys.argv[1:]
    os.environ[scoring.SCRIPT] = script
    module, _, function = CONTESTANTS[name].partition(":")
    work = scoring.Work(
        script=script,
        folder=folder,
        output=output,
        size=int(size),
        workers=int(workers),
        setting=int(setting),
    )
    took_s = getattr(importlib.import_module(module), function)(work)
    print(json.dumps({"seconds": took_s}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
