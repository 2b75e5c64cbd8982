"""The options that several commands take, and the examples that each help ends with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from postpress_source.cli.choice import Choice

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
Unread = Annotated[bool, typer.Option("--unread", help="Only chats that are unread.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only chats active since then: 2026-05-17, or 30d."),
]

SlaLimit = Annotated[
    str | None,
    typer.Option("--sla", metavar="TIME", help="How long a chat may wait, such as 8h; else 24h."),
]
BusinessHours = Annotated[
    str | None,
    typer.Option(metavar="HOURS", help="Only these count, Monday to Friday, such as 9-17."),
]
TimeZone = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Where they are, such as Europe/Berlin; else UTC."),
]
WithNames = Annotated[bool, typer.Option("--names", help="With people's names.")]


def chosen(
    destination: str = "duckdb",
    dataset: str = "postpress",
    sandbox: bool = False,
    accounts: list[str] | None = None,
    account_type: str | None = None,
    full: bool = False,
    *,
    unread: bool = False,
    since: str | None = None,
) -> Choice:
    """What was chosen, names in any case.

    Raises:
        CommandError: A provider or a moment is none.
    """
    from postpress_source.cli import guess, times

    return Choice(
        destination if destination == "duckdb" else guess.destination(destination),
        dataset,
        sandbox,
        tuple(accounts) if accounts else None,
        guess.provider(account_type),
        full,
        unread or None,
        None if since is None else times.since("--since", since, datetime.now(UTC)),
    )


def examples(*lines: str) -> str:
    """The end of a command's help; each line is a command that runs."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
