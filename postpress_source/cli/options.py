"""The options that several commands take, and the examples that each help ends with."""

from __future__ import annotations

from typing import Annotated

import typer

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


def examples(*lines: str) -> str:
    """The end of a command's help; each line is a command that runs."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
