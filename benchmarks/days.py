"""Inboxes that people work in, for thirty days: how soon a change is known, and what that costs.

`make days` plays them, without HTTP and without a destination: the real reader, spool and decisions
over the sandbox's own pages, and the real views over what they leave. It writes days.json, and from
that the table and the picture of docs/guarantees.md.
"""

from __future__ import annotations

import heapq
import json
import logging
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa

from notebooks.sandbox_days import source_clock
from postpress_source.chats.tables import CHATS, TEXT
from postpress_source.chats.versions import VERSION, versions_of, with_texts
from postpress_source.landing.history import versions
from postpress_source.landing.ledger import accounts, ledger
from postpress_source.sandbox import World, generate_world
from postpress_source.walks.walk import Walk
from tests.proof.listing import Order, Row
from tests.proof.warehouse import Warehouse

HERE: Final = Path(__file__).parent
NAMES: Final = ("inbox", "every", "way")
START: Final = datetime.fromisoformat("2026-06-01T00:00:00+00:00")
HOUR: Final = timedelta(hours=1)
FIELDS: Final = {"read": "unread_count", "archived": "archived", "refiled": "folder"}


@dataclass(frozen=True)
class Inbox:
    """An inbox and how lively it is.

    Attributes:
        chats: How many it has at first.
        accounts: In so many accounts, each smaller than the one before.
        messages: So many come on a working day.
        named: Whether each account is walked on its own.
    """

    chats: int
    accounts: int
    messages: int
    named: bool = False


