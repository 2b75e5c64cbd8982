"""One run: plan the walks, read them all, and only then hand rows, ledger and state to dlt.

All of it lands in one load package, together or not at all. To be used inside the running resource.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dlt
import pyarrow as pa

from postpress_source.api.client import PostpressClient
from postpress_source.arguments import Filters, Window
from postpress_source.chats.tables import in_window
from postpress_source.errors import PostpressContractError
from postpress_source.landing.hand_over import HandOver
from postpress_source.landing.ledger import accounts, ledger
from postpress_source.landing.mend import mend_history
from postpress_source.landing.package import (
    Package,
    package_of_run,
    refuse_other_dataset,
    tellers,
)
from postpress_source.landing.repair import (
    Standing,
    look_for_last_load,
    remember_load,
)
from postpress_source.landing.shape import Shape
from postpress_source.landing.steps import lands
from postpress_source.landing.table import Known, Table
from postpress_source.landing.texts import texts_of
from postpress_source.walks.plan import (
    Kind,
    Plan,
    plan_backfill,
    plan_full_walk,
    plan_walk,
)
from postpress_source.walks.reader import Reader
from postpress_source.walks.reading import Reading, Rows
from postpress_source.walks.remember import memories_after, remember_failure, returned
from postpress_source.walks.spool import Spool
from postpress_source.walks.sweep import Budget, Sweeps
from postpress_source.walks.walk import Walk
from postpress_source.walks.watermark import (
    ALL_VISIBLE,
    Memory,
    read_memories,
    run_watermark,
    shared_accounts,
    upgrade,
    write_memories,
)

logger = logging.getLogger("postpress_source")

_LOST: Final = "the last load isn't in this destination"
_OVERTAKEN: Final = "an older load has landed after the last one"
_DOUBLED: Final = "rows landed twice: a load was cut off"


class Sync:
    """A run of the resource `chats`.

    Args:
        client: Where pages come from; closed when the run ends.
        filters: What to read.
        scope: The name under which it is remembered how far these filters are known.
        lookback: How far behind the watermark a head walk reads again.
        full_walk_every: When a full walk is due.
        sweep_budget: How often a sweep may call for one; None: there are no sweeps.
        parallel: How many accounts are walked at once, at most.
        history_keep: How long retired versions stay in `chats_history`; None: none is kept.
    """

    def __init__(
        self,
        client: PostpressClient,
        filters: Filters,
        scope: str,
        lookback: timedelta,
        full_walk_every: timedelta,
        sweep_budget: Budget | None,
        parallel: int,
        history_keep: timedelta | None,
    ) -> None:
        self._client = client
        self._filters = filters
        self._scope = scope
        self._lookback = lookback
        self._full_walk_every = full_walk_every
        self._sweep_budget = sweep_budget
        self._parallel = parallel
        self._history_keep = history_keep

    def run(self, timestamp: dlt.sources.incremental[datetime]) -> Iterator[Any]:
        """The items to yield to dlt; state is written, and the watermark moved, at the end."""
        window = Window.of(timestamp)
        _advance(timestamp, None)  # no filter of dlt's: a new account is older than the watermark
        package, now = package_of_run(), datetime.now(UTC)
        with closing(Spool()) as spool, closing(self._client):
            if package is None or not lands():
                yield from self._peek(spool, window, now)
            else:
                yield from self._load(spool, timestamp, window, now, package)

    def _peek(self, spool: Spool, window: Window, now: datetime) -> Iterator[pa.Table]:
        """Chats, without a load that they could land with: no state, no ledger, nothing is gone."""
        self.read(spool, self.plan({}, window, now, Standing(), now), None)
        yield from _in_window(spool, window)

    def _load(
        self,
        spool: Spool,
        timestamp: dlt.sources.incremental[datetime],
        window: Window,
        now: datetime,
        package: Package,
    ) -> Iterator[Any]:
        state = dlt.current.resource_state()
        upgrade(state, self._filters.scope(), self._scope)
        refuse_other_dataset()
        shape = Shape()
        if shape.is_discarded:
            logger.warning("The schema contract discards new tables, so no chat lands.")
            return
        there = Table(shape)
        texts = texts_of(shape, there)
        standing = look_for_last_load(state, there, shape)
        if standing.lost or standing.overtaken:
            state.pop("scopes", None)
        keeps = self._history_keep is not None
        standing = replace(standing, history_begins=_begins(state, standing, keeps=keeps))
        load_id, seen_at = package.load_id, package.date(state, now)
        keep_from = None if self._history_keep is None else now - self._history_keep
        if keep_from is not None:
            doubled = standing.twice_in_history > 0 or standing.overtaken
            mend_history(there, shape, state, keep_from, doubled=doubled, new=standing.no_history)
        shape.describe(
            new=standing.no_table,
            new_history=standing.no_history,
            history=keeps,
        )
        shape.create_again(standing.dropped, load_id)
        empty = package.emptied or (standing.no_table and standing.no_history)
        table = Table(shape, empty=empty, history=keeps, waiting=standing.waiting)
        memories = read_memories(state, self._scope)
        shared = shared_accounts(state, self._scope, now, self._full_walk_every)
        walks = self.plan(memories, window, now, standing, seen_at)
        replaces = shape.disposition == "replace"
        rows = table if shape.can_delete or keeps or replaces else None
        walks, sweeps = self.read(spool, walks, rows, again=replaces, shared=shared)
        if window.end is not None or replaces:
            _refuse_holes(walks)
        after = {} if window.end else memories_after(walks, now)
        landing = HandOver(
            shape,
            table,
            texts,
            load_id,
            seen_at=seen_at if keeps else None,
            everything=standing.lost,
            replaces=standing.doubles > 0,
            known=_known(walks),
        )
        yield from landing.chats(_in_window(spool, window))
        gone = {c for walk in walks for v in walk.verdicts.values() for c in v.gone}
        yield from landing.gone(gone)
        if landing.lost:
            logger.warning("Rows are missing from the table; a full walk is owed.")
            after = {unit: remember_failure(memory) for unit, memory in after.items()}
        if landing.rows:
            remember_load(state, load_id, shape.names.chats, appended=shape.appends)
            state["seen_at"] = seen_at.isoformat()
        rows = ledger(_seen_by(walks, sweeps, after, landing), load_id, keep_from)
        yield from landing.ledger(rows, accounts(walks, load_id))
        if window.end is not None:
            return
        state.pop("doubled", None)
        write_memories(state, self._scope, after | returned(memories | after, walks, spool))
        _advance(timestamp, run_watermark(after.values()))

    def read(
        self,
        spool: Spool,
        walks: list[Walk],
        rows: Rows | None,
        *,
        again: bool = False,
        shared: Collection[str] = (),
    ) -> tuple[list[Walk], list[Walk]]:
        """The walks, run, those beside them, and apart from them the sweeps."""
        on_page, on_walk = tellers()
        reader = Reader(self._client, spool, on_page)
        budget, stop = self._sweep_budget, self._client.close
        sweeps = Sweeps(reader, spool, budget) if budget else None
        reading = Reading(
            reader, spool, rows, self._parallel, stop, on_walk, sweeps, again=again, shared=shared
        )
        return reading.run(walks), sweeps.walks if sweeps else []

    def plan(
        self,
        memories: Mapping[str, Memory],
        window: Window,
        now: datetime,
        standing: Standing,
        started_at: datetime,
    ) -> list[Walk]:
        """The walks to begin with: one an account, or one of all visible ones."""
        units = self._filters.account_ids or (ALL_VISIBLE,)
        return [
            Walk(
                unit or None,
                self._filters,
                self._plan(memories.get(unit), window, now, standing),
                memories.get(unit),
                started_at,
            )
            for unit in units
        ]

    def _plan(
        self, memory: Memory | None, window: Window, now: datetime, standing: Standing
    ) -> Plan:
        if window.end is not None and window.start is not None:
            return plan_backfill(memory, window.start, self._lookback)
        plan = plan_walk(
            memory,
            now,
            lookback=self._lookback,
            full_walk_every=self._full_walk_every,
            start=window.start,
        )
        for ails, reason in (
            (standing.lost, _LOST),
            (standing.overtaken, _OVERTAKEN),
            (standing.doubles, _DOUBLED),
        ):
            if ails:
                return plan_full_walk(plan, reason)
        if memory and standing.history_begins:
            return plan_full_walk(plan, "history begins")
        return plan


def _begins(state: dict[str, Any], standing: Standing, *, keeps: bool) -> bool:
    """Whether history is kept from this run on, and wasn't by the last; notes it in the state."""
    paused = state.pop("no_history", False)
    if not keeps:
        state["no_history"] = True
    return keeps and (paused or standing.no_history)


