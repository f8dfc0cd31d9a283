"""Jobs drawn at random for the kill suite: kinds of result, sizes, bad files, retries, listings.

Every drawn script is deterministic in what it returns, so that an undisturbed run of the same job says what
the output must be, whoever is killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from faults.scripts import HEAD, Shape

_BODY = """
OUTPUT = os.environ["AZUREML_BI_OUTPUT_PATH"]


def harmed(name):
    act = POISONS.get(name)
    if act == "raise":
        raise ValueError("cannot read " + name)
    if act == "exit":
        os._exit(7)
    if act == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "hang":
        while True:
            time.sleep(1)
    if name in FLAKY:
        marker = os.environ["KILLING_CALLS"] + "." + name
        if not os.path.exists(marker):
            open(marker, "w").close()
            raise OSError("not yet: " + name)


def init():
    global kept
    if KIND == "appended":
        kept = open(os.path.join(OUTPUT, "kept.csv"), "w")
        kept.write("name,digest\\n")


def run(mini_batch):
    noted(mini_batch)
    results = []
    for path in mini_batch:
        name, found = os.path.basename(path), digest(path)
        if KIND in ("files", "both"):
            folder = os.path.join(OUTPUT, "first=" + found[0])
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "w") as file:
                file.write(found)
            if int(name[1:]) % 20 == 0:
                with open(os.path.join(OUTPUT, "shared"), "w") as file:
                    file.write(found)
        if KIND == "appended":
            kept.write("%s,%s\\n" % (name, found))
        if KIND in ("appended", "both"):
            everything = os.path.join(OUTPUT, "all.txt")
            is_new = KIND == "appended" and not os.path.exists(everything)
            with open(everything, "a") as file:
                file.write("name digest\\n" * is_new + "%s %s\\n" % (name, found))
        harmed(name)
        if name not in SHORT:
            results.append((name, found))
    if KIND == "dicts":
        return [{"name": name, "digest": found, "text": 'a "b", c'} for name, found in results]
    if KIND == "frame":
        import pandas

        return pandas.DataFrame(results, columns=["name", "digest"])
    return ["%s %s" % one for one in results]
"""

_OPTIONS = {
    "list": ("--format", "azure"),
    "frame": ("--format", "azure"),
    "dicts": ("--format", "csv"),
    "both": ("--format", "azure"),
    "files": ("--output-action", "summary_only"),
    "appended": ("--output-action", "summary_only", "--set", "gristmill.shared_header=true"),
}
_ACTS = ("raise", "raise", "raise", "exit", "segv", "kill")
#: A mini-batch of a job with bad files has so many retries: more than kills of a worker that may meet it.
_RETRIES = (1, 2)
_MANY = 1000


@dataclass(frozen=True, kw_only=True)
class RandomJob:
    """A job as it was drawn."""

    shape: Shape
    worker_kills: int
    """How often a worker of it may be killed, so that no good file uses up its tries by it."""
    measures_calls: bool
    """Whether every call that is made again was made again because of a kill."""


def drawn_job(seed: int) -> RandomJob:
    """Draw a job; the same seed gives the same job."""
    chance = Random(f"job {seed}")
    if chance.random() < 0.25:
        return _many(seed, chance)
    kind = chance.choices([*_OPTIONS], [4, 1, 3, 3, 3, 3])[0]
    files = chance.randint(30, 110)
    names = [f"f{number:03d}" for number in range(files)]
    poisons, flaky, short = {}, [], []
    what = chance.choice(["nothing", "poisons", "poisons", "poisons", "flaky", "short"])
    if what == "poisons":
        poisons = {name: chance.choice(_ACTS) for name in chance.sample(names, chance.randint(1, 3))}
        if chance.random() < 0.1:
            poisons[chance.choice(names)] = "hang"
    elif what == "flaky":
        flaky = chance.sample(names, 3)
    elif what == "short" and kind not in ("files", "appended"):
        short = chance.sample(names, 4)
    retries = chance.choice(_RETRIES) if poisons else 3
    timeout = ("--timeout", "1") if "hang" in poisons.values() else ()
    shape = Shape(
        name=f"{seed}: {kind}, {what}",
        script=_script(kind, poisons, flaky, short),
        options=(*_OPTIONS[kind], "--max-retries", str(retries), "--error-threshold", "-1", *timeout),
        files=files,
        mini_batch_size=chance.choice([1, 2, 3, 5, 8]),
        call_s=chance.choice([0.002, 0.008, 0.02]),
        listing_is_long=chance.random() < 0.15,
    )
    return RandomJob(shape=shape, worker_kills=1 if poisons else 2, measures_calls=not (poisons or flaky))


def _many(seed: int, chance: Random) -> RandomJob:
    """Return a job of many mini-batches, in which every call that is made again is counted."""
    kind = chance.choice(["list", "list", "dicts", "both", "appended"])
    shape = Shape(
        name=f"{seed}: {kind}, many",
        script=_script(kind, {}, [], []),
        options=(*_OPTIONS[kind], "--error-threshold", "-1"),
        files=_MANY,
        mini_batch_size=1,
        call_s=0.005,
    )
    return RandomJob(shape=shape, worker_kills=2, measures_calls=True)


def _script(kind: str, poisons: dict[str, str], flaky: list[str], short: list[str]) -> str:
    values = f"KIND = {kind!r}\nPOISONS = {poisons!r}\nFLAKY = {flaky!r}\nSHORT = {short!r}\n"
    return HEAD + "import signal\n" + values + _BODY
