"""What every command's body runs in: whatever ends it becomes words and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer

from postpress_source.cli.causes import failure_of
from postpress_source.cli.failures import (
    CommandError,
    ExitCode,
    Failure,
    Terminated,
    unexpected,
)
from postpress_source.cli.screen import Screen

TRACEBACK: Final = "POSTPRESS_TRACEBACK"


class Ending(Screen):
    """A command's screen, and the exit code that it decides on."""

    exit_code: ExitCode = ExitCode.OK


@contextmanager
def command(as_json: bool) -> Iterator[Ending]:
    """Run a command's body; ends the process where the body ended otherwise than well."""
    screen = Ending(as_json=as_json)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _check_here()
        yield screen
    except BaseException as error:
        failure = failure_of(error)
        if failure is None or os.environ.get(TRACEBACK):
            if os.environ.get(TRACEBACK) or not isinstance(error, Exception):
                raise
            failure = unexpected(error, TRACEBACK)
        screen.fail(failure)
        screen.exit_code = failure.exit_code
    _end(screen.exit_code)


def _check_here() -> None:
    try:
        Path.cwd()
    except FileNotFoundError as error:
        next_step = "Change to one that is there."
        gone = Failure("NoFolder", "This folder is gone.", ExitCode.MEND, next_step=next_step)
        raise CommandError(gone) from error


def _terminate(signal_code: int, frame: Any) -> None:
    raise Terminated


def _end(code: ExitCode) -> None:
    """End the process.

    At once if it was interrupted: a thread may be waiting for an answer for another minute, and
    nothing that it could bring is wanted.
    """
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    raise typer.Exit(code)
