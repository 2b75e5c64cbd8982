"""All walks of one run: side by side, those that they call for, and what is gone.

No dlt: the table that the rows are in is passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.arguments import MAX_LIMIT, Filters
from postpress_source.walks.gone import Evidence, SecondLook, judge
from postpress_source.walks.missing import counts_of, missing_of, refuse_losses
from postpress_source.walks.plan import (
    Kind,
    Plan,
    accounts_to_walk,
)
from postpress_source.walks.reader import MOST_LEFT_OUT, Reader
from postpress_source.walks.side_by_side import run_side_by_side
from postpress_source.walks.spool import Spool
from postpress_source.walks.sweep import SEEM_READ, Sweeps, Unread
from postpress_source.walks.walk import Walk, all_failed
from postpress_source.walks.watermark import Memory

logger = logging.getLogger("postpress_source")

_MOST_HEADS: Final = 100
"""Head walks of one run that are compared with the table: one query takes no more."""
_SECOND_LOOK: Final = Plan(Kind.FULL, "chats seem to be gone")
_THEY_STAY: Final = "They stay until the next full walk says the same"
_SHARED: Final = "They stay while another API key of this pipeline lists this account, too"
_AGAIN: Final = Plan(Kind.HEAD, "what was active while the list was read")


class Rows(Protocol):
    """The rows that a table has."""

    def keys(self, accounts: Collection[str], account_type: str | None) -> pa.Table | None:
        """`id` and `account_id` of the rows of these accounts, of this type where one is given.

        None if it can't be asked.
        """

    def all(self) -> pa.Table | None:
        """`id` and `account_id` of every row; None if it can't be asked."""

    def active_after(
        self, ends: Sequence[tuple[str | None, datetime | None]]
    ) -> Sequence[Mapping[str, datetime]] | None:
        """For each account (None: all) the ids of its rows with a later `timestamp`, and that."""

    def unread(self, most: int) -> Sequence[Unread] | None:
        """So many of the rows of unread chats, the newest first; None if it can't be asked."""


@dataclass(frozen=True)
class Reading:
    """Reads walks, and finds out what is gone.

    Args:
        reader: Runs a single walk.
        spool: Where it keeps what it reads.
        rows: What the table has; None: nothing can be asked, or nothing can be deleted.
        parallel: How many accounts are walked at once, at most.
        stop: Ends the walks in other threads.
        on_walk: Told of each of several walks that has ended, with their number.
        sweeps: What makes head walks read on for chats that were read; None: nothing does.
        again: Whether the top of each list is read again at last: where rows are replaced, a chat
            that jumped over the reader has none that stays.
        shared: Accounts of which another workspace may list more.
    """

    reader: Reader
    spool: Spool
    rows: Rows | None
    parallel: int
    stop: Callable[[], None]
    on_walk: Callable[[int], None] = lambda walks: None
    sweeps: Sweeps | None = None
    again: bool = False
    shared: Collection[str] = ()

    def run(self, walks: Sequence[Walk]) -> list[Walk]:
        """The walks, run, and those beside them that a walk of all visible accounts calls for.

        Raises:
            PostpressError: The run can't go on, or nothing could be read.
        """
        if self.sweeps:
            self.sweeps.attach(walks, self.rows)
        self._run_all(walks)
        beside = [walk for first in walks[:1] for walk in _walks_beside(first)]
        self._run_all(beside)
        walks = [*walks, *beside]
        if self.again:
            self._refuse_losses(walks, self._read_again(walks))
        errors = [walk.error for walk in walks if walk.error]
        if len(errors) == len(walks):
            raise all_failed(errors)
        self._judge(walks)
        self._compare_heads(walks)
        if self.sweeps:
            self.sweeps.note_seen(walks)
        return walks

    def _run_all(self, walks: Sequence[Walk]) -> None:
        """Run walks side by side; the first error that isn't one account's own ends them all."""

        def on_end() -> None:
            if len(walks) > 1:
                self.on_walk(len(walks))

        run_side_by_side(self.reader.run, walks, self.parallel, self.stop, on_end)

    def _read_again(self, walks: Sequence[Walk]) -> list[Walk]:
        """Read what was active since each walk's first page; what ails that ails the walk."""
        looks = [
            (walk, replace(_AGAIN, watermark=walk.top, stop=walk.top))
            for walk in walks
            if walk.error is None and walk.top and walk.pages > 1
        ]
        runs = [Walk(of.account_id, of.filters, plan, None, of.started_at) for of, plan in looks]
        self._run_all(runs)
        for (walk, _), look in zip(looks, runs, strict=True):
            walk.traffic.add(look.traffic)
            walk.finished_at, walk.error = look.finished_at, look.error
            walk.unasked += look.unasked
            walk.repeats += look.repeats
        return runs

    def _refuse_losses(self, walks: Sequence[Walk], again: Sequence[Walk]) -> None:
        """Don't let replacing take away what isn't listed, as far as that is no proof."""
        if not all(walk.complete for walk in walks):
            return  # which is refused in any case, and says more
        rows = self.rows.all() if self.rows and walks[0].asks_for_all else None
        if rows is not None:
            listed = self.spool.keys({walk.number for walk in (*walks, *again)})
            named = {walk.account_id for walk in walks} - {None}
            refuse_losses(rows, pa.concat_tables(listed.values()), named)

    # --- what is gone ----------------------------------------------------------------------------

    def _judge(self, walks: Sequence[Walk]) -> None:
        """Give each walk that read accounts whole its verdicts on them."""
        whole = [(walk, account) for walk in walks for account in sorted(walk.whole)]
        left_out = {chat_id for walk in walks for chat_id in walk.left_out}
        too_many = any(len(walk.left_out) >= MOST_LEFT_OUT for walk in walks)
        if not whole or self.rows is None or too_many:
            return
        rows = self.rows.keys({account for _, account in whole}, walks[0].filters.account_type)
        if rows is None:
            return
        if not rows.num_rows:  # nothing can be missing; the ids of a whole first load are many
            for walk, account in whole:
                walk.saw[account] = True
            return
        swept = self.sweeps.walks if self.sweeps else ()
        # what any walk of the run has listed lands, so it isn't gone yet
        landing = [walk.number for walk in (*walks, *swept) if walk.error is None]
        listed = self.spool.keys(landing)
        missing = missing_of(rows, pa.concat_tables(listed.values()))
        counts = counts_of(rows)
        found = [
            Evidence(
                whole=True,
                listed=walk.accounts[account],
                rows=counts.get(account, 0),
                missing=frozenset(missing.get(account, set()) - left_out),
                missing_before=walk.before.missing.get(account),
            )
            for walk, account in whole
        ]
        asked = zip(whole, found, strict=True)
        looks = [
            _look(*of, known) if known.calls_for_second_look and of[1] not in self.shared else None
            for of, known in asked
        ]
        self._run_all([look for look in looks if look])
        again = self.spool.keys({look.number for look in looks if look})
        for (walk, account), known, look in zip(whole, found, looks, strict=True):
            second = None
            if look is not None:
                walk.traffic.add(look.traffic)
                walk.finished_at = look.finished_at  # what is gone was listed no later
                self.spool.drop(look.number)  # it lands nothing
                second = _compare(walk, listed[walk.number], look, again[look.number], known)
            self._decide(walk, account, replace(known, second_look=second))
            walk.saw[account] = known.missing == walk.verdicts[account].gone

    def _compare_heads(self, walks: Sequence[Walk]) -> None:
        """Find out of head walks whether they listed all that the table has above their end."""
        heads = [walk for walk in walks if walk.is_head and walk.progress.last]
        if self.rows is None or not 0 < len(heads) <= _MOST_HEADS:
            return
        ends = [(walk.account_id, walk.progress.last) for walk in heads]
        rows = self.rows.active_after(ends)
        listed = self.spool.keys({walk.number for walk in heads})
        for walk, of_walk in zip(heads, rows or [], strict=False):
            met = set(listed[walk.number]["id"].to_pylist())
            left = [at for chat_id, at in of_walk.items() if chat_id not in met]
            if walk.progress.last is not None:
                walk.saw_down_to = max((walk.progress.last, *left))

    def _decide(self, walk: Walk, account: str, evidence: Evidence) -> None:
        verdict = judge(evidence)
        walk.verdicts[account] = verdict
        if verdict.kept:
            logger.warning(
                "Account %s: %d of its %d rows aren't listed any more, which isn't proved to be "
                "for good. %s.",
                account,
                len(verdict.kept),
                evidence.rows,
                self._what_becomes_of(account),
            )

    def _what_becomes_of(self, account: str) -> str:
        if self.again:
            return "Replacing takes them away"
        return _SHARED if account in self.shared else _THEY_STAY


