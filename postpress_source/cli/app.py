"""The commands and their options. Everything heavy is imported when a command runs."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import (
    CommandError,
    ExitCode,
    Failure,
    Terminated,
    failure_of,
)
from postpress_source.cli.screen import Screen
from postpress_source.cli.streams import use_sturdy_streams

EXIT_CODES = """\
Exit codes: 0 ok, 1 something to mend, 2 wrong usage, 3 try again later,
130 interrupted, 143 terminated.
"""

app = typer.Typer(
    name="postpress",
    help="Keep a warehouse equal to a PostPress inbox, and see whether it is.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TRACEBACK = "POSTPRESS_TRACEBACK"

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Destination = Annotated[
    str,
    typer.Option(metavar="NAME", help="duckdb, filesystem (Parquet), or any other of dlt's."),
]
Dataset = Annotated[
    str, typer.Option(metavar="NAME", help="Schema, or folder, that the tables are in.")
]
OfSandbox = Annotated[bool, typer.Option("--sandbox", help="Of the sandbox's pipeline.")]
AccountIds = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="ID", help="Only this account's chats; may be repeated."),
]
AccountType = Annotated[
    str | None,
    typer.Option("--type", metavar="NAME", help="Only this provider's chats, such as LINKEDIN."),
]


def _show_version(asked: bool) -> None:
    if asked:
        of = {name: version(name) for name in ("postpress-source", "dlt", "duckdb")}
        typer.echo(
            f"postpress {of['postpress-source']} "
            f"(dlt {of['dlt']}, duckdb {of['duckdb']}, Python {platform.python_version()})"
        )
        raise typer.Exit


@app.callback()
def postpress(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show and exit."),
    ] = False,
) -> None:
    """Hold the options of `postpress` itself; its help is the app's."""


@app.command()
def check(
    *, accounts: AccountIds = None, account_type: AccountType = None, as_json: AsJson = False
) -> None:
    """Ask the API a few read-only questions: is all as it should be?"""
    choice = Choice(account_ids=_ids(accounts), account_type=account_type)
    with _command(as_json) as screen:
        from postpress_source.cli.check import check

        screen.exit_code = check(choice, screen)


@app.command()
def plan(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    full: Annotated[bool, typer.Option("--full", help="As `run --full` would.")] = False,
    accounts: AccountIds = None,
    account_type: AccountType = None,
    as_json: AsJson = False,
) -> None:
    """Say what the next run would read, and why; loads nothing."""
    choice = Choice(destination, dataset, sandbox, _ids(accounts), account_type, full)
    with _command(as_json) as screen:
        from postpress_source.cli.plan import plan

        screen.exit_code = plan(choice, screen)


@app.command()
def run(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Read a made-up inbox; needs no key.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything, also what seems unchanged.")
    ] = False,
    accounts: AccountIds = None,
    account_type: AccountType = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new and load it."""
    choice = Choice(destination, dataset, sandbox, _ids(accounts), account_type, full)
    with _command(as_json) as screen:
        from postpress_source.cli.run import run

        screen.exit_code = run(choice, screen)


@app.command()
def status(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    as_json: AsJson = False,
) -> None:
    """Show what is loaded, how fresh it is, how the last walks went."""
    choice = Choice(destination, dataset, sandbox)
    with _command(as_json) as screen:
        from postpress_source.cli.status import status

        screen.exit_code = status(choice, screen)


@app.command()
def forget(
    *,
    chats: Annotated[
        list[str] | None,
        typer.Option("--chat", metavar="ID", help="Forget this chat; may be repeated."),
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ID", help="This account, and all its chats."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    as_json: AsJson = False,
) -> None:
    """Delete every trace of chats or accounts from the tables."""
    choice = Choice(destination, dataset, sandbox)
    with _command(as_json) as screen:
        from postpress_source.cli.forget import forget

        screen.exit_code = forget(choice, chats or (), accounts or (), screen, dry_run=dry_run)


@app.command()
def sandbox(
    *,
    chats: Annotated[int, typer.Option(min=0, help="In all accounts together.")] = 500,
    accounts: Annotated[int, typer.Option(min=1, help="Linked accounts.")] = 4,
    seed: Annotated[int, typer.Option(help="Which inbox; the same seed gives the same.")] = 7,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8765,
    speed: Annotated[float, typer.Option(min=0, help="How lively; 1 is a real inbox.")] = 1.0,
    behind: Annotated[
        str, typer.Option(help="Start its clock that long ago: room for --advance.")
    ] = "0d",
    advance: Annotated[
        str | None,
        typer.Option(help="Let 30m, 6h, 2d pass in the sandbox that runs on --port, and end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a made-up PostPress inbox on this machine until Ctrl-C."""
    with _command(as_json) as screen:
        from postpress_source.cli import sandbox as command

        if advance is not None:
            command.advance(port, advance, screen)
        else:
            command.serve(chats, accounts, seed, port, speed, behind, screen)


def run_app() -> None:
    """Parse the arguments, run the command, end the process with the exit code."""
    use_sturdy_streams()
    app(prog_name="postpress")


def _ids(accounts: list[str] | None) -> tuple[str, ...] | None:
    return tuple(accounts) if accounts else None


class _Ending(Screen):
    """A command's screen, and the exit code that it decides on."""

    exit_code: ExitCode = ExitCode.OK


@contextmanager
def _command(as_json: bool) -> Iterator[_Ending]:
    """Run a command's body; whatever ends it becomes words and an exit code."""
    screen = _Ending(as_json=as_json)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _check_here()
        yield screen
    except BaseException as error:
        failure = failure_of(error)
        if failure is None or os.environ.get(TRACEBACK):
            if os.environ.get(TRACEBACK) or not isinstance(error, Exception):
                raise
            from postpress_source.cli.failures import unexpected

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
