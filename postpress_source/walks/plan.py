"""What to read and when to stop. Pure: no dlt, no HTTP, `now` passed in.

    newest                                                         oldest
      |<-------- head walk ------->|<- lookback ->|                  |  null timestamps: anywhere
      |                            W              stop               |
      |<-------------------------- full walk ----------------------->|

A head walk reads page by page until a *whole page* lies below `stop`, as long as the list has come
newest first all along; if the order breaks it reads to the end. That the order may be trusted at
all is proved by the last full walk, not assumed: it must have seen enough descents and no ascent.
A null timestamp proves nothing and ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import ge, gt
from typing import Final

from postpress_source.walks.watermark import Memory

ORDER_PROOF: Final = 16
"""Descents that a full walk must have seen before its order is trusted; fewer could be chance."""

MAX_PAGES_WITHOUT_NEWS: Final = 20
"""Pages in a row that bring only chats that the walk has met; more is a list without end."""

MAX_EMPTY_PAGES: Final = 200
"""Pages in a row without any chat: an API can count chats before it leaves out those that aren't
asked for, or whose account is away."""


class Kind(StrEnum):
    """How far a walk reads: until known ground, to the end, or to the start of a backfill.

    Or of what: a sweep reads the list of unread chats, and nothing rests on it.
    """

    HEAD = "head"
    FULL = "full"
    BACKFILL = "backfill"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a walk is to do.

    Attributes:
        kind: See `Kind`.
        reason: Why this kind, for the ledger.
        watermark: How far the data is known, None if nothing is.
        stop: Where reading may end: below it everything is known, or not wanted (exclusive: a chat
            exactly at it is read). None: read to the end.
        lookback: How far behind the watermark a head walk reads again.
        since: The start date (inclusive) from which on all is known afterwards; None: none.
        down_to: Of a head walk that reads on below known ground: until below here.
    """

    kind: Kind
    reason: str
    watermark: datetime | None = None
    stop: datetime | None = None
    lookback: timedelta = timedelta(0)
    since: datetime | None = None
    down_to: datetime | None = None


def plan_walk(
    memory: Memory | None,
    now: datetime,
    *,
    lookback: timedelta,
    full_walk_every: timedelta,
    start: datetime | None = None,
) -> Plan:
    """Head or full walk, and why.

    Args:
        memory: What the unit's last complete walk left, None if there was none in this scope.
        now: The walk's start, UTC.
        lookback: How far behind the watermark to read again.
        full_walk_every: A full walk is due when the last one began this long ago, or longer.
        start: The user's start date (inclusive); a head walk needn't read below it.
    """
    full = Plan(Kind.FULL, "", lookback=lookback, since=start)
    if memory is None:
        return replace(full, reason="first walk of this scope")
    full = replace(full, watermark=memory.watermark)
    if reason := _why_full(memory, now, full_walk_every, start):
        return replace(full, reason=reason)
    head = replace(full, kind=Kind.HEAD, since=memory.since)
    if not memory.newest_first or memory.watermark is None:
        return replace(head, reason="order not proved: read to the end")
    stop = _before(memory.watermark, lookback)
    head = replace(head, reason="changes since the watermark", stop=stop)
    if start is None or start <= stop:
        return head
    return replace(head, stop=start, since=start)  # what lies between isn't loaded


def _why_full(
    memory: Memory, now: datetime, full_walk_every: timedelta, start: datetime | None
) -> str:
    """Why a full walk is due; empty if none is."""
    if memory.full_walk_at is None:
        return "the last walk failed or wasn't complete"
    if memory.since is not None and (start is None or start < memory.since):
        return f"chats before {memory.since:%Y-%m-%d %H:%M} aren't known"
    if not timedelta(0) <= now - memory.full_walk_at < full_walk_every:
        return f"the last full walk is older than {full_walk_every}"
    return ""


