"""Which chats have been read, asked of the short list of those that are unread.

A chat that is read, archived or refiled moves no timestamp, so a head walk meets it by chance. But
one that was unread is missing from `unread=true` then. So a head walk that has met known ground
sweeps that list, and goes on from where it is:

- down to the oldest chat that the table has as unread and that the sweep didn't list, where that is
  a page or two;
- else to the end, or in walks beside it of the accounts that the others are in, where the last full
  walk is long enough ago; else that stays due.

A sweep proves nothing about a chat. All it does is to say where to read; what is read decides. So
a filter that isn't heeded, a list that moves, an account that is away cost requests, and no row.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.tables import TEXT
from postpress_source.walks.plan import Kind, Plan, plan_full_walk
from postpress_source.walks.reader import Reader
from postpress_source.walks.spool import Spool
from postpress_source.walks.walk import Walk

logger = logging.getLogger("postpress_source")

READ_ON_PAGES: Final = 2
"""How many pages a head walk reads on for chats that seem to have been read."""
MOST_UNREAD: Final = 10_000
"""Of how many unread chats, the newest, the table is asked."""
SEEM_READ: Final = "unread chats were read, or are gone"
_SWEEP: Final = Plan(Kind.SWEEP, "which chats are no longer unread")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unread:
    """A chat that the table has as unread.

    Attributes:
        id: The chat's.
        account_id: Its account's.
        timestamp: Its last activity, UTC.
        place: How many of all rows are as newly active as it, or newer.
        place_in_account: How many of its account's are.
        rows: How many rows there are.
        rows_of_account: How many its account has.
    """

    id: str
    account_id: str | None
    timestamp: datetime | None
    place: int
    place_in_account: int
    rows: int
    rows_of_account: int


class UnreadRows(Protocol):
    """The rows of unread chats that a table has."""

    def unread(self, most: int) -> Sequence[Unread] | None:
        """So many of them, the newest first; None if it can't be asked."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How often the sweep may call for full walks.

    Attributes:
        at_most_every: At least so long after the last one of the account.
        full_walk_every: How often one comes by itself.
    """

    at_most_every: timedelta
    full_walk_every: timedelta

    def allows(self, last: datetime | None, now: datetime) -> bool:
        """Whether the last full walk is long enough ago."""
        return last is not None and now - last >= self.at_most_every

    def share(self, pages: int) -> int:
        """How many of an inbox's pages walks beside may read in `at_most_every`."""
        every = max(self.full_walk_every, timedelta(seconds=1))
        return int(pages * min(1.0, self.at_most_every / every))


@dataclass(frozen=True, slots=True)
class Decision:
    """How a head walk goes on.

    Attributes:
        down_to: Down to here; None: not at all.
        to_the_end: As a full walk.
        accounts: Beside it these are walked in full, first the one to which most is owed.
    """

    down_to: datetime | None = None
    to_the_end: bool = False
    accounts: tuple[str, ...] = ()


def decide(
    walk: Walk, missing: Collection[Unread], unread: Collection[Unread], budget: Budget
) -> Decision:
    """How a head walk goes on.

    Args:
        walk: The walk, so far.
        missing: Chats that the table has as unread, and that nothing in the run has listed.
        unread: Those and all others that the table has as unread.
        budget: How often full walks may be called for.
    """
    limit, of_all = walk.filters.limit, walk.account_id is None
    reach = walk.chats + READ_ON_PAGES * limit
    near = [
        chat.timestamp
        for chat in missing
        if chat.timestamp and (chat.place if of_all else chat.place_in_account) <= reach
    ]
    if near and walk.plan.down_to is None:
        return Decision(down_to=min(near))
    may_end = budget.allows(walk.before.full_walk_at, walk.started_at)
    if not of_all:
        return Decision(to_the_end=bool(missing) and may_end)
    accounts, pages = _accounts_to_walk(walk, missing, unread, budget)
    left = max((chat.rows for chat in unread), default=0) - walk.chats
    if accounts and may_end and pages >= _pages(left, limit):
        return Decision(to_the_end=True)
    return Decision(accounts=accounts)


def _accounts_to_walk(
    walk: Walk, missing: Collection[Unread], unread: Collection[Unread], budget: Budget
) -> tuple[tuple[str, ...], int]:
    """Accounts that may be walked in full, and how many pages they have.

    In `at_most_every` no more than a share of the whole inbox is read so, or one account.
    """
    limit, swept, now = walk.filters.limit, walk.before.swept, walk.started_at
    owed = Counter(chat.account_id for chat in missing if chat.account_id)
    sizes = {c.account_id: _pages(c.rows_of_account, limit) for c in unread if c.account_id}
    recent = [account for account, at in swept.items() if not budget.allows(at, now)]
    last = walk.before.full_walk_at
    all_pages = _pages(max((chat.rows for chat in unread), default=0), limit)
    left = budget.share(all_pages) - sum(sizes.get(account, 1) for account in recent)
    chosen: list[str] = []
    pages = 0
    for account, _ in sorted(owed.items(), key=lambda pair: (-pair[1], pair[0])):
        if not budget.allows(max(filter(None, (last, swept.get(account))), default=None), now):
            continue
        if pages + sizes[account] <= left or not (chosen or recent):
            chosen.append(account)
            pages += sizes[account]
    return tuple(chosen), pages


