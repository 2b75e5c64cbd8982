"""A warehouse without HTTP and dlt: the real reader, spool and decisions over a world's own pages.

Replaced are the two edges: pages come from `World.page` instead of a socket, and rows land in a
dict instead of a database, as the merge would land them: upsert by id, and what is gone goes.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pyarrow as pa

from postpress_source.api.client import PostpressClient, RetrySettings, _Answer
from postpress_source.api.refusals import Place
from postpress_source.arguments import Filters, Window, check_filters
from postpress_source.chats.tables import in_window
from postpress_source.errors import PostpressUnavailableError
from postpress_source.landing.repair import Standing
from postpress_source.sandbox import ApiError, World
from postpress_source.sandbox.query import read_query
from postpress_source.sync import Sync, _refuse_holes
from postpress_source.walks.remember import memories_after, returned
from postpress_source.walks.spool import KEYS, Spool
from postpress_source.walks.sweep import Budget, Unread
from postpress_source.walks.walk import Walk
from postpress_source.walks.watermark import read_memories, write_memories
from tests.proof.happenings import LOOKBACK
from tests.proof.listing import Order, Row, Trouble

SCOPE = "proof"


def filters_of(order: Order, limit: int) -> Filters:
    """As the source checks them."""
    return check_filters(
        account_id=order.account_ids or None,
        account_type=order.account_type,
        unread=order.unread,
        before=order.before,
        after=order.after,
        limit=limit,
    )


class WorldClient(PostpressClient):
    """The client, with the world itself at the end of the wire."""

    def __init__(self, world: World, trouble: Trouble) -> None:
        super().__init__("http://127.0.0.1/v1", "pp_live_proof", RetrySettings(max_attempts=1))
        self._world = world
        self._trouble = trouble
        self._refused = ""  # the cursor, which isn't taken without the filters either
        self.requests = self.received = 0

    def _send(self, url: str, place: Place) -> _Answer:
        self.requests += 1
        if self.requests == self._trouble.fails:
            raise PostpressUnavailableError("the network is down")
        token = dict(_query_of(url)).get("cursor", "")
        refused_again = token == self._refused
        self._refused = token if self.requests in self._trouble.refused else ""
        if token and (self._refused or refused_again):
            return _refusal(ApiError("errors/invalid_parameters", "cursor: refused"))
        answer = answer_of(self._world, url)
        self.received += len(answer.body) if answer.status == 200 else 0
        return answer


def answer_of(world: World, url: str) -> _Answer:
    """What a world answers to a request."""
    try:
        page = world.page(read_query(_query_of(url), world.options))
    except ApiError as error:
        return _refusal(error)
    return _Answer(200, {}, page.body())


def _query_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def _refusal(error: ApiError) -> _Answer:
    return _Answer(error.status, {}, msgspec.json.encode(error.body("flat", "r")))


class Warehouse:
    """Rows by chat id, and the state that lands with them."""

    def __init__(self, world: World, limit: int, clock_ahead: timedelta = timedelta(0)) -> None:
        self.world = world
        self.rows: dict[str, Row] = {}
        self.state: dict[str, Any] = {}
        self.sweeps: list[Walk] = []
        self.received = 0
        """Bytes, of all pages of all runs."""
        self._limit = limit
        self._ahead = clock_ahead

    def run(self, order: Order) -> list[Walk]:
        """One run, as `Sync.run` does it; an error changes nothing."""
        filters = filters_of(order, self._limit)
        client = WorldClient(self.world, order.trouble)
        every = order.full_walk_every
        budget = None if order.sweep is None else Budget(order.sweep, every)
        sync = Sync(client, filters, SCOPE, LOOKBACK, every, budget, 1, None)
        window = Window(order.start, order.end)
        state = copy.deepcopy(self.state)
        scope = filters.scope()
        memories, now = read_memories(state, scope), self.world.now + self._ahead
        with closing(Spool()) as spool:
            walks = sync.plan(memories, window, now, Standing(), now)
            walks, self.sweeps = sync.read(spool, walks, self)
            if window.end is not None:
                _refuse_holes(walks)
            after = memories_after(walks, now)
            after |= returned(memories | after, walks, spool)
            tables = [in_window(table, window.start, window.end) for table in spool.tables()]
        handed = {row["id"]: row for table in tables for row in table.to_pylist()}
        gone = {c for walk in walks for verdict in walk.verdicts.values() for c in verdict.gone}
        assert not gone & handed.keys(), "what has just been listed is not gone"
        self.land(now, handed, gone, walks)
        if window.end is None:
            write_memories(state, scope, after)
        self.state = json.loads(json.dumps(state))
        self.received += client.received
        return walks

    def land(
        self, now: datetime, handed: Mapping[str, Row], gone: Collection[str], walks: list[Walk]
    ) -> None:
        """As the merge would: what the run `walks` at `now` has listed, and what is gone."""
        for chat_id in gone:
            self.rows.pop(chat_id, None)
        self.rows.update(handed)

    # --- what a run asks of the table ------------------------------------------------------------

    def keys(self, accounts: Collection[str], account_type: str | None) -> pa.Table:
        """As `landing.table.Table` gives them."""
        rows = [
            {"id": row["id"], "account_id": row["account_id"]}
            for row in self.rows.values()
            if row["account_id"] in accounts and account_type in (None, row["account_type"])
        ]
        return pa.Table.from_pylist(rows, KEYS)

    def all(self) -> pa.Table:
        """As `landing.table.Table` gives them."""
        rows = [{"id": row["id"], "account_id": row["account_id"]} for row in self.rows.values()]
        return pa.Table.from_pylist(rows, KEYS)

    def active_after(
        self, ends: Sequence[tuple[str | None, datetime | None]]
    ) -> list[dict[str, datetime]]:
        """As `landing.table.Table` gives them."""
        return [
            {
                row["id"]: row["timestamp"]
                for row in self.rows.values()
                if account in (None, row["account_id"])
                and row["timestamp"] is not None
                and end is not None
                and row["timestamp"] > end
            }
            for account, end in ends
        ]

    def unread(self, most: int) -> list[Unread]:
        """As `landing.table.Table` gives them."""
        return unread_of(self.rows.values())[:most]


def unread_of(rows: Collection[Row]) -> list[Unread]:
    """Those of the rows that are unread, newest first, with their places among all."""
    sizes, places = Counter(row["account_id"] for row in rows), Counter[str]()
    found = []
    newest = sorted(rows, key=lambda row: row["timestamp"] or _NEVER, reverse=True)
    for place, row in enumerate(newest, 1):
        account = row["account_id"]
        places[account] += 1
        if row["unread_count"]:
            of_account = places[account], len(rows), sizes[account]
            found.append(Unread(row["id"], account, row["timestamp"], place, *of_account))
    return found


_NEVER = datetime.min.replace(tzinfo=UTC)
