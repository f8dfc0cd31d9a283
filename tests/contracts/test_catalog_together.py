"""Several processes at one catalog at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, DeploymentRecord, EndpointRecord, JobRecord
from gristmill.settings import Settings

PROCESSES, CALLS = 4, 15
WORKS = """
import json, sys
from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, DeploymentRecord, JobRecord
from gristmill.errors import KeyTakenError
from gristmill.settings import Settings

who, calls = int(sys.argv[1]), int(sys.argv[2])
made = {"versions": [], "revisions": [], "jobs": [], "same": []}
with open_catalog(Settings.from_environment()) as catalog:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(calls):
        record, was_new = catalog.add_asset(AssetKind.MODEL, "m", None, {}, f"{who} {number}")
        made["versions"].append([record.version, was_new])
        made["same"].append(catalog.add_asset(AssetKind.DATA, "d", None, {}, f"{number}")[0].version)
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
        versions = [version for result in results for version, was_new in result["versions"] if was_new]
        assert sorted(versions, key=int) == [str(number) for number in range(1, total + 1)]
        assert [one.version for one in catalog.assets(AssetKind.MODEL)] == sorted(
            versions, key=int, reverse=True
        )
        assert len(catalog.assets(AssetKind.DATA)) == CALLS
        assert len({tuple(result["same"]) for result in results}) == 1
        revisions = [revision for result in results for revision in result["revisions"]]
        assert sorted(revisions) == list(range(1, total + 1))
        found = catalog.deployment("e", "d")
        assert found is not None
        assert found.revision == total
        assert found.contents == DeploymentRecord(endpoint="e", name="d", document={}).contents
        jobs = [name for result in results for name in result["jobs"]]
        assert len(jobs) == CALLS
        assert sorted(jobs) == sorted(job.name for job in catalog.jobs())
        key_of = {job.idempotency_key for job in catalog.jobs() if isinstance(job, JobRecord)}
        assert key_of == {str(number) for number in range(CALLS)}


def done_at_once(settings: Settings) -> list[dict[str, list[object]]]:
    """Let several processes do the same at the same time, and return what each of them has made."""
    environment = {**os.environ, "GRISTMILL_HOME": str(settings.home.path)}
    if settings.catalog_url:
        environment["GRISTMILL_CATALOG"] = settings.catalog_url
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKS, str(who), str(CALLS)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = []
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        said.append(json.loads(out))
    return said