def _pages(chats: int, limit: int) -> int:
    return max(1, -(-chats // limit))


class Sweeps:
    """The sweeps of one run.

    Args:
        reader: Runs a single walk.
        spool: Where it keeps what it reads.
        budget: How often full walks may be called for.

    Attributes:
        walks: The sweeps that were made.
    """

    def __init__(self, reader: Reader, spool: Spool, budget: Budget) -> None:
        self._reader = reader
        self._spool = spool
        self._budget = budget
        self._unread: Mapping[str | None, Sequence[Unread]] = {}
        self._whole = True
        self._heeded = True
        self._lock = threading.Lock()
        self.walks: list[Walk] = []

    def attach(self, walks: Sequence[Walk], rows: UnreadRows | None) -> None:
        """Let those of the walks that may end at known ground go on from there."""
        heads = [walk for walk in walks if _can_go_on(walk)]
        if not heads or rows is None or (unread := rows.unread(MOST_UNREAD)) is None:
            return
        self._whole = len(unread) < MOST_UNREAD
        for walk in heads:
            mine = [c for c in unread if walk.account_id in (None, c.account_id)]
            self._unread = {**self._unread, walk.account_id: mine}
            walk.at_known_ground = partial(self._goes_on, walk)

    def _goes_on(self, walk: Walk) -> bool:
        """Whether a head walk that has met known ground reads on; its plan says how far."""
        if not (sweep := self._sweep_of(walk)):
            return False
        missing = self._missing(walk, sweep)
        decision = decide(walk, missing, self._unread[walk.account_id], self._budget)
        walk.owing = decision.accounts
        if walk.ground is None:
            walk.ground = walk.progress.last
        if decision.to_the_end:
            walk.plan = plan_full_walk(walk.plan, SEEM_READ)
        elif decision.down_to is not None:
            walk.plan = replace(walk.plan, down_to=decision.down_to)
        elif missing and not decision.accounts:
            logger.info("%d chats seem to have been read; a later walk tells.", len(missing))
        return decision.to_the_end or decision.down_to is not None

    def _sweep_of(self, walk: Walk) -> Walk | None:
        """The walk's sweep, made if it wasn't yet; None where there can be none any more."""
        for sweep in self.walks:
            if sweep.account_id == walk.account_id:
                return sweep
        if not self._heeded:
            return None
        filters = replace(walk.filters, unread=True)
        sweep = self._reader.sweep(Walk(walk.account_id, filters, _SWEEP, None, walk.started_at))
        with self._lock:
            self.walks.append(sweep)
            if "unread" in sweep.unasked and self._heeded:
                self._heeded = False
                logger.warning("The API doesn't heed unread=true: no sweep in this run.")
        return sweep

    def _missing(self, walk: Walk, sweep: Walk) -> list[Unread]:
        """What the table has as unread, and neither the sweep nor the walk has listed.

        Not of accounts that list nothing: they may be away. Nor what the last full walk has found
        missing.
        """
        listed_to = _listed_to(sweep, self._spool)
        if listed_to is None:
            return []
        there = walk.accounts.keys() | sweep.accounts.keys()
        known = walk.before.missing
        asked = {
            chat.id: chat
            for chat in self._unread[walk.account_id]
            if chat.account_id in there
            and (listed_to == _BEGINNING or (chat.timestamp and chat.timestamp > listed_to))
            and chat.id not in known.get(chat.account_id or "", ())
        }
        met = self._spool.find(sweep.number, asked) if asked else set()
        left = asked.keys() - met
        met = self._spool.find(walk.number, left) if left else set()
        return [asked[chat_id] for chat_id in left - met]

    def note_seen(self, walks: Sequence[Walk]) -> None:
        """Say of each sweep down to where all that the table had as unread was listed."""
        if not self.walks:
            return
        numbers = {walk.number for walk in (*walks, *self.walks) if walk.error is None}
        listed = pa.concat_tables(self._spool.keys(numbers).values())["id"].combine_chunks()
        gone = {c for walk in walks for verdict in walk.verdicts.values() for c in verdict.gone}
        for sweep in self.walks:
            if sweep.error:
                continue
            of_unit = self._unread[sweep.account_id]
            ids = pa.array([chat.id for chat in of_unit], TEXT)
            met = pc.is_in(ids, listed).to_pylist()
            pairs = zip(of_unit, met, strict=True)
            left = [chat.timestamp for chat, was in pairs if not was and chat.id not in gone]
            left += [] if self._whole or not of_unit else [of_unit[-1].timestamp]
            sweep.saw_unread_down_to = max(filter(None, left), default=_BEGINNING)


def _can_go_on(walk: Walk) -> bool:
    """Whether it ends at known ground, in a list that nothing narrows."""
    plan = walk.plan
    ends = plan.kind is Kind.HEAD and plan.stop is not None
    return ends and plan.since is None and not walk.filters.scope()


def _listed_to(sweep: Walk, spool: Spool) -> datetime | None:
    """Down to which activity a sweep listed what is unread; None: it is no evidence."""
    ids = spool.keys({sweep.number})[sweep.number]["id"]
    if len(ids.unique()) < sweep.chats:
        return None  # it failed, the list moved, or wasn't of what was asked for
    if sweep.to_the_end:
        return _BEGINNING
    return sweep.progress.last if sweep.progress.newest_first else None