INBOXES: Final = {
    "quiet": Inbox(2_000, 2, 80),
    "busy": Inbox(20_000, 5, 1_500),
    "100 accounts": Inbox(30_000, 100, 1_000),
}
SIZES: Final = {
    f"{chats:,} in {accounts}": Inbox(chats, accounts, chats // 20)
    for accounts in (1, 10, 100)
    for chats in (1_000, 10_000, 100_000)
}
"""Inboxes, each chat of which gets a message in twenty working days: what a day of them costs."""
EVERY: Final = {"15 minutes": HOUR / 4, "hour": HOUR, "6 hours": 6 * HOUR}
DAYS: Final = {"15 minutes": 8, "hour": 30, "6 hours": 30}
"""How many are played; those of 15 minutes are as many runs as those of an hour, nearly."""
WAYS: Final[dict[str, dict[str, Any]]] = {
    "before": {},
    "with the sweep": {"sweep": 6 * HOUR},
    "reading on alone": {"sweep": 24 * HOUR},
    "full walk every 12 hours": {"full_walk_every": 12 * HOUR},
}
OF_HOUR: Final = ("reading on alone", "full walk every 12 hours")
"""Played hourly only, to compare."""


class People:
    """Those who write, and those who read, archive and refile. Quiet at night and at weekends."""

    def __init__(self, world: World, messages: int, seed: int) -> None:
        self._world = world
        self._rng = Random(seed)  # noqa: S311 - no cryptography
        self._messages = messages
        self._numbers = iter(range(10**9))
        self._later: list[tuple[datetime, int, str, str]] = []
        self._recent = [chat["id"] for chat in world.relist()]
        self._next = world.now

    def let_pass(self, time: timedelta) -> None:
        """So much time passes."""
        until = self._world.now + time
        while True:
            at = min([self._next, *(later[0] for later in self._later[:1])])
            if at > until:
                break
            self._world.advance(max(at - self._world.now, timedelta(0)), activity=0)
            if at == self._next:
                self._write(at)
                busy = 1.0 if _at_work(at) else 0.15
                mean = timedelta(hours=14) / self._messages / busy
                self._next = at + mean * self._rng.expovariate(1)
            else:
                self._do(*heapq.heappop(self._later)[2:])
        self._world.advance(until - self._world.now, activity=0)

    def _write(self, at: datetime) -> None:
        """A message comes, in a new chat or one that is the more likely the more recent it is."""
        if self._rng.random() < 0.15:
            account = self._world.chat(self._pick())["account_id"]
            chat = self._world.new_chat(account, unread_count=1)
        else:
            chat = self._pick()
            self._world.receive_message(chat)
            self._recent.remove(chat)
        self._recent.insert(0, chat)
        means = self._rng.choices((2, 12, 96), (60, 30, 10))[0]
        self._plan(at, means, "read", chat)
        if self._rng.random() < 0.05:
            self._plan(at, 4, self._rng.choice(("archive", "refile")), self._pick())
        if self._rng.random() < 0.02:
            self._plan(at, 4, "mark", self._pick())
        if self._rng.random() < 0.005:
            self._plan(at, 4, "delete", self._pick())

    def _do(self, what: str, chat: str) -> None:
        world, now = self._world, self._world.now
        if chat not in world:
            return
        if what == "read":
            world.read(chat)
            if self._rng.random() < 0.25:
                self._plan(now, 1, "archive", chat)
            if self._rng.random() < 0.1:
                self._plan(now, 6, "refile", chat)
        elif what == "archive":
            world.archive(chat, archived=not world.chat(chat)["archived"])
        elif what == "refile":
            world.refile(chat, [self._rng.choice(("INBOX", "later", "done", "sales"))])
        elif what == "mark":
            world.mark_unread(chat)
            self._plan(now, 12, "read", chat)
        else:
            world.delete_chat(chat)
            self._recent.remove(chat)

    def _plan(self, at: datetime, mean_hours: float, what: str, chat: str) -> None:
        """Someone does it some time later, and at work."""
        at += HOUR * mean_hours * self._rng.expovariate(1)
        while not _at_work(at):
            at += HOUR * (0.5 + self._rng.random())
        heapq.heappush(self._later, (at, next(self._numbers), what, chat))

    def _pick(self) -> str:
        rank = math.exp(self._rng.random() * math.log(len(self._recent)))
        chat: str = self._recent[min(int(rank) - 1, len(self._recent) - 1)]
        return chat


def _at_work(at: datetime) -> bool:
    return 7 <= at.hour < 20 and at.weekday() < 5


@dataclass
class Told:
    """What the warehouse has been told, as rows of its tables."""

    rows: list[Row] = field(default_factory=list)
    seen: list[list[datetime | None]] = field(default_factory=list)
    walks: list[pa.Table] = field(default_factory=list)
    accounts: list[pa.Table] = field(default_factory=list)


class Recorder(Warehouse):
    """A warehouse that keeps history and ledger, too."""

    def __init__(self, world: World) -> None:
        super().__init__(world, 250)
        self.told = Told()
        self._current: dict[str, int] = {}
        self.cost = Counter[str]()

    def land(
        self, now: datetime, handed: Mapping[str, Row], gone: Collection[str], walks: list[Walk]
    ) -> None:
        """Besides, note which versions begin and end, and what it cost."""
        changed = [row for chat_id, row in handed.items() if self.rows.get(chat_id) != row]
        for chat_id in [*(row["id"] for row in changed), *gone]:
            if (number := self._current.pop(chat_id, None)) is not None:
                self.told.seen[number][1] = now
        for row in changed:
            self._current[row["id"]] = len(self.told.rows)
            self.told.rows.append(row)
            self.told.seen.append([now, None])
        every = [*walks, *self.sweeps]
        self.told.walks.append(ledger([(walk, None) for walk in every], str(now), None))
        self.told.accounts.append(accounts(walks, str(now)))
        self.cost["requests"] += sum(walk.traffic.requests for walk in every)
        self.cost["sweeps"] += sum(walk.traffic.requests for walk in self.sweeps)
        self.cost["full walks"] += sum(walk.kind == "full" for walk in walks)
        self.cost["rows read"] += sum(walk.chats for walk in every)
        self.cost["rows written"] += len(changed)
        super().land(now, handed, gone, walks)

    def intervals(self) -> dict[str, list[float]]:
        """How wide the intervals of `chat_changes` are, by what happened, in hours."""
        texts = with_texts(pa.Table.from_pylist(self.told.rows, CHATS))
        texts = texts.append_column(VERSION, pa.array(versions_of(texts), TEXT))
        history = versions(texts, START)
        for name, place in (("seen_from", 0), ("seen_until", 1)):
            at = pa.array([seen[place] for seen in self.told.seen], history[name].type)
            history = history.set_column(history.column_names.index(name), name, at)
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            tables = {"chats_history": [history], "chat_walks": self.told.walks}
            for name, parts in {**tables, "chat_walk_accounts": self.told.accounts}.items():
                db.register("told", pa.concat_tables(parts))
                db.execute(f"CREATE TABLE {name} AS FROM told")
            db.execute(
                "CREATE TABLE _dlt_loads AS "
                "SELECT DISTINCT _dlt_load_id AS load_id, 0 AS status FROM chat_walks"
            )
            for view in ("chat_versions", "chat_changes"):
                db.execute((HERE.parent / "postpress_source" / "views" / f"{view}.sql").read_text())
            found: dict[str, list[float]] = {}
            for what, of in FIELDS.items():
                only = "AND new = '0' AND old <> '0'" if what == "read" else ""
                rows = db.execute(
                    'SELECT epoch(until - "after") / 3600 FROM chat_changes '  # noqa: S608
                    f"WHERE field = '{of}' {only} AND \"after\" > ?",
                    [START],
                )
                found[what] = sorted(width for (width,) in rows.fetchall())
            return found


def play(inbox: Inbox, every: timedelta, way: Mapping[str, Any], days: int) -> dict[str, Any]:
    """The days of one inbox, and what is known of them afterwards."""
    world = generate_world(inbox.chats, inbox.accounts, now=START)
    with world.batch():
        for chat in world.chat_ids:
            if world.rng.random() < 0.98:
                world.read(chat)
    people, recorder = People(world, inbox.messages, 11), Recorder(world)
    named = tuple(world.accounts) if inbox.named else ()
    with source_clock(world):
        recorder.run(Order(account_ids=named, **way))
        recorder.cost.clear()
        recorder.received = 0
        for _ in range(int(timedelta(days=days) / every)):
            people.let_pass(every)
            recorder.run(Order(account_ids=named, **way))
    recorder.cost["bytes"] = recorder.received
    unread = sum(row["unread_count"] != 0 for row in recorder.rows.values())
    widths = {
        what: {"changes": len(of), "median": of[len(of) // 2], "p95": of[len(of) * 95 // 100],
               "worst": of[-1]}
        for what, of in recorder.intervals().items()
    }  # fmt: skip
    return {**{k: v / days for k, v in recorder.cost.items()}, **widths, "unread": unread}


def _one(of: tuple[str, str, str]) -> dict[str, Any]:
    inbox, every, way = of
    with tempfile.TemporaryDirectory() as folder:
        dlt.pipeline("days", pipelines_dir=folder)
        played = play({**INBOXES, **SIZES}[inbox], EVERY[every], WAYS[way], DAYS[every])
    return {"inbox": inbox, "every": every, "way": way, "days": DAYS[every], **played}


def _all() -> list[tuple[str, str, str]]:
    return [
        (inbox, every, way)
        for inbox in INBOXES
        for every in EVERY
        for way in WAYS
        if way not in OF_HOUR or (every == "hour" and inbox != "100 accounts")
    ] + [(size, "hour", "before") for size in SIZES]


def main() -> None:
    """Play those that are named, or all; keep and show what they gave."""
    logging.disable()
    kept = HERE / "days.json"
    results = {tuple(r[name] for name in NAMES): r for r in json.loads(kept.read_text())}
    wanted = [of for of in _all() if set(sys.argv[1:]) <= set(of)]
    with ProcessPoolExecutor(2) as pool:
        for result in pool.map(_one, wanted):
            results[tuple(result[name] for name in NAMES)] = result
            print(json.dumps(result), flush=True)
    kept.write_text(json.dumps([results[of] for of in _all() if of in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
