"""Complete means complete, and a full walk comes when it is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from postpress_source import PostpressContractError, PostpressError
from postpress_source.walks.reader import Walk
from tests.proof.inboxes import FULL, HEAD, HOUR, during, inbox, listed, loaded
from tests.proof.machine import LONG, START
from tests.proof.warehouse import Order, Warehouse

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
@pytest.mark.parametrize("order", [FULL, HEAD, Order(start=START - 99 * HOUR, end=START)])
def test_pages_that_repeat_are_no_progress(page: int, order: Order) -> None:
    world = inbox(repeats="instead", repeated_page=page, repeat_times=None)
    warehouse = Warehouse(world, 5)
    with pytest.raises(PostpressContractError, match="only chats that earlier ones had"):
        warehouse.run(order)
    assert not warehouse.rows
    world.end_repeats()
    warehouse.run(FULL)
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
    assert warehouse.rows["c01"]["unread_count"] == 1, "the row of before"
    world.end_repeats()
    warehouse.run(Order(account_ids=("a1", "a2"), full_walk_every=LONG))
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
