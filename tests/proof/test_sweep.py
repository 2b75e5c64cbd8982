"""The sweep: what it makes known sooner, what it costs, and that it trusts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any, Final, Literal

import dlt
import pytest

from postpress_source import PostpressError
from postpress_source.sandbox import World, WorldOptions
from postpress_source.walks.plan import Kind
from postpress_source.walks.reader import MOST_SWEEP_PAGES
from postpress_source.walks.sweep import SEEM_READ
from postpress_source.walks.walk import Walk
from tests.proof.listing import LONG, Order, Row, Trouble, expected_row
from tests.proof.machine import START
from tests.proof.tales import Teller, WatchedWorld
from tests.proof.warehouse import Warehouse

HOUR = timedelta(hours=1)
FULL = Order(full_walk_every=timedelta(0))
HEAD = Order(full_walk_every=LONG)
SWEEP = Order(full_walk_every=LONG, sweep=6 * HOUR)
NEAR, FAR = "c012", "c151"
"""Three pages down, and thirty."""


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    yield
    active.deactivate()


def lab(accounts: int = 2, *, few: bool = False, **options: Any) -> Warehouse:
    """200 chats, c000 the newest, an hour apart, every third one unread, or few; read in full."""
    unread = {0, 12, 150, 151, 153} if few else range(0, 200, 3)
    world = World(WorldOptions(**options), now=START)
    for number in range(accounts):
        world.connect_account("LINKEDIN", id=f"a{number}")
    with world.batch():
        for number in range(200):
            world.new_chat(
                f"a{number % accounts}",
                id=f"c{number:03}",
                at=START - HOUR * number,
                unread_count=(-1, 4)[number % 2] if number in unread else 0,
            )
    warehouse = Warehouse(world, 5)
    warehouse.run(FULL)
    world.advance(timedelta(minutes=1), activity=0)
    return warehouse


def requests(warehouse: Warehouse, order: Order = SWEEP) -> tuple[int, int]:
    """What the walks and the sweeps of a run cost."""
    walks = warehouse.run(order)
    counts = [[walk.traffic.requests for walk in of] for of in (walks, warehouse.sweeps)]
    return sum(counts[0]), sum(counts[1])


def unread_now(warehouse: Warehouse, chat: str) -> int:
    count: int = warehouse.rows[chat]["unread_count"]
    return count


# --- what it brings, and for how much ------------------------------------------------------------


def test_what_is_read_a_little_further_down_is_known_in_the_next_run_for_a_page_more() -> None:
    warehouse = lab(few=True)
    assert requests(warehouse, HEAD) == (2, 0), "without it, as ever"
    assert requests(warehouse) == (2, 1), "where nothing changed: its own request"
    warehouse.world.read(NEAR)
    assert requests(warehouse, HEAD) == (2, 0)
    assert unread_now(warehouse, NEAR) != 0
    assert requests(warehouse) == (3, 1)
    assert unread_now(warehouse, NEAR) == 0
    assert requests(warehouse) == (2, 1), "that was that"


def test_what_is_read_far_down_calls_for_a_full_walk_of_its_account_when_one_may_be() -> None:
    warehouse = lab(few=True)
    warehouse.world.read(FAR)
    assert requests(warehouse) == (2, 1), "the last one was just now"
    warehouse.world.advance(6 * HOUR, activity=0)
    walks = warehouse.run(SWEEP)
    assert [(walk.account_id, walk.kind) for walk in walks] == [(None, "head"), ("a1", "full")]
    assert unread_now(warehouse, FAR) == 0
    warehouse.world.read("c153")
    warehouse.world.advance(5 * HOUR, activity=0)
    warehouse.world.read("c150")
    assert requests(warehouse) == (2, 1), "it is too early for another"
    warehouse.world.advance(HOUR, activity=0)
    assert warehouse.run(SWEEP)[1].account_id == "a0"
    warehouse.world.advance(6 * HOUR, activity=0)
    assert warehouse.run(SWEEP)[1].account_id == "a1", "in turns"


def test_named_accounts_go_on_to_the_end_themselves() -> None:
    warehouse = lab(few=True)
    named = replace(SWEEP, account_ids=("a0", "a1"))
    warehouse.run(replace(FULL, account_ids=("a0", "a1")))
    warehouse.world.read(FAR)
    warehouse.world.advance(6 * HOUR, activity=0)
    walks = warehouse.run(named)
    assert [(walk.account_id, walk.kind) for walk in walks] == [("a0", "head"), ("a1", "full")]
    assert walks[1].pages == 20, "no page twice"
    assert unread_now(warehouse, FAR) == 0


def test_the_account_to_which_most_is_owed_comes_first_and_all_cost_no_more_than_a_share() -> None:
    warehouse = lab(accounts=10, few=True)
    for chat in ("c156", "c186", "c153", "c163", "c183", "c193", "c180"):
        warehouse.world.edit(chat, unread_count=1)
    warehouse.run(FULL)
    for chat in ("c156", "c186", "c153", "c183", "c193", "c180"):
        warehouse.world.read(chat)
    warehouse.world.advance(6 * HOUR, activity=0)
    order = Order(full_walk_every=24 * HOUR, sweep=6 * HOUR)
    walks = warehouse.run(order)
    assert [walk.account_id for walk in walks] == [None, "a3", "a6"], "40 pages, a quarter of them"


def test_a_chat_that_is_marked_unread_far_down_is_known_at_once() -> None:
    warehouse = lab(few=True)
    warehouse.world.mark_unread("c170")
    assert requests(warehouse) == (2, 2), "six are unread, five are on a page"
    assert unread_now(warehouse, "c170") == -1


# --- it trusts nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("named", [False, True])
def test_a_filter_that_is_not_heeded_costs_a_request(named: bool) -> None:
    warehouse = lab(ignored_filters=("unread",))
    accounts = ("a0", "a1") if named else ()
    warehouse.run(replace(FULL, account_ids=accounts))
    warehouse.world.advance(9 * HOUR, activity=0)
    walks = warehouse.run(replace(SWEEP, account_ids=accounts))
    assert [walk.kind for walk in walks] == ["head"] * len(walks)
    assert [sweep.traffic.requests for sweep in warehouse.sweeps] == [1]
    assert all(walk.complete for walk in walks)


def test_that_it_is_not_heeded_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    warehouse = lab(ignored_filters=("unread",))
    named = replace(SWEEP, account_ids=("a0", "a1"))
    for order in (replace(named, full_walk_every=timedelta(0)), named):
        warehouse.run(order)
    assert [record.getMessage() for record in caplog.records] == [
        "The API doesn't heed unread=true: no sweep in this run."
    ]


def test_a_filter_that_is_heeded_on_the_first_page_only_is_no_evidence() -> None:
    warehouse = lab(first_page_filters=("unread",))
    warehouse.world.read(NEAR)
    warehouse.world.advance(9 * HOUR, activity=0)
    assert requests(warehouse) == (2, 2)
    assert warehouse.sweeps[0].saw_unread_down_to is not None, "what was listed was listed"
    assert warehouse.sweeps[0].saw_unread_down_to >= START - 12 * HOUR


def test_an_account_that_lists_nothing_may_be_away() -> None:
    warehouse = lab(few=True)
    warehouse.world.disconnect_account("a1", error=None)
    warehouse.world.advance(9 * HOUR, activity=0)
    before = dict(warehouse.rows)
    assert requests(warehouse) == (2, 1)
    assert warehouse.rows == before


@pytest.mark.parametrize("request_number", [3, 4, 5])
def test_a_sweep_that_fails_costs_nothing_but_itself(request_number: int) -> None:
    warehouse = lab()
    warehouse.world.read(NEAR)
    warehouse.world.receive_message("c199")
    warehouse.world.advance(9 * HOUR, activity=0)
    walks = warehouse.run(replace(SWEEP, trouble=Trouble(fails=request_number)))
    assert [(walk.kind, walk.complete, walk.pages) for walk in walks] == [("head", True, 2)]
    assert warehouse.sweeps[0].error is not None
    assert warehouse.sweeps[0].saw_unread_down_to is None
    assert unread_now(warehouse, "c199") != 0
    assert warehouse.run(HEAD)[0].kind is Kind.HEAD, "no full walk is owed"


def test_an_inbox_that_nobody_reads_is_swept_so_far_and_no_further() -> None:
    warehouse = lab()
    assert requests(warehouse) == (2, MOST_SWEEP_PAGES)
    warehouse.world.read("c171")
    warehouse.world.advance(9 * HOUR, activity=0)
    assert requests(warehouse) == (2, MOST_SWEEP_PAGES), "what it didn't reach isn't read"


def test_what_a_sweep_has_listed_is_not_deleted_by_the_same_run() -> None:
    warehouse = lab(few=True)
    warehouse.world.read(FAR)
    warehouse.world.advance(6 * HOUR, activity=0)
    first_of_account = warehouse.world.pages_served + 3

    def delete(world: World) -> None:
        if world.pages_served == first_of_account:
            world.before_page = None
            world.delete_chat("c153")

    warehouse.world.before_page = delete
    walks = warehouse.run(SWEEP)
    assert walks[1].account_id == "a1"
    assert "c153" in warehouse.rows


def test_a_chat_that_is_gone_goes_after_a_full_walk_and_a_second_look_as_ever() -> None:
    warehouse = lab(few=True)
    warehouse.world.delete_chat(NEAR)
    walks = warehouse.run(SWEEP)
    assert [walk.pages for walk in walks] == [3], "it isn't where it was: that is due"
    assert NEAR in warehouse.rows
    warehouse.world.advance(6 * HOUR, activity=0)
    walks = warehouse.run(SWEEP)
    assert [(walk.account_id, walk.kind) for walk in walks] == [(None, "head"), ("a0", "full")]
    assert NEAR not in warehouse.rows


# --- whatever happens ----------------------------------------------------------------------------

WORLDS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"cursor": "offset"},
    {"ignored_filters": ("unread",)},
    {"first_page_filters": ("unread",), "cursor": "offset"},
    {"order": "by_id"},
    {"order": "oldest_first", "cursor": "offset"},
    {"short_pages": True},
    {"cursor_lifetime": 1, "nulls": "mixed"},
    {"ignored_filters": ("account_id",)},
    {"sick_in_list": "first"},
)
TOLD: Final = ("read", "marked unread", "message", "new chat", "very late chat", "deleted")
DISTURBED: Final = (*TOLD, "timestamp lost", "archived and muted", "account vanished")
BACK: Final = ("accounts well", "account lists one", "account comes back slowly")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("options", WORLDS, ids=str)
def test_it_deletes_nothing_invents_nothing_and_says_what_is_so(
    options: dict[str, Any], named: bool, seed: int
) -> None:
    rng = Random(f"{options} {named} {seed}")
    world = WatchedWorld(WorldOptions(**options), now=START)
    world.populate(60)
    teller, warehouse = Teller(world), Warehouse(world, 5)
    accounts = ("a1", "a2", "a3") if named else ()
    order = Order(full_walk_every=LONG, sweep=timedelta(0), account_ids=accounts)
    warehouse.run(replace(order, full_walk_every=timedelta(0)))
    for _ in range(12):
        for _ in range(rng.randrange(4)):
            teller.tell(rng.choice((*DISTURBED, *BACK)), rng.randrange(60))
        if rng.random() < 0.5:
            pages, happening = world.pages_served + rng.randrange(8), rng.choice(TOLD)

            def disturb(world: World, pages: int = pages, happening: str = happening) -> None:
                if world.pages_served == pages:
                    teller.tell(happening, pages)

            world.before_page = disturb
        world.forget()
        before = dict(warehouse.rows)
        with suppress(PostpressError):
            walks = warehouse.run(order)
            held(world, before, warehouse, walks)
        world.before_page = None


def held(
    world: WatchedWorld, before: dict[str, Row], warehouse: Warehouse, walks: Sequence[Walk]
) -> None:
    """A run: what may be deleted, what may be written, and what may be said."""
    shown = {c: [expected_row(chat) for chat in chats] for c, chats in world.shown.items()}
    deleted = before.keys() - warehouse.rows.keys()
    full = {walk.account_id for walk in walks if walk.kind is Kind.FULL and walk.complete}
    assert None in full or {before[chat]["account_id"] for chat in deleted} <= full
    for chat, row in warehouse.rows.items():
        assert row == before.get(chat) or row in shown[chat], "nobody showed it so"
    for sweep in warehouse.sweeps:
        if (down_to := sweep.saw_unread_down_to) is None:
            continue
        for chat, row in before.items():
            at = row["timestamp"]
            mine = sweep.account_id in (None, row["account_id"])
            if mine and row["unread_count"] and at and at > down_to and chat not in deleted:
                assert warehouse.rows[chat] in shown.get(chat, []), "it wasn't listed"


@pytest.mark.parametrize("cursor", ["keyset", "offset"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("budget", [3, 8])
def test_full_walks_come_no_oftener_than_the_budget_says_nor_later_than_they_are_due(
    budget: int, named: bool, cursor: Literal["keyset", "offset"]
) -> None:
    warehouse = lab(accounts=3, cursor=cursor)
    rng, world = Random(budget), warehouse.world
    accounts = ("a0", "a1", "a2") if named else ()
    order = Order(full_walk_every=24 * HOUR, sweep=budget * HOUR, account_ids=accounts)
    warehouse.run(replace(order, full_walk_every=timedelta(0)))
    fulls = {account: [(world.now, "")] for account in world.accounts}
    for _ in range(24 * 4):
        world.advance(HOUR, activity=0)
        for chat in rng.sample(world.chat_ids, 3):
            world.read(chat) if rng.random() < 0.5 else world.mark_unread(chat)
        if rng.random() < 0.1:
            world.delete_chat(rng.choice(world.chat_ids))
        for walk in warehouse.run(order):
            for account in (walk.account_id,) if walk.account_id else fulls:
                fulls[account] += [(world.now, walk.plan.reason)] * (walk.kind is Kind.FULL)
    for of_account in fulls.values():
        gaps = [(after - before, why) for (before, _), (after, why) in pairwise(of_account)]
        called_for = [gap for gap, why in gaps if why == SEEM_READ]
        assert min(called_for) >= budget * HOUR, "one that is due by itself may follow sooner"
        assert max(gaps)[0] <= 24 * HOUR


def test_a_budget_as_long_as_full_walks_are_apart_calls_for_none() -> None:
    warehouse = lab(few=True)
    order = Order(full_walk_every=24 * HOUR, sweep=24 * HOUR)
    kinds = []
    for chat in (FAR, NEAR, "c150", "c153"):
        warehouse.world.read(chat)
        warehouse.world.advance(7 * HOUR, activity=0)
        kinds.append([str(walk.kind) for walk in warehouse.run(order)])
    assert kinds == [["head"], ["head"], ["head"], ["full"]]
