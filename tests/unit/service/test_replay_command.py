"""The command that replays an item can be pasted into a shell, whatever the item is called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.service.replay_command import of_first_failure, replay_command

RAW = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@settings(max_examples=40, deadline=None)
@given(RAW)
def test_a_shell_takes_the_command_apart_into_the_very_bytes(raw: bytes) -> None:
    command = replay_command("j", os.fsdecode(raw))

    words = subprocess.run(
        ["bash", "--norc", "-c", command.replace("gristmill", "printf '%s\\0'", 1)],
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")

    assert "\n" not in command
    assert words[:2] == [b"replay", b"j"]
    assert words[2] == (b"./" + raw if raw.startswith(b"-") else raw)


def written(folder: Path, **line: object) -> Path:
    path = folder / "failures.jsonl"
    path.write_text(json.dumps(line) + "\n")
    return path


def test_item_that_failed_alone_is_replayed_alone(tmp_path: Path) -> None:
    failures = written(tmp_path, input="a b", items=1)

    assert of_first_failure("j", failures) == "gristmill replay j 'a b'"


def test_item_that_failed_with_others_is_replayed_with_them(tmp_path: Path) -> None:
    assert of_first_failure("j", written(tmp_path, input="a", items=5)) == (
        "gristmill replay j a --mini-batch"
    )


def test_missing_results_are_replayed_with_all_of_their_files(tmp_path: Path) -> None:
    failures = written(tmp_path, inputs=["a", "b"], items=2)

    assert of_first_failure("j", failures) == "gristmill replay j a --mini-batch"


def test_without_failures_there_is_no_command(tmp_path: Path) -> None:
    assert of_first_failure("j", tmp_path / "failures.jsonl") is None
