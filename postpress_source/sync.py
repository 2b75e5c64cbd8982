"""One run: plan the walks, read them all, and only then hand rows, ledger and state to dlt.

All of it lands in one load package, together or not at all. To be used inside the running resource.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from postpress_source.api.client import PostpressClient
from postpress_source.arguments import Filters, Window
from postpress_source.chats.tables import in_window
from postpress_source.errors import PostpressAccountError
from postpress_source.landing.ledger import ledger
from postpress_source.landing.merge import Landing
from postpress_source.landing.repair import look, remember_load
from postpress_source.walks.plan import (
    Kind,
    Plan,
    accounts_to_walk,
    kind_of,
    plan_backfill,
    plan_replacement,
    plan_walk,
    remember,
    remember_failure,
    shrunken_accounts,
)
from postpress_source.walks.reader import OnPage, Reader, Walk
from postpress_source.walks.spool import Spool
from postpress_source.walks.watermark import (
    ALL_VISIBLE,
    Memory,
    forget_heads,
    read_memories,
    run_watermark,
    write_memories,
)

logger = logging.getLogger("postpress_source")


class Sync:
    """A run of the resource `chats`.

    Args:
        client: Where pages come from; closed when the run ends.
        filters: What to read.
        lookback: How far behind the watermark a head walk reads again.
        full_walk_every: When a full walk is due.
        parallel: How many accounts are walked at once, at most.
    """

    def __init__(
        self,
        client: PostpressClient,
        filters: Filters,
        lookback: timedelta,
        full_walk_every: timedelta,
        parallel: int,
    ) -> None:
        self._client = client
        self._filters = filters
        self._lookback = lookback
        self._full_walk_every = full_walk_every
        self._parallel = parallel

    def run(self, timestamp: dlt.sources.incremental[datetime]) -> Iterator[Any]:
        """The items to yield to dlt; state is written, and the watermark moved, at the end."""
        window = Window.of(timestamp)
        _advance(timestamp, None)  # no filter of dlt's: a new account is older than the watermark
        state = dlt.current.resource_state()
        scope = self._filters.scope(window.start if window.end is None else None)
        memories = read_memories(state, scope)
        now = datetime.now(UTC)
        with closing(Spool()) as spool, closing(self._client):
            standing = look(state, may_walk=window.end is None)
            table_exists = "chats" in dlt.current.source_schema().tables
            reader = Reader(
                self._client, spool, self._filters, _report(), table_exists=table_exists
            )
            walks = self._read(reader, memories, window, now, doubled=standing.walk)
            after = {} if window.end else _memories_after(walks, now)
            load_id = _load_id()
            landing = Landing(load_id, no_table=standing.no_table, replaces=standing.doubles > 0)
            tables = (in_window(table, window.start, window.end) for table in spool.tables())
            yield from landing.hand_over(table for table in tables if table.num_rows)
            if landing.rows:
                remember_load(state, load_id, landing.rows if landing.appends else {})
            for walk in walks:
                walk.whole = self._wholly_read(walk, window, spool.drifted)
            yield landing.hand_over_ledger(_ledger(walks, after, scope, load_id))
        landing.finish(self._whole_accounts(walks, window, spool.drifted))
        if window.end is not None:
            forget_heads(state)
            return
        write_memories(state, scope, after)
        _advance(timestamp, run_watermark(after.values()))

    def _read(
        self,
        reader: Reader,
        memories: dict[str, Memory],
        window: Window,
        now: datetime,
        *,
        doubled: bool = False,
    ) -> list[Walk]:
        units = self._filters.account_ids or (ALL_VISIBLE,)
        walks = [self._walk(unit, memories.get(unit), window, now) for unit in units]
        if doubled:
            for walk in walks:
                walk.plan = plan_replacement(walk.plan)
        _run_all(reader, self._client, walks, self._parallel)
        if not self._filters.account_ids:
            walks[0].unsure = _unsure_accounts(reader, walks[0])
            walks += self._read_accounts_beside(reader, walks[0], now)
        sick = [walk.error for walk in walks if walk.error]
        if len(sick) == len(walks):
            raise _all_sick(sick)
        return walks

    def _walk(self, unit: str, memory: Memory | None, window: Window, now: datetime) -> Walk:
        if window.end is not None and window.start is not None:
            plan = plan_backfill(memory, window.start, self._lookback)
        else:
            plan = plan_walk(
                memory,
                now,
                lookback=self._lookback,
                full_walk_every=self._full_walk_every,
                start=window.start,
            )
        return Walk(unit or None, plan, memory, now)

    def _read_accounts_beside(self, reader: Reader, walk: Walk, now: datetime) -> list[Walk]:
        """Walks of accounts that a head walk of all visible ones met and had never read."""
        if walk.plan.kind is Kind.BACKFILL:
            return []
        reasons = accounts_to_walk(walk.memory, walk.accounts, to_the_end=walk.to_the_end)
        walks = [
            Walk(account, Plan(Kind.FULL, reason, lookback=self._lookback), None, now)
            for account, reason in reasons.items()
        ]
        _run_all(reader, self._client, walks, self._parallel)
        return walks

    def _whole_accounts(self, walks: Iterable[Walk], window: Window, drifted: set[int]) -> set[str]:
        """Accounts of which every chat has been handed over, by all walks together."""
        return {name for walk in walks for name in self._wholly_read(walk, window, drifted)}

    def _wholly_read(self, walk: Walk, window: Window, drifted: set[int]) -> frozenset[str]:
        """Accounts of which every chat has been handed over: what else the table has is gone.

        Only a full walk is evidence enough, and only one that didn't see the list move. An account
        that lists no chat at all isn't one of them: it may be coming back.
        """
        if not self._filters.lists_whole_accounts or window.start is not None:
            return frozenset()
        full = kind_of(walk.plan, walk.progress) is Kind.FULL and walk.to_the_end
        if not full or walk.numbers & drifted or walk.error or walk.unchanged:
            return frozenset()
        return frozenset(walk.accounts.keys() - walk.unsure)


def _unsure_accounts(reader: Reader, walk: Walk) -> frozenset[str]:
    """Accounts that a walk of all visible ones may have read only in part."""
    if not walk.to_the_end or walk.plan.kind is Kind.BACKFILL:
        return frozenset()
    shrunken = shrunken_accounts(walk.memory, walk.accounts)
    return frozenset(account for account in shrunken if not reader.is_well(account, walk))


def _run_all(reader: Reader, client: PostpressClient, walks: Sequence[Walk], parallel: int) -> None:
    """Run walks side by side; the first error that isn't one account's own ends them all."""
    if len(walks) == 1:
        reader.run(walks[0])
    if len(walks) < 2:
        return
    pool = ThreadPoolExecutor(min(parallel, len(walks)), "postpress-walk")
    try:
        running = [pool.submit(reader.run, walk) for walk in walks]
        collector = dlt.current.pipeline().collector
        for future in as_completed(running):
            future.result()
            collector.update("accounts walked", total=len(walks))
    except BaseException:
        client.close()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _advance(timestamp: dlt.sources.incremental[datetime], watermark: datetime | None) -> None:
    """Set the incremental's state; None leaves it, and lets all rows through, too."""
    timestamp.advance(watermark)  # type: ignore[arg-type]  # dlt documents None


