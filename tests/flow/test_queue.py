"""Jobs that are queued: run in their turn by a runner that nobody has to start."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from flow.mill import Mill, until
from gristmill.errors import GristmillError, InputError, JobStateError
from gristmill.run.job_folder import Origin
from gristmill.service.jobs import Jobs
from gristmill.service.queue.submitting import Submitted
from gristmill.service.request import RunRequest
from gristmill.service.views import JobView
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.deployment import load

SCRIPT = """
def run(mini_batch):
    called(mini_batch)
    if (HERE / "hold").exists():
        held_until("go")
    return names(mini_batch)
"""


class Office:
    """A workspace over the test's own home, and a script to queue."""

    def __init__(self, mill: Mill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mill = mill
        self.settings = Settings(home=Home(path=home))
        self.script = mill.script(SCRIPT)
        mill.inputs(["a", "b", "c"])
        monkeypatch.setenv("MILL", str(mill.root))

    def submit(self, name: str | None = None, key: str | None = None, priority: int = 0) -> Submitted:
        request = RunRequest(
            deployment=load(self.script, []),
            input=self.mill.root / "in",
            name=name,
            idempotency_key=key,
            priority=priority,
        )
        with Workspace(self.settings) as workspace:
            return workspace.queue.submit(request, Origin.INVOKE)

    def show(self, name: str) -> JobView:
        with Workspace(self.settings) as workspace:
            return workspace.jobs.show(name)

    def cancel(self, name: str) -> JobView:
        with Workspace(self.settings) as workspace:
            return workspace.jobs.cancel(name, 30.0)

    def ended(self, name: str) -> JobView:
        until(lambda: bool(self.show(name).ended_at), f"the end of {name}")
        return self.show(name)

    def runs(self, name: str) -> bool:
        return self.show(name).status == "Running"


@pytest.fixture
def office(mill: Mill, gristmill_home: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(mill, gristmill_home, monkeypatch)


def test_jobs_run_one_after_the_other_in_their_turn(office: Office) -> None:
    (office.mill.root / "hold").touch()
    first = office.submit("first")
    until(lambda: office.runs("first"), "the first job")
    office.submit("second")
    office.submit("third")
    office.submit("urgent", priority=1)

    assert first.view.status == "Queued"
    assert first.was_new
    assert office.show("urgent").summary == "Queued: next in line behind first, which runs"
    assert office.show("third").waiting == "3rd in line behind urgent and second"
    assert office.show("third").queue_position == 3
    assert not office.show("third").is_interrupted

    (office.mill.root / "hold").unlink()
    (office.mill.root / "go").touch()
    ended = [office.ended(name) for name in ("first", "urgent", "second", "third")]

    assert [view.status for view in ended] == ["Completed"] * 4
    assert sorted(ended, key=lambda view: view.ended_at) == ended
    assert all(before.ended_at <= after.started_at for before, after in pairwise(ended))
    assert Path(ended[0].target or "") == Path(ended[0].folder, "named-outputs", "score", "predictions.csv")


def test_the_catalog_is_told_how_jobs_stand(office: Office) -> None:
    office.submit("j")
    office.ended("j")

    with Workspace(office.settings) as workspace:
        until(lambda: not list((office.settings.home.runner / "waiting").iterdir()), "the index")
        record = workspace.catalog.job("j")

    assert record is not None
    assert (record.status, record.starts) == ("Completed", 1)
    assert record.summary == {"total": 3, "succeeded": 3, "failed": 0}


def test_a_key_that_is_used_again_returns_the_same_job(office: Office) -> None:
    first = office.submit(key="once")
    second = office.submit(key="once")

    assert second.view.name == first.view.name
    assert (first.was_new, second.was_new) == (True, False)
    assert office.ended(first.view.name).status == "Completed"
    assert len(office.mill.lines("calls")) == 1


def test_a_job_that_waits_is_cancelled_at_once(office: Office) -> None:
    (office.mill.root / "hold").touch()
    office.submit("first")
    until(lambda: office.runs("first"), "the first job")
    office.submit("second")

    view = office.cancel("second")

    assert view.status == "Canceled"
    assert view.message == "cancelled by gristmill job cancel before it began"
    assert view.started_at == ""
    (office.mill.root / "go").touch()
    assert office.ended("first").status == "Completed"
    assert office.show("second").status == "Canceled"
    with pytest.raises(JobStateError, match="has ended already"):
        office.cancel("second")


def test_a_job_that_runs_is_cancelled(office: Office) -> None:
    (office.mill.root / "hold").touch()
    office.submit("first")
    until(lambda: bool(office.mill.lines("calls")), "the first call")

    assert office.cancel("first").status == "Canceled"


def refused(office: Office, kind: type[GristmillError], change: Callable[[], object]) -> GristmillError:
    change()
    with pytest.raises(kind) as error:
        office.submit("j")
    assert not (office.settings.home.jobs / "j").exists()
    assert not list(Path(office.mill.root).glob("**/.gristmill-*"))
    return error.value


def test_an_empty_input_is_refused_at_once(office: Office) -> None:
    inputs = office.mill.root / "in"
    refused(office, InputError, lambda: [path.unlink() for path in inputs.iterdir()])


def test_a_script_that_cannot_work_is_refused_at_once(office: Office) -> None:
    refused(office, GristmillError, lambda: office.script.write_text("def run(:\n"))


def test_code_and_settings_are_those_of_the_moment_in_which_it_was_asked_for(office: Office) -> None:
    (office.mill.root / "hold").touch()
    office.submit("first")
    until(lambda: office.runs("first"), "the first job")
    office.submit("second")
    office.script.write_text("def run(mini_batch): raise ValueError('edited')\n")
    (office.mill.root / "go").touch()

    assert office.ended("second").status == "Completed"


def test_what_is_in_the_way_when_its_turn_comes_fails_a_job_in_words(office: Office) -> None:
    (office.mill.root / "hold").touch()
    office.submit("first")
    until(lambda: office.runs("first"), "the first job")
    office.submit("second")
    for path in (office.mill.root / "in").iterdir():
        path.unlink()
    (office.mill.root / "go").touch()

    view = office.ended("second")

    assert view.status == "Failed"
    assert "no file" in view.message or "empty" in view.message
    events = Path(view.folder, "events.jsonl").read_text(encoding="ascii").splitlines()
    assert [json.loads(line)["event"] for line in events] == ["created", "queued", "preparing", "ended"]


def test_a_request_to_cancel_that_comes_while_a_job_begins_is_heard(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gristmill.service.queue.submitting.wake", lambda _: None)
    monkeypatch.setattr("gristmill.service.queue.waking.wake_if_needed", lambda _: None)
    office.submit("j")
    running = Jobs(office.settings.home).resume("j")
    Path(running.folder, "cancel-requested").touch()

    for _ in running.steps():
        pass

    assert running.view.status == "Canceled"
    assert running.view.message == "cancelled by gristmill job cancel"


def test_a_job_that_was_cancelled_while_it_waited_is_resumed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gristmill.service.queue.submitting.wake", lambda _: None)
    monkeypatch.setattr("gristmill.service.queue.waking.wake_if_needed", lambda _: None)
    office.submit("j")
    assert office.cancel("j").status == "Canceled"

    running = Jobs(office.settings.home).resume("j")
    for _ in running.steps():
        pass

    assert running.view.status == "Completed"
