"""What a command writes can't end it, whatever becomes of the streams that it writes to."""

import shlex
import subprocess
from datetime import timedelta

import pytest

from postpress_source.sandbox import Fault, Sandbox
from tests.cli.conftest import POSTPRESS, Desk, Ended

NOWHERE = [
    "2>&1 | true",
    pytest.param(">&- 2>&-", marks=pytest.mark.slow),
    pytest.param(">/dev/full 2>&1", marks=pytest.mark.slow),
]


def in_shell(desk: Desk, *arguments: str, streams: str) -> Ended:
    """Run a command with its streams as a shell sets them; a pipe's reader is waited for."""
    command = f"{shlex.join([str(POSTPRESS), *arguments])} {streams}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("streams", NOWHERE)
def test_a_run_that_nobody_reads_loads_all_and_says_how_it_went(
    desk: Desk, inbox: Sandbox, streams: str
) -> None:
    well, sick, other = inbox.world.accounts
    inbox.world.disconnect_account(sick)
    chosen = [part for account in (well, sick, other) for part in ("--account", account)]
    ended = in_shell(desk, "run", *chosen, streams=streams)
    landed = desk.query("SELECT DISTINCT account_id FROM postpress.chats ORDER BY ALL")
    assert landed == sorted([(well,), (other,)])
    assert ended == Ended(1, "", "")


@pytest.mark.slow
def test_the_reader_leaves_in_mid_run(desk: Desk, inbox: Sandbox) -> None:
    """The warning and the lines of progress come when `head` has long ended."""
    inbox.faults.add(Fault(status=429, retry_after=timedelta(seconds=4)))
    ended = in_shell(desk, "run", streams="2>&1 | head -n 1")
    assert ended == Ended(0, "postpress run: to duckdb, dataset postpress\n", "")
    landed = desk.query("SELECT id FROM postpress.chats ORDER BY id")
    assert landed == sorted((chat,) for chat in inbox.world.chat_ids)


@pytest.mark.parametrize(
    ("command", "code"), [("--help", 0), ("plan", 0), ("check", 0), ("status", 1)]
)
def test_the_others_end_as_if_they_were_read(
    desk: Desk, inbox: Sandbox, command: str, code: int
) -> None:
    assert in_shell(desk, command, streams="2>&1 | true") == Ended(code, "", "")


def test_a_full_disk_is_told(desk: Desk) -> None:
    ended = in_shell(desk, "plan", streams=">/dev/full")
    assert ended == Ended(0, "", "! Output is lost: No space left on device\n")