def _memories_after(walks: Sequence[Walk], now: datetime) -> dict[str, Memory]:
    """What each unit remembers after the run; accounts beside "all visible" belong to it."""
    first = walks[0]
    if first.account_id is not None:
        return {walk.account_id or ALL_VISIBLE: _memory_after(walk, now) for walk in walks}
    beside = {walk.account_id: walk.error for walk in walks[1:] if walk.account_id}
    memory = _memory_after(first, now)
    failed = frozenset(account for account, error in beside.items() if error) | first.unsure
    return {
        ALL_VISIBLE: replace(
            memory,
            head="" if first.unsure else memory.head,  # the table isn't what was listed
            accounts=(memory.accounts | beside.keys()) - failed,
            owed=(memory.owed - beside.keys()) | failed,
        )
    }


def _memory_after(walk: Walk, now: datetime) -> Memory:
    if walk.error:
        return remember_failure(walk.memory)
    return remember(
        walk.memory,
        walk.plan,
        walk.progress,
        now,
        to_the_end=walk.to_the_end,
        head=walk.head,
        seen=walk.accounts if walk.account_id is None else None,
    )


def _ledger(walks: Sequence[Walk], after: dict[str, Memory], scope: str, load_id: str) -> Any:
    rows = [(walk, after.get(walk.account_id or ALL_VISIBLE)) for walk in walks]
    return ledger(rows, scope, load_id)


def _load_id() -> str:
    """The load package of the run; empty where the source is iterated without a pipeline."""
    try:
        return str(dlt.current.load_package_state()["load_id"])
    except CurrentLoadPackageStateNotAvailable:
        return ""


def _all_sick(errors: Sequence[PostpressAccountError]) -> PostpressAccountError:
    if len(errors) == 1:
        return errors[0]
    each = "; ".join(f"{error.account_id}: {error.error_type or error.status}" for error in errors)
    return PostpressAccountError(
        f"None of the {len(errors)} accounts could be read ({each})",
        status=errors[0].status,
        error_type=errors[0].error_type,
        next_step=errors[0].next_step,
    )


def _report() -> OnPage:
    """Tells dlt's progress collector of each page; from any thread."""
    collector = dlt.current.pipeline().collector
    lock = threading.Lock()

    def on_page(chats: int) -> None:
        with lock:
            collector.update("pages read")
            collector.update("chats read", chats)

    return on_page
