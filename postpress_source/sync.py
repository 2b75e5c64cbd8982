"""One run: plan the walks, read them all, and only then hand rows, ledger and state to dlt.

All of it lands in one load package, together or not at all. To be used inside the running resource.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dlt
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from postpress_source.api.client import PostpressClient
from postpress_source.arguments import Filters, Window
from postpress_source.chats.tables import in_window
from postpress_source.errors import PostpressArgumentError, PostpressContractError
from postpress_source.landing.ledger import ledger
from postpress_source.landing.merge import Landing
from postpress_source.landing.repair import Standing, look, remember_load
from postpress_source.landing.table import Table
from postpress_source.walks.plan import Plan, plan_backfill, plan_full_walk, plan_walk
from postpress_source.walks.reader import OnPage, Reader
from postpress_source.walks.reading import Reading, memories_after
from postpress_source.walks.spool import Spool
from postpress_source.walks.walk import Walk
from postpress_source.walks.watermark import (
    ALL_VISIBLE,
    Memory,
    forget_heads,
    read_memories,
    run_watermark,
    upgrade,
    write_memories,
)

_LOST: Final = "the last load isn't in this destination"
_DOUBLED: Final = "rows landed twice: a load was cut off"


class Sync:
    """A run of the resource `chats`.

    Args:
        client: Where pages come from; closed when the run ends.
        filters: What to read.
        scope: The name under which it is remembered how far these filters are known.
        lookback: How far behind the watermark a head walk reads again.
        full_walk_every: When a full walk is due.
        parallel: How many accounts are walked at once, at most.
    """

    def __init__(
        self,
        client: PostpressClient,
        filters: Filters,
        scope: str,
        lookback: timedelta,
        full_walk_every: timedelta,
        parallel: int,
    ) -> None:
        self._client = client
        self._filters = filters
        self._scope = scope
        self._lookback = lookback
        self._full_walk_every = full_walk_every
        self._parallel = parallel

    def run(self, timestamp: dlt.sources.incremental[datetime]) -> Iterator[Any]:
        """The items to yield to dlt; state is written, and the watermark moved, at the end."""
        window = Window.of(timestamp)
        _advance(timestamp, None)  # no filter of dlt's: a new account is older than the watermark
        state, load_id = dlt.current.resource_state(), _load_id()
        table, now = Table(), datetime.now(UTC)
        with closing(Spool()) as spool, closing(self._client):
            upgrade(state, self._filters.scope(), self._scope)
            standing = look(state, table, may_walk=window.end is None)
            if standing.lost:
                state.pop("scopes", None)
            landing = Landing(load_id, no_table=standing.no_table, replaces=standing.doubles > 0)
            landing.create_again(standing.dropped)
            table.filtered = landing.has_steps
            walks = self.plan(read_memories(state, self._scope), window, now, standing)
            reading = Reading(
                Reader(self._client, spool, _on_page()),
                spool,
                table if landing.can_delete else None,
                self._parallel,
                self._client.close,
                _on_walk,
            )
            walks = reading.run(walks)
            if window.end is not None or landing.replaces_all:
                _refuse_holes(walks)
            after = {} if window.end else memories_after(walks, now, start=window.start)
            tables = (in_window(rows, window.start, window.end) for rows in spool.tables())
            yield from landing.hand_over(rows for rows in tables if rows.num_rows)
            yield from landing.hand_over_gone(
                {
                    gone
                    for walk in walks
                    for verdict in walk.verdicts.values()
                    for gone in verdict.gone
                }
            )
            if landing.rows:
                remember_load(state, load_id, landing.rows if landing.appends else {})
            yield landing.hand_over_ledger(self._ledger(walks, after, load_id))
        if window.end is not None:
            forget_heads(state)
            return
        write_memories(state, self._scope, after)
        _advance(timestamp, run_watermark(after.values()))

    def plan(
        self, memories: Mapping[str, Memory], window: Window, now: datetime, standing: Standing
    ) -> list[Walk]:
        """The walks to begin with: one an account, or one of all visible ones."""
        units = self._filters.account_ids or (ALL_VISIBLE,)
        return [
            Walk(
                unit or None,
                self._filters,
                self._plan(memories.get(unit), window, now, standing),
                memories.get(unit),
                now,
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
        if standing.lost or standing.walk:
            return plan_full_walk(plan, _LOST if standing.lost else _DOUBLED)
        return plan

    def _ledger(self, walks: Sequence[Walk], after: Mapping[str, Memory], load_id: str) -> Any:
        rows = [(walk, after.get(walk.account_id or ALL_VISIBLE)) for walk in walks]
        return ledger(rows, self._filters.scope(), load_id)


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


def _load_id() -> str:
    """The load package of the run; empty where the source is iterated without a pipeline.

    Raises:
        PostpressArgumentError: Another source of this package is in it.
    """
    try:
        package = dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        return ""
    mine: dict[str, Any] = package["state"]  # type: ignore[assignment]  # open to other keys
    if mine.setdefault("postpress_source", source := id(dlt.current.source())) != source:
        raise PostpressArgumentError(
            "Two PostPress sources are in one run, where their rows would be taken for doubles",
            next_step="Run them one after the other: pipeline.run(one), then pipeline.run(other).",
        )
    return str(package["load_id"])


def _on_page() -> OnPage:
    """Tells dlt's progress collector of each page; from any thread."""
    collector = dlt.current.pipeline().collector
    lock = threading.Lock()

    def on_page(chats: int) -> None:
        with lock:
            collector.update("pages read")
            collector.update("chats read", chats)

    return on_page


def _on_walk(walks: int) -> None:
    dlt.current.pipeline().collector.update("accounts walked", total=walks)
