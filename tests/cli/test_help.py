"""Each help ends with two examples, and they run."""

import re
import shlex
import signal
from pathlib import Path

import pytest

from postpress_source.sandbox import Sandbox
from tests.cli.conftest import COMMANDS, Desk


def examples(desk: Desk, command: str) -> list[list[str]]:
    shown = desk.run(command, "--help").out.partition("Examples:\n")[2]
    return [shlex.split(line) for line in re.findall(r"^ +postpress (.*)$", shown, re.MULTILINE)]


@pytest.mark.slow
def test_they_run(desk: Desk, inbox: Sandbox) -> None:
    for before in ("run", "run --sandbox"):
        assert desk.run(*before.split()).code == 0
    for command in COMMANDS:
        shown = examples(desk, command)
        assert len(shown) == 2
        for arguments in shown if command != "sandbox" else []:
            assert arguments[0] == command
            ended = desk.run(*arguments)
            assert ended.code == 0, ended.text


@pytest.mark.slow
def test_those_of_the_sandbox_serve(desk: Desk) -> None:
    shown = examples(desk, "sandbox")
    assert len(shown) == 2
    for arguments in shown:
        process = desk.start(*arguments, "--port", "0")  # the default may be taken here
        assert process.stdout
        while not (line := process.stdout.readline()).startswith("Ctrl-C"):
            assert line, "it ended"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_the_page_has_a_section_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    assert set(re.findall(r"^## `postpress (\w+)`", page, re.MULTILINE)) == set(COMMANDS)
