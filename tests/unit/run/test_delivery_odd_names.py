"""Names that collide in odd ways: nothing is lost, and no job is stuck; each of these was a defect."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from gristmill.engine.contract import Span
from gristmill.run import publication
from gristmill.run.delivery import Delivery
from gristmill.service.jobs import Jobs, RunRequest
from gristmill.settings import Home
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from unit.run.test_delivery import again, assembled, left, output


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    (tmp_path / "output").mkdir()
    return again(tmp_path)


# Files that are lost without a word


def test_two_long_names_that_are_cut_alike_stay_two_files(delivery: Delivery, tmp_path: Path) -> None:
    names = ["n" * 249 + end for end in "ab"]
    for writer in (1, 2):
        delivery.deliver(left(tmp_path, writer, dict.fromkeys(names, str(writer))))
    assert sorted(output(tmp_path).values()) == ["1", "1", "2", "2"]


def test_a_suffix_replaces_no_file_of_the_script_s(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 7, {"a.mini-batch-1": "seven"}))
    for writer in (2, 1):
        delivery.deliver(left(tmp_path, writer, {"a": str(writer)}))
    assert sorted(output(tmp_path).values()) == ["1", "2", "seven"]


def test_a_suffix_replaces_no_file_that_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    for name in ("a", "a.mini-batch-1"):
        (tmp_path / "output" / name).write_text("before")
    again(tmp_path, may_replace=False).deliver(left(tmp_path, 1, {"a": "1"}))
    assert sorted(output(tmp_path).values()) == ["1", "before", "before"]


def test_a_link_that_leads_nowhere_keeps_its_name(delivery: Delivery, tmp_path: Path) -> None:
    for writer in (2, 1):
        scored = left(tmp_path, writer, {"beside": ""})
        os.symlink(f"nowhere-{writer}", tmp_path / "staging" / "aside" / "1" / f"{writer}-0-1" / "link")
        delivery.deliver(scored)
    assert os.readlink(tmp_path / "output" / "link") == "nowhere-2"


def test_two_ranges_of_one_mini_batch_that_write_one_name_are_two_writers(
    delivery: Delivery, tmp_path: Path
) -> None:
    """As isolation will make them: the first half of a mini-batch's items, and the second."""
    first = left(tmp_path, 1, {"a": "first half"})
    second = first._replace(span=Span(1, 1, 5, 5))
    folder = tmp_path / "staging" / "aside" / "1" / "1-5-1"
    folder.mkdir()
    (folder / "a").write_text("second half")
    for scored in (first, second):
        delivery.deliver(scored)
    assert sorted(output(tmp_path).values()) == ["first half", "second half"]


# Losses that are not noticed


def test_a_file_of_another_under_the_same_name_does_not_stand_for_a_lost_one(
    delivery: Delivery, tmp_path: Path
) -> None:
    one, two = left(tmp_path, 1, {"a": "1", "b": "1"}), left(tmp_path, 2, {"a": "2"})
    for scored in (one, two):
        delivery.deliver(scored)
    (tmp_path / "output" / "b").unlink()
    assert again(tmp_path).lost([one, two]) == [one]


def test_a_file_that_was_delivered_twice_does_not_stand_for_a_lost_one(
    delivery: Delivery, tmp_path: Path
) -> None:
    for part in (1, 2):
        scored = left(tmp_path, 1, {"a": "1", "b": "1"}, part=part)
        delivery.deliver(scored)
    (tmp_path / "output" / "b").unlink()
    assert again(tmp_path).lost([scored]) == [scored]


# Jobs that can never end


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_file_and_a_folder_of_one_name_are_a_conflict_and_not_the_end(
    delivery: Delivery, tmp_path: Path, order: tuple[int, int]
) -> None:
    """The message asks to make room; no resume can ever move these."""
    files = {1: {"a": "1"}, 2: {"a/b": "2"}}
    for writer in order:
        delivery.deliver(left(tmp_path, writer, files[writer]))
    assert sorted(output(tmp_path).values()) == ["1", "2"]


SCRIPT = """
import os

def init():
    global file
    file = open(os.environ["AZUREML_BI_OUTPUT_PATH"] + "/all", "w")

def run(mini_batch):
    file.write("x")
    return mini_batch

def shutdown():
    file.write("end")
    file.close()
"""


def test_what_a_worker_left_at_its_end_and_the_power_took_does_not_stop_the_job_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a `Farewell` names is neither checked against its CRC nor void with its part."""
    (tmp_path / "input").mkdir()
    for number in range(9):
        (tmp_path / "input" / f"{number}.txt").touch()
    (tmp_path / "score.py").write_text(SCRIPT)
    wishes = {"gristmill.workers": 1, "settings.mini_batch_size": 1}
    overrides = [Override(path=path, value=value, origin="--set") for path, value in wishes.items()]
    request = RunRequest(
        deployment=load(tmp_path / "score.py", overrides), input=tmp_path / "input", output=tmp_path / "out",
        name="nine",
    )  # fmt: skip
    jobs = Jobs(Home(path=tmp_path / "home"))
    running = jobs.run(dataclasses.replace(request))
    with monkeypatch.context() as full:
        full.setattr(publication, "free_bytes", lambda folder: 7)
        for _ in running.steps():
            pass
    (part,) = (tmp_path / "out").rglob("*.part")
    os.truncate(part, part.stat().st_size - 1)
    resumed = jobs.resume("nine")
    for _ in resumed.steps():
        pass
    assert resumed.view.status == "Completed"


# Small things


def test_an_unfinished_file_takes_the_name_of_none_that_the_script_wrote(
    delivery: Delivery, tmp_path: Path
) -> None:
    delivery.deliver(left(tmp_path, 1, {"all.partial.csv": "mine"}))
    delivery.place_unfinished(assembled(tmp_path, "half"), "all.csv")
    again(tmp_path).remove_unfinished()
    assert output(tmp_path) == {"all.partial.csv": "mine"}
