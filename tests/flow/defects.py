"""Scoring scripts that are defective in one way each, with what `gristmill check` calls it; and sound twins.

Every script sees twelve files, ten of them in its first mini-batch, and a model, the file `model.bin`.
"""

from __future__ import annotations

RETURN = "\ndef run(mini_batch):\n    return list(mini_batch)\n"

# What only trying the script out shows: name → (code of the finding, source, words typed behind the command).
SEEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "prints instead of returning": (
        "wrong-return",
        "def run(mini_batch):\n    score = print\n    return [score(p) for p in mini_batch].clear()\n",
        (),
    ),
    "returns a str": ("wrong-return", "def run(mini_batch):\n    s = 'done'\n    return s\n", ()),
    "returns a dict": (
        "wrong-return",
        "def run(mini_batch):\n    d = {p: 1 for p in mini_batch}\n    return d\n",
        (),
    ),
    "returns a generator": ("wrong-return", "def run(b):\n    m = map(str, b)\n    return m\n", ()),
    "returns a number": ("wrong-return", "def run(mini_batch):\n    n = 1.5\n    return n\n", ()),
    "returns one result for all": (
        "fewer-results",
        "def run(mini_batch):\n    return [len(mini_batch)]\n",
        (),
    ),
    "returns two results for each": ("more-results", "def run(mini_batch):\n    return mini_batch * 2\n", ()),
    "returns an empty list": (
        "no-results",
        "def run(mini_batch):\n    return [p for p in mini_batch if not p]\n",
        (),
    ),
    "returns dicts where text is written": (
        "nested-elements",
        "def run(mini_batch):\n    return [{'file': p} for p in mini_batch]\n",
        ("--format", "azure"),
    ),
    "returns arrays": (
        "array-elements",
        "import numpy as np\ndef run(mini_batch):\n    return [np.zeros(3) for _ in mini_batch]\n",
        ("--format", "azure"),
    ),
    "returns text with line breaks": (
        "line-breaks",
        "def run(mini_batch):\n    return [p + '\\nsecond' for p in mini_batch]\n",
        ("--format", "azure"),
    ),
    "imports what is not there": ("missing-package", "import no_such_package.part\n" + RETURN, ()),
    "fails at import": ("import-fails", "LIMIT = 1 / 0\n" + RETURN, ()),
    "has an init that raises": ("init-raises", "def init():\n    raise OSError('no weights')\n" + RETURN, ()),
    "has an init that exits": ("init-raises", "import sys\ndef init():\n    sys.exit('bye')\n" + RETURN, ()),
    "has an init that ends the process": (
        "init-ends-process",
        "import os\ndef init():\n    os._exit(3)\n" + RETURN,
        (),
    ),
    "has an init that never returns": (
        "init-hangs",
        "import time\ndef init():\n    while True:\n        time.sleep(0.01)\n" + RETURN,
        ("--init-timeout", "1"),
    ),
    "opens a model file that is not there": (
        "init-raises",
        "import os\ndef init():\n    name = 'other.bin'\n    for n in [name]:\n"
        "        open(os.path.join(os.environ['AZUREML_MODEL_DIR'], n))\n" + RETURN,
        (),
    ),
    "raises in run": ("run-raises", "def run(mini_batch):\n    return [int('x') for _ in mini_batch]\n", ()),
    "raises an error without text": (
        "run-raises",
        "class Odd(Exception):\n    def __str__(self): raise ValueError\n"
        "def run(mini_batch):\n    if mini_batch:\n        raise Odd\n    return mini_batch\n",
        (),
    ),
    "never returns from run": (
        "run-hangs",
        "import time\ndef run(mini_batch):\n    while mini_batch:\n        time.sleep(0.01)\n"
        "    return mini_batch\n",
        ("--timeout", "1"),
    ),
    "ends the process in run": (
        "run-ends-process",
        "import os, signal\ndef run(mini_batch):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return mini_batch\n",
        (),
    ),
    "closes what it needs again": (
        "later-call-fails",
        "labels = open(__file__)\ndef run(mini_batch):\n    with labels:\n        labels.read()\n"
        "    return mini_batch\n",
        (),
    ),
    "counts over mini-batches": (
        "not-repeatable",
        "seen = {'n': 0}\ndef run(mini_batch):\n    rows = []\n    for p in mini_batch:\n"
        "        seen['n'] += 1\n"
        "        rows.append(seen['n'])\n    return rows\n",
        (),
    ),
    "draws numbers": (
        "not-repeatable",
        "import random\ndef run(mini_batch):\n    return [random.randrange(10**9) for _ in mini_batch]\n",
        (),
    ),
    "compares a file with the one before": (
        "depends-on-order",
        "def run(mini_batch):\n    return [a < b for a, b in zip(mini_batch, [''] + mini_batch)]\n",
        (),
    ),
    "sorts its files": (
        "depends-on-order",
        "def run(mini_batch):\n    return [open(p).read() for p in sorted(mini_batch)]\n",
        (),
    ),
    "keeps everything": (
        "leaks-memory",
        "kept = {}\ndef run(mini_batch):\n    kept[len(kept)] = bytearray(2**20)\n    return mini_batch\n",
        (),
    ),
    "leaves files open": (
        "leaves-files-open",
        "kept = {}\ndef run(mini_batch):\n    kept[len(kept)] = open(mini_batch[0])\n    return mini_batch\n",
        (),
    ),
    "leaves threads": (
        "leaves-threads",
        "import threading\ndef run(mini_batch):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n    return mini_batch\n",
        (),
    ),
    "leaves child processes": (
        "leaves-children",
        "import subprocess\nkept = {}\ndef run(mini_batch):\n"
        "    kept[len(kept)] = subprocess.Popen(['sleep', '600'])\n    return mini_batch\n",
        (),
    ),
    "leaves a process that hides": (
        "leaves-children",
        "import subprocess\ndef init():\n    global child\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n" + RETURN,
        (),
    ),
    "fills the temporary folder": (
        "fills-tmpdir",
        "import tempfile\ndef run(mini_batch):\n    tempfile.mkdtemp()\n    return mini_batch\n",
        (),
    ),
    "changes the folder out of sight": (
        "changes-folder",
        "import os\ndef init():\n    getattr(os, 'ch' + 'dir')('/')\n" + RETURN,
        (),
    ),
    "changes the locale": (
        "changes-locale",
        "import locale\ndef init():\n    locale.setlocale(locale.LC_ALL, 'C')\n" + RETURN,
        (),
    ),
    "handles signals": (
        "replaces-signal-handlers",
        "import signal\ndef init():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + RETURN,
        (),
    ),
    "reads standard input": ("reads-stdin", "import sys\ndef init():\n    sys.stdin.read()\n" + RETURN, ()),
    "writes beside its input": (
        "writes-into-input",
        "def run(mini_batch):\n    with open(mini_batch[0] + '.out', 'w'):\n        return mini_batch\n",
        (),
    ),
    "writes beside itself": (
        "writes-beside-script",
        "from pathlib import Path\ndef run(mini_batch):\n"
        "    (Path(__file__).parent / 'log.txt').write_text('x')\n    return mini_batch\n",
        (),
    ),
    "changes its model": (
        "changes-model",
        "import os\ndef init():\n    with open(os.environ['GRISTMILL_MODEL_PATH'], 'a') as file:\n"
        "        file.write('x')\n" + RETURN,
        (),
    ),
    "writes nothing": ("nothing-written", RETURN, ("--output-action", "summary_only")),
    "fails in shutdown": ("shutdown-raises", "def shutdown():\n    1 / 0\n" + RETURN, ()),
    "keeps the process alive": (
        "process-lingers",
        "import threading\ndef init():\n    threading.Thread(target=threading.Event().wait).start()\n"
        + RETURN,
        (),
    ),
}

