"""What is downloaded of a job, where it comes to lie, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.errors import JobStateError, OutputError, RequestError, UnknownJobError
from gristmill.run.job_folder import Status
from gristmill.run.lock import JobLock
from gristmill.service.home.downloading import download
from gristmill.settings import Home
from unit.service.home.conftest import MakeJob


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_output_comes_to_lie_below_its_name(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j")

    copied = download(home, "j", tmp_path / "dl", output_name="score")

    assert files(tmp_path / "dl") == ["named-outputs/score/predictions.csv"]
    assert (copied.files, copied.folder) == (1, str(tmp_path / "dl"))


def test_without_a_name_it_is_the_logs(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j")

    download(home, "j", tmp_path / "dl")

    assert files(tmp_path / "dl") == ["artifacts/user/log.txt"]


def test_everything_is_both(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j")

    assert download(home, "j", tmp_path / "dl", everything=True).files == 2
    assert files(tmp_path / "dl") == ["artifacts/user/log.txt", "named-outputs/score/predictions.csv"]


def test_files_that_are_there_are_replaced_and_others_stay(
    home: Home, make_job: MakeJob, tmp_path: Path
) -> None:
    folder = make_job("j")
    os.utime(folder.read().target, ns=(1_000, 2_000_000_000))
    place = tmp_path / "named-outputs" / "score"
    place.mkdir(parents=True)
    (place / "predictions.csv").write_text("old")
    (place / "mine.txt").write_text("mine")

    download(home, "j", tmp_path, output_name="score")

    assert (place / "predictions.csv").read_text() == "j"
    assert (place / "predictions.csv").stat().st_mtime_ns == 2_000_000_000
    assert (place / "mine.txt").read_text() == "mine"


def test_folders_links_and_hidden_folders_of_ours(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    output = make_job("j").read().output
    (output / "part=1").mkdir()
    (output / "part=1" / "x").write_text("x")
    (output / "link").symlink_to(output / "part=1" / "x")
    (output / "nowhere").symlink_to(output / "gone")
    (output / ".gristmill-j").mkdir()
    (output / ".gristmill-j" / "0.part").write_text("x")

    download(home, "j", tmp_path / "dl", output_name="score")

    below = tmp_path / "dl" / "named-outputs" / "score"
    assert files(below) == ["link", "part=1/x", "predictions.csv"]
    assert not (below / "link").is_symlink()


def test_what_is_downloaded_into_the_output_itself_does_not_grow(
    home: Home, make_job: MakeJob, tmp_path: Path
) -> None:
    make_job("j", output=tmp_path / "out")

    for _ in range(2):
        assert download(home, "j", tmp_path / "out", output_name="score").files == 1
    assert files(tmp_path / "out") == ["named-outputs/score/predictions.csv", "predictions.csv"]


def test_to_where_it_lies_already_nothing_is_copied(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j", output=tmp_path / "named-outputs" / "score")

    assert download(home, "j", tmp_path, output_name="score").files == 0


def test_an_output_of_another_name_is_refused(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j")

    with pytest.raises(RequestError, match="has no output called other; it has one, score"):
        download(home, "j", tmp_path / "dl", output_name="other")
    assert not (tmp_path / "dl").exists()


def test_a_job_that_has_not_ended_is_refused(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job("j", status=Status.RUNNING, ended_at="")
    lock = JobLock(folder.lock)
    lock.acquire()

    with pytest.raises(JobStateError, match="gristmill job stream j"):
        download(home, "j", tmp_path)
    lock.release()
    with pytest.raises(JobStateError, match="has not ended, it is Running"):
        download(home, "j", tmp_path)
    with pytest.raises(UnknownJobError):
        download(home, "nobody", tmp_path)


def test_an_output_that_is_gone_is_named(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job("j", output=tmp_path / "out")
    folder.read().target.unlink()
    (tmp_path / "out").rmdir()

    with pytest.raises(RequestError, match=f"there is nothing to download: {tmp_path}/out"):
        download(home, "j", tmp_path / "dl", output_name="score")


def test_a_place_that_cannot_be_written_is_named(home: Home, make_job: MakeJob, tmp_path: Path) -> None:
    make_job("j")
    (tmp_path / "dl").write_text("a file")

    with pytest.raises(OutputError, match="choose another --download-path"):
        download(home, "j", tmp_path / "dl", output_name="score")