def _look(walk: Walk, account: str, known: Evidence) -> Walk:
    """A second look at an account that a walk has read.

    At once where one page may hold it all. Else with smaller pages than came, and others each time:
    a chat that the API skips between two pages would be skipped again.
    """
    size = walk.first_page or walk.filters.limit
    capped = walk.pages > 1 and size < walk.filters.limit
    if max(known.rows, known.listed) <= MAX_LIMIT and not capped:
        return Walk(account, Filters(limit=MAX_LIMIT), _SECOND_LOOK, None, walk.started_at)
    chance = Random(walk.started_at.timestamp())  # noqa: S311 - the same for the same run
    limit = chance.randint(max(1, size // 2), max(1, size * 5 // 6))
    filters = Filters(limit=limit if limit < size else 2)
    return Walk(account, filters, _SECOND_LOOK, None, walk.started_at)


def _compare(
    walk: Walk, listed: pa.Table, look: Walk, again: pa.Table, known: Evidence
) -> SecondLook | None:
    """What a second look showed of an account; None if it couldn't be read."""
    if look.error and look.account_id:
        walk.sick.add(look.account_id)
    if look.error or not look.to_the_end:
        return None
    if look.pages > 1 and look.first_page > look.filters.limit:
        return None  # so its pages end where they please
    found = again["id"].combine_chunks()
    mine = listed.filter(pc.equal(listed["account_id"], look.account_id))
    lost = pc.sum(pc.invert(pc.is_in(mine["id"], found))).as_py() or 0
    return SecondLook(known.missing.intersection(found.to_pylist()), lost, look.pages == 1)


def _walks_beside(walk: Walk) -> list[Walk]:
    """Full walks of accounts that a walk of all visible ones calls for."""
    if walk.account_id is not None or walk.kind is Kind.BACKFILL or not walk.complete:
        return []
    reasons = accounts_to_walk(walk.memory, walk.accounts, to_the_end=walk.to_the_end)
    if not walk.to_the_end:
        reasons = dict.fromkeys(walk.owing, SEEM_READ) | reasons
    before = {account: walk.before.missing.get(account) for account in reasons}
    return [
        Walk(
            account,
            walk.filters,
            Plan(Kind.FULL, reason, lookback=walk.plan.lookback, since=walk.plan.since),
            Memory(missing={account: n}) if (n := before[account]) else None,
            walk.started_at,
        )
        for account, reason in reasons.items()
    ]
