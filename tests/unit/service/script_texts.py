"""Scoring scripts as texts: what is sure to fail, what is probably not meant, and what only looks like it."""

from __future__ import annotations

INIT = "def init():\n    pass\n"
RUN = "def run(mini_batch):\n    return [p for p in mini_batch]\n"

# What is sure to fail: source → code and line (none: the file).
ERRORS: dict[str, tuple[str, str, str]] = {
    "no run": (INIT, "no-run", ""),
    "run as a program only": (f"{INIT}if __name__ == '__main__':\n    def run(m): return m\n", "no-run", ""),
    "run as a method": ("class Scorer:\n    def run(self, m): return m\n", "no-run", ""),
    "run of another name": ("def Run(mini_batch):\n    return mini_batch\n", "no-run", ""),
    "syntax": (f"{RUN}def init(:\n", "syntax-error", ":3"),
    "bytes that are no UTF-8 in the text": (RUN + "x = '\udcff'\n", "syntax-error", ":3"),
    "run without a parameter": ("def run():\n    return []\n", "run-without-parameter", ":1"),
    "run with keywords only": ("def run(*, mini_batch):\n    return []\n", "run-without-parameter", ":1"),
    "run with three parameters": ("def run(a, b, c):\n    return []\n", "run-takes-too-much", ":1"),
    "run with a required keyword": ("def run(a, *, b):\n    return []\n", "run-takes-too-much", ":1"),
    "asynchronous run": ("async def run(mini_batch):\n    return []\n", "run-is-async", ":1"),
    "run that yields": (
        "def run(mini_batch):\n    for p in mini_batch:\n        yield p\n",
        "run-is-generator",
        ":1",
    ),
    "run that prints": (
        "def run(mini_batch):\n    for p in mini_batch:\n        print(p)\n",
        "returns-nothing",
        ":1",
    ),
    "run that forgets to return": (
        "def run(mini_batch):\n    rows = list(mini_batch)\n    if not rows:\n        return\n",
        "returns-nothing",
        ":1",
    ),
    "nothing but JSON": (
        "import json\ndef run(mini_batch):\n    return json.dumps([])\n",
        "returns-json",
        ":3",
    ),
    "nothing but a str": (
        "def run(mini_batch):\n    return f'{len(mini_batch)} done'\n",
        "returns-wrong-type",
        ":2",
    ),
    "nothing but a dict": (
        "def run(mini_batch):\n    return {p: 1 for p in mini_batch}\n",
        "returns-wrong-type",
        ":2",
    ),
    "nothing but a generator": (
        "def run(mini_batch):\n    return (p for p in mini_batch)\n",
        "returns-wrong-type",
        ":2",
    ),
    "nothing but a map": (
        "def run(mini_batch):\n    return map(len, mini_batch)\n",
        "returns-wrong-type",
        ":2",
    ),
    "nothing but True": ("def run(mini_batch):\n    return True\n", "returns-wrong-type", ":2"),
    "nothing but JSON, or nothing": (
        "from json import dumps\ndef run(mini_batch):\n    if mini_batch:\n        return dumps([])\n",
        "returns-json",
        ":4",
    ),
    "a return without a value": (
        "def run(mini_batch):\n    print\n    return None\n",
        "returns-nothing",
        ":1",
    ),
    "a run that is a number": ("run = 5\n", "no-function", ":1"),
    "a run that is nothing": ("run = None\n", "no-function", ":1"),
    "an init that is a list": (f"{RUN}init: list = []\n", "no-function", ":3"),
    "required arguments beside unknown ones": (
        f"import argparse\n{RUN}def init():\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--alpha', required=True)\n    parser.parse_known_args()\n",
        "arguments-required",
        ":7",
    ),
    "init with a parameter": (f"{RUN}def init(model_path):\n    pass\n", "init-takes-parameters", ":3"),
    "init that sets a local name": (
        "def init():\n    model = open\ndef run(mini_batch):\n    return [model(p) for p in mini_batch]\n",
        "missing-global",
        ":2",
    ),
    "init that sets a local name, used in a helper": (
        "def init():\n    model = open\ndef one(p):\n    return model(p)\n"
        "def run(mini_batch):\n    return [one(p) for p in mini_batch]\n",
        "missing-global",
        ":2",
    ),
    "init that sets a local name beside one that is None": (
        "model = None\ndef init():\n    model = open\n"
        "def run(mini_batch):\n    return list(map(model.predict, mini_batch))\n",
        "missing-global",
        ":3",
    ),
    "required arguments": (
        f"import argparse\n{RUN}def init():\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--model', required=True)\n    parser.parse_args()\n",
        "arguments-required",
        ":7",
    ),
    "a question": (f"{RUN}def init():\n    name = input('Which model? ')\n", "reads-stdin", ":4"),
    "a model that is not given": (
        f"import os\n{RUN}def init():\n    print(os.environ['AZUREML_MODEL_DIR'])\n",
        "no-model",
        ":5",
    ),
    "an import of inference_schema": (
        "from inference_schema.schema_decorators import input_schema\n@input_schema('data', None)\n"
        "def run(data):\n    return data\n",
        "online-script",
        ":1",
    ),
    "a raw request": ("import a\n@a.rawhttp\ndef run(request):\n    return request\n", "online-script", ":2"),
    "an import of azureml.contrib.services": (
        "from azureml.contrib.services.aml_response import AMLResponse\ndef run(request): return request\n",
        "online-script",
        ":1",
    ),
}

