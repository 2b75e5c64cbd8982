"""docs/command-line.md says what the commands are."""

import re
from pathlib import Path

import pytest

from postpress_source.cli.failures import ExitCode
from tests.cli.conftest import Desk

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^## `?(?:postpress )?(.*?)`?\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def test_every_exit_code_is_documented_and_no_other() -> None:
    listed = re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.M)
    assert sorted(map(int, listed)) == sorted(ExitCode)


@pytest.mark.parametrize("command", ["check", "plan", "run", "status", "forget", "sandbox"])
def test_every_option_is_documented_and_no_other(desk: Desk, command: str) -> None:
    offered = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", desk.run(command, "--help").out, re.M))
    text = re.sub(r"^    .*\n", "", SECTIONS[command], flags=re.M)
    documented = set(re.findall(r"`(--[a-z-]+)`", text)) - {"--pipelines-dir"}  # dlt's
    assert documented == offered - {"--help"}


def test_what_is_shown_fits_a_terminal() -> None:
    shown = [line[4:] for line in PAGE.splitlines() if line.startswith("    ")]
    assert max(map(len, shown)) <= 80


@pytest.mark.slow
def test_output_is_what_a_run_prints(desk: Desk) -> None:
    def shape(text: str) -> list[str]:
        """Words of each line, numbers and times levelled."""
        text = re.sub(r"\b(postpress|dlt) [^\n]*|\d+(?:[.,:-]\d+)*Z?", "#", text)
        return [" ".join(line.split()) for line in text.strip().splitlines()]

    shown = SECTIONS["run"].split("$ postpress run --sandbox\n")[1].split("\n\n|")[0]
    out = desk.run("run", "--sandbox").out
    assert shape(out) == shape(re.sub(r"^    ", "", shown, flags=re.M))[1:]
