"""`postpress open`: the line that it prints opens the file."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from postpress_source.sandbox import Sandbox
from tests.cli.conftest import ESCAPE, POSTPRESS, Desk, assert_plain

CLI = """#!/bin/sh
echo "duckdb got: $*"
"""


@pytest.fixture
def with_cli(desk: Desk) -> Desk:
    """A user who has a program called duckdb."""
    program = desk.folder / "bin" / "duckdb"
    program.parent.mkdir()
    program.write_text(CLI)
    program.chmod(0o755)
    desk.environment["PATH"] = f"{program.parent}:{desk.environment['PATH']}"
    return desk


def test_without_duckdbs_program_it_says_so_and_python_looks(desk: Desk, inbox: Sandbox) -> None:
    desk.environment["PATH"] = "/usr/bin:/bin"
    assert desk.run("run").code == 0
    ended = desk.run("open")
    assert ended.code == 0, ended.text
    assert "isn't installed" in ended.out
    line = ended.out.splitlines()[-1]
    shown = subprocess.run(
        shlex.split(line), cwd=desk.folder, capture_output=True, text=True, check=True
    )
    assert "account_id" in shown.stdout


def test_with_it_the_line_is_printed_in_a_pipe_and_run_in_a_terminal(
    with_cli: Desk, inbox: Sandbox
) -> None:
    assert with_cli.run("run").code == 0
    printed = shlex.split(with_cli.run("open").out)
    assert printed[:2] == ["duckdb", "-readonly"]
    assert Path(printed[-1]).name == "inbox.duckdb"
    told = json.loads(with_cli.run("open", "--ui", "--json").out)
    assert told["installed"]
    assert told["command"] == ["duckdb", "-ui", printed[-1]]
    ended = in_terminal(with_cli, "open")
    assert f"duckdb got: {' '.join(printed[1:])}" in ended
    assert "duckdb got" not in in_terminal(with_cli, "open", "--print")


def test_nothing_to_open(desk: Desk) -> None:
    ended = desk.run("open", "--sandbox")
    assert ended.code == 1
    assert "postpress run --sandbox" in ended.err
    assert_plain(ended.text)


def in_terminal(desk: Desk, *arguments: str) -> str:
    """What is shown where standard input is a terminal, too."""
    command = shlex.join([str(POSTPRESS), *arguments])
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        cwd=desk.folder,
        env=desk.environment | {"TERM": "xterm", "COLUMNS": "300"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return " ".join(ESCAPE.sub("", done.stdout).replace(os.linesep, " ").split())