def plan_full_walk(plan: Plan, reason: str) -> Plan:
    """A full walk instead; a backfill stays one."""
    if plan.kind is Kind.BACKFILL:
        return plan
    return replace(plan, kind=Kind.FULL, reason=reason, stop=None)


def plan_backfill(memory: Memory | None, start: datetime, lookback: timedelta) -> Plan:
    """A walk down to `start` (inclusive), or to the end where the order isn't proved."""
    proved = memory is not None and memory.newest_first
    return Plan(
        Kind.BACKFILL,
        "initial_value and end_value",
        memory.watermark if memory else None,
        start if proved else None,
        lookback,
    )


def _before(instant: datetime, span: timedelta) -> datetime:
    """`instant - span`, or the first instant there is."""
    earliest = datetime.min.replace(tzinfo=instant.tzinfo)
    return earliest if instant - earliest < span else instant - span


@dataclass(frozen=True, slots=True)
class Progress:
    """What a walk has seen so far.

    Attributes:
        newest: The newest timestamp, None if no chat had one.
        last: The last timestamp in list order.
        newest_first: No timestamp was newer than one before it.
        descents: How often one was older than the one before it.
        empty_pages: Pages in a row that brought no chat at all.
    """

    newest: datetime | None = None
    last: datetime | None = None
    newest_first: bool = True
    descents: int = 0
    empty_pages: int = 0

    @property
    def order_proved(self) -> bool:
        """Whether the order, seen from end to end, may be relied on."""
        return self.newest_first and self.descents >= ORDER_PROOF


def observe(progress: Progress, timestamps: Sequence[datetime | None]) -> Progress:
    """The progress after one more page.

    Args:
        progress: The progress before it.
        timestamps: The page's, in list order.
    """
    known = [timestamp for timestamp in timestamps if timestamp is not None]
    before = [progress.last or known[0], *known] if known else []
    newest = max([*known, *([progress.newest] if progress.newest else [])], default=None)
    return Progress(
        newest=newest,
        last=known[-1] if known else progress.last,
        newest_first=progress.newest_first and all(map(ge, before, known)),
        descents=progress.descents + sum(map(gt, before, known)),
        empty_pages=0 if timestamps else progress.empty_pages + 1,
    )


def may_stop(plan: Plan, progress: Progress, timestamps: Sequence[datetime | None]) -> bool:
    """Whether all that the plan wants has been read, the page with these timestamps included.

    It must also have met the newest end of the list: a chat at the watermark or newer. If none is
    there, that chat is gone or the list isn't what it was, and the walk goes on.
    """
    known = [timestamp for timestamp in timestamps if timestamp is not None]
    if plan.stop is None or not known or not progress.newest_first or progress.newest is None:
        return False
    if plan.watermark is None or progress.newest < plan.watermark:
        return False
    return max(known) < plan.stop and (plan.down_to is None or known[-1] < plan.down_to)


def kind_of(plan: Plan, progress: Progress) -> Kind:
    """What a complete walk turned out to be: a head walk whose order broke was a full one."""
    if plan.kind is Kind.HEAD and not progress.newest_first:
        return Kind.FULL
    return plan.kind


def reason_of(plan: Plan, progress: Progress) -> str:
    """The plan's reason, or that the order broke."""
    broke = kind_of(plan, progress) is not plan.kind
    return "the list is not newest first: read to the end" if broke else plan.reason


def accounts_to_walk(
    memory: Memory | None, seen: Iterable[str], *, to_the_end: bool
) -> dict[str, str]:
    """Accounts that need a full walk of their own beside one of all visible ones, with the reason.

    A walk that stopped at known ground hasn't read an account that it never saw before, or that
    failed when it was tried.
    """
    if to_the_end:
        return {}
    before = memory or Memory()
    reasons = dict.fromkeys(sorted(before.owed), "the account failed last time")
    new = sorted(set(seen) - before.accounts - before.owed)
    return reasons | dict.fromkeys(new, "account not seen before")
