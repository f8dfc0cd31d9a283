"""Several processes at one catalog at the same time, each with what the service does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, EndpointRecord
from gristmill.settings import Settings

PROCESSES, CALLS = 4, 6
WORKS = """
import json, sys
from gristmill.catalog.records import DeploymentRecord, JobRecord
from gristmill.errors import KeyTakenError
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.overrides import Override

def environment(name, image):
    values = {"name": name, "image": image}
    overrides = [Override(path=key, value=value, origin=key) for key, value in values.items()]
    return workspace.environments.create(None, overrides).version

who, calls = int(sys.argv[1]), int(sys.argv[2])
made = {"versions": [], "revisions": [], "jobs": [], "same": []}
with Workspace(Settings.from_environment()) as workspace:
    catalog = workspace.catalog
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(calls):
        made["versions"].append(environment("own", f"{who}-{number}"))
        made["same"].append(environment("same", f"{number}"))
        deployment = DeploymentRecord(endpoint="e", name="d", document={"who": who})
        made["revisions"].append(catalog.put_deployment(deployment).revision)
        job = JobRecord(name=f"j{who}-{number}", home="h", status="Queued", idempotency_key=f"{number}")
        try:
            made["jobs"].append(catalog.add_job(job).name)
        except KeyTakenError:
            pass
print(json.dumps(made))
"""


def test_nothing_is_lost_and_nothing_is_there_twice(fresh: Settings) -> None:
    with open_catalog(fresh) as catalog:
        catalog.put_endpoint(EndpointRecord(name="e", document={}))
        results = done_at_once(fresh)

        total = PROCESSES * CALLS
        versions = [version for result in results for version in result["versions"]]
        assert sorted(versions, key=int) == [str(number) for number in range(1, total + 1)]
        listed = [one.version for one in catalog.assets(AssetKind.ENVIRONMENT, "own")]
        assert sorted(listed) == sorted(versions)
        revisions = [revision for result in results for revision in result["revisions"]]
        assert sorted(revisions) == list(range(1, total + 1))
        found = catalog.deployment("e", "d")
        assert found is not None
        assert found.revision == total
        jobs = [name for result in results for name in result["jobs"]]
        assert len(jobs) == CALLS
        assert sorted(jobs) == sorted(job.name for job in catalog.jobs())
        assert {job.idempotency_key for job in catalog.jobs()} == {str(number) for number in range(CALLS)}
        if fresh.catalog_url is None:  # of one home: what is the same is one version
            assert len({tuple(result["same"]) for result in results}) == 1
            assert len(catalog.assets(AssetKind.ENVIRONMENT, "same")) == CALLS


def done_at_once(settings: Settings) -> list[dict[str, list[str]]]:
    """Let several processes do the same at the same time, and return what each of them has made.

    Those that share a server have each a home of its own.
    """
    environment = {**os.environ, "GRISTMILL_HOME": str(settings.home.path)}
    if settings.catalog_url:
        environment["GRISTMILL_CATALOG"] = settings.catalog_url
    started = []
    for who in range(PROCESSES):
        own = {"GRISTMILL_HOME": f"{settings.home.path}-{who}"} if settings.catalog_url else {}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKS, str(who), str(CALLS)],
                env={**environment, **own},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = []
    for process in started:
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        said.append(json.loads(out))
    return said
