"""`postpress status` as a sensor: limits that are given, and the reasons why they don't hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from postpress_source.cli.screen import span
from postpress_source.cli.times import duration


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be at most; None: whatever it is.

    Attributes:
        behind: Since an account was last read without an error.
        silent: From an account's newest chat to the last time that it was read.
        waiting: Chats that wait.
        over_sla: Chats that wait longer than promised.
        dead: Accounts that are green but dead: none may be.
    """

    behind: timedelta | None = None
    silent: timedelta | None = None
    waiting: int | None = None
    over_sla: int | None = None
    dead: bool = False


def read_limits(
    behind: str | None,
    silent: str | None,
    waiting: int | None,
    over_sla: int | None,
    *,
    dead: bool,
) -> Limits:
    """The limits that the options give."""
    return Limits(
        None if behind is None else duration("--max-behind", behind),
        None if silent is None else duration("--max-silent", silent),
        waiting,
        over_sla,
        dead,
    )


def reasons(document: Mapping[str, Any], limits: Limits) -> list[str]:
    """Why the limits don't hold, the document being that of `postpress status`; none if they do."""
    accounts = document["accounts"]
    return [
        *_longest(accounts, "behind", limits.behind, "not read for", if_unknown="never read"),
        *_longest(accounts, "silent", limits.silent, "silent for"),
        *_counted(document, "waiting", limits.waiting),
        *_counted(document, "over SLA", limits.over_sla),
        *(
            f"{account['account_name']} may be dead"
            for account in accounts
            if limits.dead and account["green_but_dead"]
        ),
    ]


def _counted(document: Mapping[str, Any], what: str, limit: int | None) -> Iterator[str]:
    count = document["inbox"][what.lower().replace(" ", "_")]
    if limit is not None and count > limit:
        yield f"{count:,} {what}, at most {limit:,}"


def _longest(
    accounts: Iterable[Mapping[str, Any]],
    what: str,
    limit: timedelta | None,
    words: str,
    if_unknown: str = "",
) -> Iterator[str]:
    """The account that is worst, and how many others are over the limit, too."""
    if limit is None:
        return
    field = f"{what}_seconds"
    unknown = [a for a in accounts if a[field] is None and if_unknown]
    over = [a for a in accounts if a[field] is not None and a[field] > limit.total_seconds()]
    over.sort(key=lambda account: account[field], reverse=True)
    if not unknown and not over:
        return
    worst = (unknown + over)[0]
    how = if_unknown if worst in unknown else f"{words} {span(worst[field])}"
    others = len(unknown) + len(over) - 1
    more = f", and {others} more" if others else ""
    yield f"{worst['account_name']} {how}{more}, at most {span(limit)}"
