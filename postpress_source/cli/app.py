"""The commands and their options. Everything heavy is imported when a command runs."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Annotated

import typer

from postpress_source.cli.command import command
from postpress_source.cli.options import (
    AccountIds,
    AccountType,
    AsJson,
    Dataset,
    Destination,
    OfSandbox,
    Since,
    Unread,
    chosen,
    examples,
)
from postpress_source.cli.people import PEOPLE
from postpress_source.cli.streams import use_sturdy_streams

EXIT_CODES = """\
Exit codes: 0 ok, 1 something to mend, 2 wrong usage, 3 try again later,
4 over a limit that was given, 130 interrupted, 143 terminated.
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


@app.command(epilog=examples("postpress check", "postpress check --type linkedin --json"))
def check(
    *, accounts: AccountIds = None, account_type: AccountType = None, as_json: AsJson = False
) -> None:
    """Ask the API a few read-only questions: is all as it should be?"""
    with command(as_json) as screen:
        from postpress_source.cli.check import check

        choice = chosen(accounts=accounts, account_type=account_type)
        screen.exit_code = check(choice, screen)


@app.command(epilog=examples("postpress plan", "postpress plan --sandbox --per-day 1h"))
def plan(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    full: Annotated[bool, typer.Option("--full", help="As `run --full` would.")] = False,
    accounts: AccountIds = None,
    account_type: AccountType = None,
    unread: Unread = False,
    since: Since = None,
    per_day: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="And what a day costs, with a run each 1h or so."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the next run would read, and why; loads nothing."""
    with command(as_json) as screen:
        from postpress_source.cli.plan import plan
        from postpress_source.cli.times import positive

        run_every = None if per_day is None else positive("--per-day", per_day)
        choice = chosen(
            destination, dataset, sandbox, accounts, account_type, full, unread=unread, since=since
        )
        screen.exit_code = plan(choice, screen, run_every)


@app.command(
    epilog=examples("postpress run --sandbox", "postpress run --type linkedin --since 30d")
)
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
    unread: Unread = False,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new and load it."""
    with command(as_json) as screen:
        from postpress_source.cli.run import run

        choice = chosen(
            destination, dataset, sandbox, accounts, account_type, full, unread=unread, since=since
        )
        screen.exit_code = run(choice, screen)


for _person, _examples in PEOPLE.items():
    app.command(epilog=examples(*_examples))(_person)


@app.command(
    "open", epilog=examples("postpress open --sandbox", "postpress open --sandbox --print")
)
def open_file(
    *,
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    ui: Annotated[bool, typer.Option("--ui", help="DuckDB's page in the browser.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="The line, without running it.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Open the DuckDB file in DuckDB's own command line or page."""
    with command(as_json) as screen:
        from postpress_source.cli.open import open_file

        choice = chosen("duckdb", dataset, sandbox)
        screen.exit_code = open_file(choice, screen, ui=ui, only_print=only_print)


@app.command(
    epilog=examples(
        "postpress forget --sandbox --account acc_1 --dry-run", "postpress forget --chat chat_1"
    )
)
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
    with command(as_json) as screen:
        from postpress_source.cli.forget import forget

        choice = chosen(destination, dataset, sandbox)
        screen.exit_code = forget(choice, chats or (), accounts or (), screen, dry_run=dry_run)


@app.command(epilog=examples("postpress sandbox", "postpress sandbox --chats 3000 --speed 100"))
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
    with command(as_json) as screen:
        from postpress_source.cli import sandbox as served

        if advance is not None:
            served.advance(port, advance, screen)
        else:
            served.serve(chats, accounts, seed, port, speed, behind, screen)


def run_app() -> None:
    """Parse the arguments, run the command, end the process with the exit code."""
    use_sturdy_streams()
    app(prog_name="postpress")