# What is probably not meant: source → code and line.
WARNINGS: dict[str, tuple[str, str, str]] = {
    "a stub": ("def run(mini_batch):\n    pass\n", "returns-nothing", ":1"),
    "JSON, or a list": (
        "import json\ndef run(mini_batch):\n    if mini_batch:\n        return json.dumps([])\n"
        "    return []\n",
        "returns-json",
        ":4",
    ),
    "a sum, which may be a list": (
        "def run(mini_batch):\n    return sum([[1]], [])\n",
        "returns-wrong-type",
        ":2",
    ),
    "a str by a local name": (
        "def run(mini_batch):\n    str = list\n    return str(mini_batch)\n",
        "returns-wrong-type",
        ":3",
    ),
    "a dict, or a list": (
        "def run(mini_batch):\n    if not mini_batch:\n        return {}\n    return mini_batch\n",
        "returns-wrong-type",
        ":3",
    ),
    "a set in a list": ("def run(mini_batch):\n    return list(set(mini_batch))\n", "order-of-a-set", ":2"),
    "a return in the loop": (
        "def run(mini_batch):\n    for p in mini_batch:\n        rows = [p]\n        return rows\n",
        "returns-in-loop",
        ":4",
    ),
    "failures without a result": (
        "def run(mini_batch):\n    rows = []\n    for p in mini_batch:\n        try:\n"
        "            rows.append(open(p).read())\n        except Exception:\n            pass\n"
        "    return rows\n",
        "swallows-failures",
        ":6",
    ),
    "a list that grows": (
        "SEEN = []\ndef run(mini_batch):\n    SEEN.extend(mini_batch)\n    return mini_batch\n",
        "grows-in-run",
        ":3",
    ),
    "results that pile up": (
        "ROWS = []\ndef run(mini_batch):\n    for p in mini_batch:\n        ROWS.append(p)\n"
        "    return ROWS\n",
        "returns-earlier-results",
        ":4",
    ),
    "a parameter called data": ("def run(data):\n    return list(data)\n", "online-parameter", ":1"),
    "another folder": (f"import os\n{RUN}def init():\n    os.chdir('/')\n", "changes-folder", ":5"),
    "another folder by another name": (
        f"from os import chdir\n{RUN}def init():\n    chdir('/')\n",
        "changes-folder",
        ":5",
    ),
    "an exit": (
        f"import sys\n{RUN}def init():\n    if not open:\n        sys.exit(1)\n",
        "ends-the-process",
        ":6",
    ),
    "a file beside the script": (f"{RUN}def init():\n    open('labels.txt')\n", "relative-path", ":4"),
    "a file beside the script as a path": (
        f"from pathlib import Path\n{RUN}def init():\n    Path('labels.txt').read_text()\n",
        "relative-path",
        ":5",
    ),
    "a path of another machine": (
        f"{RUN}def init():\n    open('/mnt/nowhere/labels.txt')\n",
        "no-such-path",
        ":4",
    ),
    "a question that may be asked": (
        f"{RUN}def init():\n    if open:\n        input()\n",
        "reads-stdin",
        ":5",
    ),
    "an init that never runs": (f"{RUN}async def init():\n    pass\n", "init-never-runs", ":3"),
    "a shutdown with a parameter": (
        f"{RUN}def shutdown(why):\n    pass\n",
        "shutdown-takes-parameters",
        ":3",
    ),
    "a local name that a helper may use": (
        "def init():\n    model = 1\ndef debug():\n    print(model)\ndef run(mini_batch):\n"
        "    if not mini_batch:\n        debug()\n    return mini_batch\n",
        "missing-global",
        ":2",
    ),
    "a local name behind a return": (
        "def init():\n    model = 1\ndef run(mini_batch):\n    if mini_batch:\n        return mini_batch\n"
        "    return [model]\n",
        "missing-global",
        ":2",
    ),
    "arguments that may be set": (
        f"import argparse, sys\nsys.argv = ['x', 'y']\n{RUN}parser = argparse.ArgumentParser()\n"
        "parser.add_argument('model')\nparser.parse_args()\n",
        "arguments-required",
        ":7",
    ),
    "a variable that may be set": (
        f"import os\nos.environ['AZUREML_MODEL_DIR'] = '/x'\n{RUN}def init():\n"
        "    print(os.environ['AZUREML_MODEL_DIR'])\n",
        "no-model",
        ":6",
    ),
    "a local name that may be used": (
        "def init():\n    model = 1\ndef run(mini_batch):\n    if not mini_batch:\n        print(model)\n"
        "    return mini_batch\n",
        "missing-global",
        ":2",
    ),
    "a model that may be read": (
        f"import os\n{RUN}def init():\n    if open:\n        os.environ['AZUREML_MODEL_DIR']\n",
        "no-model",
        ":6",
    ),
}

