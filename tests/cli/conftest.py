"""Runs the installed `postpress` as a person, a pipe, or a scheduler would."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from postpress_source.sandbox import Sandbox, generate_world, serve

COMMANDS = ("check", "plan", "run", "status", "digest", "report", "open", "forget", "sandbox")
POSTPRESS = Path(sys.executable).with_name("postpress")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|38|48)(?:;[0-9]+)*m")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Desk:
    """A folder to work in, with the settings of a user who has one.

    Attributes:
        folder: The working directory; dlt's own folders are in it too.
        environment: What is set besides PATH.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def connect(self, sandbox: Sandbox) -> None:
        self.environment |= {
            "SOURCES__POSTPRESS__BASE_URL": sandbox.url,
            "SOURCES__POSTPRESS__API_KEY": "pp_live_mine",
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [POSTPRESS, *arguments],
            cwd=self.folder,
            env=self.environment | options.pop("env", {}),
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            text=True,
            **options,
        )

    def run(self, *arguments: str, **env: str) -> Ended:
        """Run a command with its output piped."""
        process = self.start(*arguments, env=env)
        out, err = process.communicate(timeout=300)
        return Ended(process.returncode, out, err)

    def type(self, *arguments: str, until: str | None = None, **env: str) -> Ended:
        """Run a command in a terminal of 80 columns; press Ctrl-C when `until` has appeared."""
        primary, secondary = pty.openpty()
        env = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **env}
        process = self.start(*arguments, env=env, stdout=secondary, stderr=secondary)
        os.close(secondary)
        shown = _read_terminal(primary, process, until)
        return Ended(process.wait(300), shown, "")

    def query(self, sql: str, file: str = "inbox.duckdb") -> list[tuple[Any, ...]]:
        """Rows of the DuckDB file; none if there is no file."""
        if not (self.folder / file).exists():
            return []
        with duckdb.connect(str(self.folder / file), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tables(self, file: str = "inbox.duckdb") -> set[str]:
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'postpress'"
        return {name for (name,) in self.query(listed, file)}


def _read_terminal(primary: int, process: subprocess.Popen[str], until: str | None) -> str:
    shown = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        ready, _, _ = select.select([primary], [], [], 0.2)
        if ready:
            try:
                piece = os.read(primary, 65536)
            except OSError:  # the other side is closed
                break
            shown += piece
        elif process.poll() is not None:
            break
        if until and until.encode() in shown:
            process.send_signal(signal.SIGINT)
            until = None
    os.close(primary)
    return shown.decode()


def assert_plain(text: str) -> None:
    """No control characters, no traceback, nothing wider than 80 columns."""
    assert not CONTROL.search(text), repr(CONTROL.search(text))
    assert "Traceback" not in text, text
    assert max(map(len, text.splitlines()), default=0) <= 80, text


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def make() -> Callable[[Path], Desk]:
    return make_desk


def make_desk(folder: Path) -> Desk:
    return Desk(
        folder,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__REQUEST_BACKOFF_FACTOR": "0.01",
            "RUNTIME__REQUEST_TIMEOUT": "300",  # so that Ctrl-C alone ends a wait
            "RUNTIME__REQUEST_MAX_ATTEMPTS": "3",
        },
    )


@pytest.fixture
def inbox(desk: Desk) -> Iterator[Sandbox]:
    """A served inbox of 600 chats in three accounts, which the desk's settings name."""
    with serve(generate_world(600, 3, seed=11)) as sandbox:
        desk.connect(sandbox)
        yield sandbox