#: Findings of these are such that a job fails or loses items.
ERRORS = frozenset(
    {
        *(
            "wrong-return",
            "no-results",
            "missing-package",
            "import-fails",
            "init-raises",
            "init-ends-process",
        ),
        *("init-hangs", "run-raises", "run-hangs", "run-ends-process", "later-call-fails"),
    }
)

# What looks like one of these and is not.
SOUND: dict[str, tuple[str, tuple[str, ...]]] = {
    "a list": (RETURN, ()),
    "a frame with more rows than files": (
        "import pandas as pd\ndef run(mini_batch):\n"
        "    return pd.DataFrame({'file': mini_batch * 3, 'p': 0.1})\n",
        (),
    ),
    "an array": (
        "import numpy as np\ndef run(mini_batch):\n"
        "    return np.arange(len(mini_batch))[:0].size + np.zeros(len(mini_batch))\n",
        (),
    ),
    "a cache": (
        "import functools\n@functools.lru_cache(maxsize=None)\ndef read(path):\n"
        "    return open(path).read() * 1000\n"
        "def run(mini_batch):\n    return [len(read(p)) for p in mini_batch]\n",
        (),
    ),
    "noise in the last digits": (
        "import random\ndef run(mini_batch):\n"
        "    return [0.25 + random.random() * 1e-9 for _ in mini_batch]\n",
        (),
    ),
    "an order of its own with names": (
        "import pandas as pd\ndef run(mini_batch):\n"
        "    return pd.DataFrame({'file': sorted(mini_batch, reverse=True), 'p': 0.1})\n",
        ("--format", "azure"),
    ),
    "a pool that is kept": (
        "from concurrent.futures import ThreadPoolExecutor\nfrom multiprocessing import Pool\n"
        "def init():\n    global pool, threads\n    pool, threads = Pool(2), ThreadPoolExecutor(2)\n"
        "def run(mini_batch):\n    list(threads.map(len, mini_batch))\n"
        "    return pool.map(len, mini_batch)\n",
        (),
    ),
    "temporary files that are removed": (
        "import subprocess, tempfile\ndef run(mini_batch):\n"
        "    with tempfile.TemporaryDirectory() as folder:\n"
        "        subprocess.run(['touch', folder + '/x'], check=True)\n    return mini_batch\n",
        (),
    ),
    "files in the output folder": (
        "import os\ndef init():\n    global log\n"
        "    log = open(os.path.join(os.environ['AZUREML_BI_OUTPUT_PATH'], 'log.txt'), 'a')\n"
        "def run(mini_batch):\n    log.write('x')\n    log.flush()\n"
        "    with open(os.environ['GRISTMILL_OUTPUT_DIR'] + '/rows.csv', 'w') as file:\n"
        "        file.write('1')\n"
        "    return mini_batch\n",
        ("--output-action", "summary_only"),
    ),
    "a model that is read": (
        "import os\ndef init():\n    global weights\n"
        "    weights = open(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model.bin')).read()\n"
        "def run(mini_batch, context):\n"
        "    return [weights + str(context.minibatch_index) for _ in mini_batch]\n",
        (),
    ),
    "much that is printed": (
        "import logging\ndef run(mini_batch):\n    print('x' * 100_000)\n    logging.info('y')\n"
        "    return mini_batch\n",
        (),
    ),
}
