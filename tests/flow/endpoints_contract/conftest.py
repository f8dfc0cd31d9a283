"""One home for all sentences about endpoints: things are created, and five jobs are run, once."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from conftest import end_runner
from contracts.postgresql_server import server
from flow.endpoints_contract.shop import SCRIPT, Shop

FILES = {"a.txt": "a", "b.txt": "b", "c.txt": "c"}


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with a script under git, two versions of a model, and the endpoint `letters`."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    with contextlib.ExitStack() as until_the_end:
        if request.param == "postgresql":
            shop.variables["GRISTMILL_CATALOG"] = until_the_end.enter_context(server()).url("shop")
        shop.inputs(FILES)
        shop.write("code/score.py", SCRIPT)
        shop.write("code/.amlignore", "secret.txt\n")
        shop.write("code/secret.txt", "not to be copied")
        commit(shop)
        for word in ("first", "second"):
            shop.write("word.txt", word)
            shop.ask("model", "create", "--name", "word", "--path", "word.txt")
        shop.ask("batch-endpoint", "create", "--name", "letters")
        yield shop
        end_runner(shop.home)


@pytest.fixture(scope="module")
def jobs(shop: Shop) -> Shop:
    """The shop after five jobs: `by-default`, `named`, `changed`, `half` and `held`, all at their ends."""
    shop.deploy("upper", "letters", "--set-default")
    shop.deploy("lower", "letters")
    shop.ask("data", "create", "--name", "letters", "--path", "in", "--type", "uri_folder")
    shop.write("store.yml", f"name: shelf\ntype: local\npath: {shop.root}\n")
    shop.ask("datastore", "create", "--file", "store.yml")
    hold_a_job(shop)
    shop.invoke("-n", "letters", "--input", "azureml:letters@latest", "--job-name", "by-default")
    shelf = "azureml://datastores/shelf/paths/in"
    shop.invoke("-n", "letters", "-d", "lower", "--input", shelf, "--job-name", "named")
    invoke_with_changes(shop)
    shop.inputs({**FILES, "d.txt": "bad"}, "half")
    shop.invoke("-n", "letters", "--input", "half", "--job-name", "half")
    shop.write("go", "")
    for job in ("held", "by-default", "named", "changed", "half"):
        ended = shop.stream(job)
        assert ended.status == 0, ended.err
    return shop


def commit(shop: Shop) -> None:
    """Make the code a clean checkout of a branch, with a remote."""
    git = ["git", "-c", "user.name=shop", "-c", "user.email=shop@example.com"]
    for words in (
        ["init", "--quiet", "--initial-branch", "counter"],
        ["remote", "add", "origin", "https://example.com/shop.git"],
        ["add", "--force", "score.py", ".amlignore", "secret.txt"],
        ["commit", "--quiet", "--message", "opened"],
    ):
        subprocess.run([*git, *words], cwd=shop.root / "code", check=True)


def hold_a_job(shop: Shop) -> None:
    """Invoke `held`, and while it runs edit its script, change its deployment and delete its endpoint."""
    shutil.copytree(shop.root / "code", shop.root / "edited")
    shop.inputs({"a.txt": "wait"}, "waiting")
    shop.ask("batch-endpoint", "create", "--name", "short-lived")
    shop.deploy("held", "short-lived", "--set-default", code="edited")
    shop.invoke("-n", "short-lived", "--input", "waiting", "--job-name", "held")
    shop.write("edited/score.py", SCRIPT.replace("edition-1", "edition-2"))
    shop.ask(
        *("batch-deployment", "update", "-n", "held", "-e", "short-lived"),
        *("--set", "settings.environment_variables.SAYS=changed"),
    )
    shop.ask("batch-endpoint", "delete", "--name", "short-lived", "--yes")
    shutil.rmtree(shop.root / "edited")


def invoke_with_changes(shop: Shop) -> None:
    """Invoke `changed` twice under one key, over a local file, with every setting that may be changed."""
    for _ in range(2):
        name = shop.invoke(
            *("-n", "letters", "--input", "in/a.txt", "--input-type", "uri_folder"),
            *("--job-name", "changed", "--idempotency-key", "once", "--experiment-name", "trials"),
            *("--mini-batch-size", "7", "--instance-count", "1", "--output-path", "elsewhere"),
            *("--set", "output_file_name=letters.csv", "settings.max_concurrency_per_instance=2"),
            *("--set", "settings.error_threshold=5", "settings.retry_settings.max_retries=2"),
            *("--set", "settings.retry_settings.timeout=90", "settings.logging_level=debug"),
            *("--set", "settings.environment_variables.SAYS=today"),
        )
        assert name == "changed"
