"""The ledger `chat_walks` as the commands read and show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.screen import Screen, span
from postpress_source.landing.ledger import WALKS
from postpress_source.views.names import account_names

ALL_VISIBLE: Final = "all visible"
SWEEP: Final = "sweep"
"""The kind of a walk on which nothing rests: no account is skipped if it fails."""

Walk = Mapping[str, Any]


def read_walks(pipeline: dlt.Pipeline, tail: str = "") -> list[dict[str, Any]]:
    """Rows of the ledger, newest first, and what people call the account.

    `tail` is SQL between FROM and ORDER BY.
    """
    names = account_names()
    known = pipeline.default_schema.get_table_columns("chat_walks")
    walks = warehouse.query(
        pipeline,
        {name: name if name in known else "NULL" for name in WALKS.names},
        f"FROM chat_walks {tail} ORDER BY started_at DESC, account_id LIMIT 2000",
    )
    return [walk | {"account_name": named(walk["account_id"], names)} for walk in walks]


def named(account_id: str | None, names: Mapping[str, str]) -> str:
    """What people call an account, else its id; or that it is all of them."""
    return ALL_VISIBLE if account_id is None else names.get(account_id, account_id)


def walks_of_loads(pipeline: dlt.Pipeline, load_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The walks that these load packages brought."""
    listed = ", ".join(f"'{load_id}'" for load_id in load_ids)
    return read_walks(pipeline, f"WHERE _dlt_load_id IN ({listed})") if listed else []


def seconds_of(walk: Walk) -> float | None:
    """How long a walk took, None if it has no end."""
    if walk["finished_at"] is None:
        return None
    return float((walk["finished_at"] - walk["started_at"]).total_seconds())


def show_walks(screen: Screen, walks: Iterable[Walk], *, with_start: bool = False) -> None:
    """A table of walks that read all they had to."""
    columns: dict[str, Callable[[Walk], Any]] = {
        "account": lambda walk: walk["account_name"],
        "walk": lambda walk: walk["kind"],
        "started": lambda walk: walk["started_at"],
        "chats": lambda walk: walk["chats_read"],
        "requests": lambda walk: walk["requests"],
        "took": lambda walk: None if (took := seconds_of(walk)) is None else span(took),
    }
    del columns["requests" if with_start else "started"]
    rows = [[read(walk) for read in columns.values()] for walk in walks]
    if rows:
        screen.table(list(columns), rows)


def show_empty(screen: Screen, walks: Iterable[Walk]) -> None:
    """A warning of each account that is read without an error and lists nothing."""
    for walk in walks:
        if walk["complete"] and walk["account_id"] and walk["next_step"]:
            screen.say(f"! Account {walk['account_name']}: {walk['next_step']}", style="yellow")


def show_skipped(screen: Screen, walks: Iterable[Walk]) -> None:
    """What to do about each account that couldn't be read."""
    for walk in walks:
        why = walk["error_type"] or "error"
        screen.say(f"Skipped: account {walk['account_name']} - {why}", style="red")
        screen.pairs([("  Next", walk["next_step"] or walk["error"] or "-")])