def _seen_by(
    walks: Sequence[Walk], sweeps: Sequence[Walk], after: Mapping[str, Memory], landing: HandOver
) -> list[tuple[Walk, Memory | None]]:
    """The walks as the ledger says them, with what is remembered after each."""
    for walk in (*walks, *sweeps):
        new = landing.new_of(walk.account_id)
        walk.unchanged = walk.complete and not new
        if not landing.all_in_history:  # it can't say what held at this look
            walk.saw, walk.saw_down_to, walk.saw_unread_down_to = {}, None, None
    rows = [(walk, after.get(walk.account_id or ALL_VISIBLE)) for walk in walks]
    return [*rows, *((sweep, None) for sweep in sweeps)]


def _refuse_holes(walks: Sequence[Walk]) -> None:
    """What a backfill couldn't read no later run fills in; what `replace` couldn't, is deleted."""
    for walk in walks:
        if walk.error:
            raise walk.error
        if walk.doubt:
            raise PostpressContractError(walk.doubt, account_id=walk.account_id)


def _advance(timestamp: dlt.sources.incremental[datetime], watermark: datetime | None) -> None:
    """Set the incremental's state; None leaves it, and lets all rows through, too."""
    timestamp.advance(watermark)  # type: ignore[arg-type]  # dlt documents None


def _known(walks: Sequence[Walk]) -> Known | None:
    """What has been read before, of all that head walks read down to known ground."""
    stops = [walk.plan.stop for walk in walks if walk.kind is Kind.HEAD and walk.complete]
    known = [stop for stop in stops if stop is not None]
    grounds = {walk.account_id: walk.ground for walk in walks if walk.ground is not None}
    return Known(min(known), grounds) if len(known) == len(walks) else None


def _in_window(spool: Spool, window: Window) -> Iterator[pa.Table]:
    tables = (in_window(rows, window.start, window.end) for rows in spool.tables())
    return (rows for rows in tables if rows.num_rows)