# What looks like one of these and is not.
SOUND: dict[str, str] = {
    "run imported": "from elsewhere import run\n",
    "run imported with everything": "from elsewhere import *\n",
    "the folder of the worker itself": (
        f"import os\n{RUN}def init():\n    os.listdir('.')\n    os.listdir('..')\n"
    ),
    "init that is None": f"{RUN}init = None\n",
    "run assigned": "import elsewhere\nrun = elsewhere.score\n",
    "run in a branch": (
        "if open:\n    def run(mini_batch): return mini_batch\nelse:\n    def run(): return []\n"
    ),
    "run made": "globals()['run'] = list\n",
    "run decorated": "import a\n@a.timed\ndef run():\n    return []\n",
    "run with a context": "def run(mini_batch, context):\n    return mini_batch\n",
    "run with defaults": "def run(mini_batch, size=3, *, speed=2, **more):\n    return mini_batch\n",
    "run with anything": "def run(*args):\n    return args[0]\n",
    "run that only raises": "def run(mini_batch):\n    print(1)\n    raise NotImplementedError\n",
    "run with a generator inside": (
        "def run(mini_batch):\n    def rows():\n        yield 1\n    return list(rows())\n"
    ),
    "a comparison of arrays": "import a\ndef run(mini_batch):\n    return a.score(mini_batch) > 0.5\n",
    "init with a default": f"{RUN}def init(path='x'):\n    pass\n",
    "a global": "def init():\n    global model\n    model = 1\ndef run(mini_batch):\n    return [model]\n",
    "a local helper name": (
        "def init():\n    path = 1\ndef run(mini_batch):\n    return [path for path in mini_batch]\n"
    ),
    "a name that has a value": (
        "size = 3\ndef init():\n    size = 4\ndef run(mini_batch):\n    return [size]\n"
    ),
    "a name that is tested": (
        "model = None\ndef init():\n    model = 1\ndef run(mini_batch):\n"
        "    return [1 if model is None else 2]\n"
    ),
    "a global set elsewhere": (
        "def load():\n    global model\n    model = 1\ndef init():\n    load()\n    model = 2\n"
        "def run(mini_batch):\n    return [model for _ in mini_batch]\n"
    ),
    "a list that is emptied": (
        "ROWS = []\ndef run(mini_batch):\n    ROWS.clear()\n    ROWS.extend(mini_batch)\n    return ROWS\n"
    ),
    "a list of init": f"PARTS = []\ndef init():\n    PARTS.append(1)\n{RUN}",
    "a list of run": (
        "def run(mini_batch):\n    rows = []\n    for p in mini_batch:\n        rows.append(p)\n"
        "    return rows\n"
    ),
    "a failure with a result": (
        "def run(mini_batch):\n    rows = []\n    for p in mini_batch:\n        try:\n"
        "            row = open(p)\n"
        "        except OSError:\n            row = None\n        rows.append(row)\n    return rows\n"
    ),
    "a failure with a result of its own": (
        "def run(mini_batch):\n    rows = []\n    for p in mini_batch:\n        try:\n"
        "            rows.append(open(p))\n"
        "        except OSError:\n            rows.append(None)\n    return rows\n"
    ),
    "a return in a branch of a loop": (
        "def run(mini_batch):\n    for p in mini_batch:\n        if not p:\n            return []\n"
        "    return mini_batch\n"
    ),
    "known arguments": (
        f"import argparse\n{RUN}def init():\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--model')\n    parser.parse_known_args()\n"
    ),
    "optional arguments": (
        f"import argparse\n{RUN}def init():\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--beams', type=int, default=3)\n    parser.parse_args()\n"
    ),
    "a program beside it": (
        f"import argparse, os, sys\n{RUN}if __name__ == '__main__':\n    os.chdir('/')\n    input()\n"
        "    argparse.ArgumentParser().parse_args()\n    sys.exit(run(sys.argv[1:]))\n"
    ),
    "an exit that nobody calls": f"import sys\n{RUN}def main():\n    sys.exit(run(sys.argv))\n",
    "a file that is written": (
        f"{RUN}def init():\n    open('labels.txt', 'w')\n    open('/mnt/nowhere/x', mode='a')\n"
    ),
    "a file that is not there": f"{RUN}def init():\n    open('cache.txt')\n",
    "a model that is asked for": f"import os\n{RUN}def init():\n    os.environ.get('AZUREML_MODEL_DIR')\n",
    "a name of Python's own": (
        "def init():\n    id = 3\ndef run(mini_batch):\n    return [id(p) for p in mini_batch]\n"
    ),
    "a decorator of its own": (
        "def input_schema(f):\n    return f\n@input_schema\ndef run(mini_batch):\n    return mini_batch\n"
    ),
    "a call of its own": f"{RUN}def input(): return 1\ndef init():\n    input()\n",
    "request in text": f"{RUN}# @input_schema, from inference_schema import nothing\n",
    "a byte order mark": "\ufeff" + RUN,
}
