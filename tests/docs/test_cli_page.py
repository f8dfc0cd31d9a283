"""What `docs/cli.md` says of commands, options, statuses and variables is all there is, and all of it is."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path

import pytest

from docs.pages import PAGES, read, rows, section, spans
from flow.mill import REPOSITORY
from gristmill.cli.az.options import COMMON
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.options import COMMANDS, GROUPS
from gristmill.run.job_folder import Job
from gristmill.run.verify import Verification
from gristmill.service.check import CheckReport
from gristmill.service.environments import EnvironmentView
from gristmill.service.findings import Finding
from gristmill.service.tune import Tuning
from gristmill.service.views import JobView
from gristmill.spec.deployment import bare_script

PAGE = "cli.md"
OPTION = re.compile(r"(?<![\w/-])--?[a-z][a-z0-9-]*")
# Ours alone: they make the tests' kills exact, find a guard process, and tell an `az` what it remembers.
INTERNAL = {"GRISTMILL_FAULT_POINT", "GRISTMILL_GUARD", "GRISTMILL_AZ_REMEMBERED"}
# Options of every command, of other programs (`find`, `az`, `head`), and of somebody's script.
FOREIGN = {"-h", "--help", "--version", "-print0", "-1", "--beta"}
# pip's own, in a conda file.
FOREIGN |= {"-r", "-c", "-e", "--index-url", "--extra-index-url", "--find-links", "--no-index", "--pre"}


GROUPED = [(group, name, one) for group, of in GROUPS.items() for name, one in of.commands.items()]


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    known = {**COMMANDS, **{f"{group} {name}": one for group, name, one in GROUPED}}
    known[command].add_options(parser)
    return parser


def options(command: str) -> set[str]:
    return {name for action in parser_of(command)._actions for name in action.option_strings}


def named(text: str) -> set[str]:
    return {option for span in spans(text) for option in OPTION.findall(span)}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_section_with_all_of_its_options(command: str) -> None:
    text = section(PAGE, f"gristmill {command}")
    inherited = {"check": options("run"), "tune": options("run"), "rerun": options("resume")}.get(
        command, set()
    )

    missing = options(command) - named(text) - inherited

    assert f"`gristmill {command} " in text
    assert missing == set()


@pytest.mark.parametrize("command", ["run", "resume", "verify", "new"])
def test_section_of_a_command_names_no_option_of_another(command: str) -> None:
    tables = {option for row in rows(section(PAGE, f"gristmill {command}")) for option in named(row[0])}

    assert tables - options(command) - {"-h", "--help"} == set()


@pytest.mark.parametrize("command", [f"{group} {name}" for group, name, _ in GROUPED])
def test_every_command_of_a_group_stands_with_its_options(command: str) -> None:
    group = command.split()[0]
    typed = re.compile(rf"gristmill {command}[ `]")
    lines = [row[0] for row in rows(section(PAGE, f"gristmill {group}")) if typed.search(row[0])]
    common = {name for option in COMMON for name in option.names}
    actions = [one for one in parser_of(command)._actions if one.option_strings]
    known = {one.option_strings[0] for one in actions}
    needed = {one.option_strings[0] for one in actions if not is_idle(one)} - common

    said = set(OPTION.findall(" ".join(lines)))

    assert 1 <= len(lines) <= (2 if "--query" in options(command) else 1)
    assert needed <= said <= known


def is_idle(action: argparse.Action) -> bool:
    """Say whether an option is only taken for the sake of scripts; these stand in the tables alone."""
    option = getattr(action, "option", None)
    return option is not None and bool(option.nothing or option.refusal or option.words.startswith("taken"))


def test_tables_of_the_options_of_az_have_all_of_them_with_all_their_names() -> None:
    said = {name for row in rows(section(PAGE, "As az ml")) for name in OPTION.findall(row[0])}
    actions = [one for group, name, _ in GROUPED for one in parser_of(f"{group} {name}")._actions]

    assert said == {name for one in actions if hasattr(one, "option") for name in one.option_strings}


def test_every_setting_of_run_stands_beside_the_key_that_it_sets() -> None:
    actions = parser_of("run")._actions
    expected = {action.option_strings[0]: action.path for action in actions if getattr(action, "path", None)}
    said = {
        row[0].strip("`").split()[0]: row[1].strip("`")
        for row in rows(section(PAGE, "gristmill run"))
        if len(row) == 3
    }
    said.pop("--set")

    assert said == expected


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_names_exists(page: str) -> None:
    known = {name for command in COMMANDS for name in options(command)}
    known |= {name for group, command, _ in GROUPED for name in options(f"{group} {command}")}

    # Of the table of `az ml`, which names what is not here, too, `test_az_table` sees to each cell.
    az = section(page, "az ml, verb by verb") if page == "coming-from-azure-ml.md" else ""
    assert named(read(page)) - known - FOREIGN - named(az) == set()


def test_exit_statuses_are_those_of_the_command() -> None:
    said = [int(row[0]) for row in rows(section(PAGE, "Exit statuses"))]

    assert said == [status.value for status in ExitStatus]


def test_keys_of_the_answers_as_json_are_all_there() -> None:
    said = [key for row in rows(section(PAGE, "--json")) for key in spans(row[0])]
    fields = [
        field.name
        for kind in (JobView, Verification, CheckReport, EnvironmentView, Tuning)
        for field in dataclasses.fields(kind)
    ]

    assert sorted(said) == sorted([*fields, "ok", "errors", "warnings", "settings"])


@pytest.mark.parametrize("field", dataclasses.fields(Finding), ids=lambda field: field.name)
def test_every_part_of_a_finding_is_named(field: dataclasses.Field[object]) -> None:
    assert f"`{field.name}`" in section(PAGE, "--json")


def test_files_in_the_output_folder_are_all_there() -> None:
    said = {name for row in rows(section(PAGE, "The output folder")) for name in spans(row[0])}
    names = {name.replace("<job name>/", "j") for name in said}
    job = Job(
        name="j",
        deployment=bare_script(REPOSITORY / "examples/filetypes/classify.py"),
        input=Path("/in"),
        output=Path("/out"),
        workers=1,
        python=Path("/python"),
        python_version="3.11",
    )

    assert names == {*job.own_names, job.staging.name}


def test_every_variable_of_gristmill_is_on_a_page() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py")]
    known = {name for text in sources for name in re.findall(r"\bGRISTMILL_[A-Z_]+\b", text)}
    said = {name for page in PAGES for name in re.findall(r"\bGRISTMILL_[A-Z_]+\b", read(page))}

    assert said == known - INTERNAL


def test_every_variable_in_the_table_is_one_that_the_code_reads() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    said = {name for row in rows(section(PAGE, "Environment variables")) for name in spans(row[0])}

    assert {name for name in said if f'"{name}"' not in sources} == set()
    assert len(said) > 5
