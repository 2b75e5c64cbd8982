"""Complete means complete, and a full walk comes when it is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from postpress_source import PostpressContractError, PostpressError
from postpress_source.walks.plan import Kind
from postpress_source.walks.walk import Walk
from tests.proof.inboxes import FULL, HEAD, HOUR, during, inbox, listed, loaded
from tests.proof.listing import LONG, Order
from tests.proof.machine import START
from tests.proof.warehouse import Warehouse

pytestmark = pytest.mark.usefixtures("active_pipeline")


@pytest.mark.parametrize("how", ["ignored_filters", "first_page_filters"])
@pytest.mark.parametrize("name", ["account_id", "account_type", "unread"])
def test_a_filter_that_is_not_heeded_is_said_and_never_complete(how: str, name: str) -> None:
    lies: dict[str, Any] = {how: (name,)}
    world = inbox(**lies)
    warehouse = loaded(world)
    values: dict[str, Any] = {"account_id": ("a2",), "account_type": "WHATSAPP", "unread": True}
    asked: dict[str, Any] = {"account_ids" if name == "account_id" else name: values[name]}
    (walk,) = warehouse.run(Order(full_walk_every=timedelta(0), **asked))
    assert not walk.complete
    assert set(walk.unasked) == {name}
    assert warehouse.rows.keys() == listed(world)

    fresh = Warehouse(world, 5)
    fresh.run(Order(**asked))
    assert fresh.rows.keys() == listed(world, **{name: values[name]})


# --- pages without news --------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 7])
@pytest.mark.parametrize("order", [FULL, HEAD])
def test_pages_that_repeat_are_no_progress(page: int, order: Order) -> None:
    world = inbox(repeats="instead", repeated_page=page, repeat_times=None)
    warehouse = Warehouse(world, 5)
    for _ in range(2):
        (walk,) = warehouse.run(order)
        assert not walk.complete
        assert f"{12 - page} of 12 pages" in walk.doubt
        assert len(warehouse.rows) == 5 * page
    world.end_repeats()
    (walk,) = warehouse.run(HEAD)
    assert walk.kind is Kind.FULL, "nothing was known"
    assert warehouse.rows.keys() == listed(world)


def test_a_backfill_of_pages_that_repeat_fails() -> None:
    warehouse = Warehouse(inbox(repeats="instead", repeated_page=2, repeat_times=None), 5)
    with pytest.raises(PostpressContractError, match="10 of 12 pages brought only chats of others"):
        warehouse.run(Order(start=START - 99 * HOUR, end=START))
    assert not warehouse.rows


def test_pages_that_repeat_without_end_are_an_error() -> None:
    world = inbox(chats=200, repeats="instead", repeated_page=2, repeat_times=None)
    with pytest.raises(PostpressContractError, match="20 pages in a row brought no new chat"):
        Warehouse(world, 5).run(FULL)


def test_a_page_that_repeats_by_chance_costs_a_second_try() -> None:
    world = inbox(cursor="offset", accounts=1)
    warehouse = Warehouse(world, 5)
    during(world, {4: lambda: [world.new_chat("a1", at=START) for _ in range(5)]})
    (walk,) = warehouse.run(FULL)
    assert walk.complete
    assert walk.traffic.requests == 13 + 13
    assert warehouse.rows.keys() == listed(world)


def test_pages_that_begin_to_repeat_in_mid_walk_cost_that_account_alone() -> None:
    world = inbox()
    warehouse = loaded(world)
    world.receive_message("c00")
    world.receive_message("c01")
    during(world, {7: lambda: world.repeat_pages(1)})
    order = Order(account_ids=("a1", "a2"), full_walk_every=timedelta(0))
    walks = warehouse.run(order)
    world.before_page = None
    assert [walk.complete for walk in walks] == [True, False]
    assert warehouse.rows["c00"]["unread_count"] == 1
    world.end_repeats()
    walks = warehouse.run(Order(account_ids=("a1", "a2"), full_walk_every=LONG))
    assert [walk.to_the_end for walk in walks] == [False, True]
    assert warehouse.rows["c01"]["unread_count"] == 2


# --- what is asked for, and isn't there ----------------------------------------------------------


@pytest.mark.parametrize("names", [("a1", "a2"), ("a2", "a1"), ("a2",)])
def test_a_backfill_that_could_not_read_an_account_fails(names: tuple[str, ...]) -> None:
    world = inbox()
    warehouse = Warehouse(world, 5)
    world.disconnect_account("a2")
    with pytest.raises(PostpressError, match="a2"):
        warehouse.run(Order(account_ids=names, start=START - 50 * HOUR, end=START))
    assert not warehouse.rows


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level("WARNING", "postpress_source"):
        yield caplog


def test_an_account_that_lists_nothing_because_of_a_typo_is_named(
    log: pytest.LogCaptureFixture,
) -> None:
    warehouse = Warehouse(inbox(), 5)
    walks: list[Walk] = warehouse.run(Order(account_ids=("a1", "a2-typo")))
    assert [walk.chats for walk in walks] == [30, 0]
    (message,) = log.messages
    assert "a2-typo" in message


# --- full walks, no oftener than due -------------------------------------------------------------


def test_nine_filter_sets_in_turn_walk_in_full_once_each() -> None:
    world = inbox()
    warehouse = Warehouse(world, 5)
    kinds = (None, "LINKEDIN", "WHATSAPP")
    orders = [
        Order(account_type=kind, unread=unread, full_walk_every=LONG)
        for kind in kinds
        for unread in (None, True, False)
    ]
    for turn in range(3):
        for order in orders:
            (walk,) = warehouse.run(order)
            assert (walk.plan.kind == "full") == (turn == 0), walk.plan.reason


def test_a_start_date_that_moves_with_the_clock_walks_in_full_once() -> None:
    world = inbox()
    warehouse = Warehouse(world, 5)
    kinds = []
    for _ in range(6):
        (walk,) = warehouse.run(Order(start=world.now - 40 * HOUR, full_walk_every=LONG))
        kinds.append(str(walk.plan.kind))
        world.advance(HOUR, activity=0)
        world.receive_message("c07")
    assert kinds == ["full"] + ["head"] * 5


def test_what_a_start_date_left_out_lands_when_it_is_asked_for() -> None:
    world = inbox(accounts=1, chats=10)
    warehouse = loaded(world)
    world.edit("c01", timestamp=START - 99 * HOUR, name="renamed")
    warehouse.run(Order(start=START - 50 * HOUR, full_walk_every=LONG))
    assert warehouse.rows["c01"]["name"] != "renamed"
    warehouse.run(HEAD)
    assert warehouse.rows["c01"]["name"] == "renamed"
