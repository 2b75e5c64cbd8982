"""What is listed stays, whatever the list does; what is gone goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

import pytest

from postpress_source.arguments import Filters
from postpress_source.sandbox import World
from postpress_source.walks.gone import Evidence
from postpress_source.walks.plan import Kind, Plan
from postpress_source.walks.reading import _look
from postpress_source.walks.walk import Walk
from tests.proof.inboxes import FULL, HEAD, HOUR, during, inbox, listed, loaded
from tests.proof.listing import LONG, Order
from tests.proof.machine import START
from tests.proof.warehouse import Warehouse

pytestmark = pytest.mark.usefixtures("active_pipeline")

SECOND = timedelta(seconds=1)
CURSORS = pytest.mark.parametrize("cursor_filters", ["carried", "wanted", "refused"])


def full_walk(warehouse: Warehouse, happen: Mapping[int, Callable[[], object]]) -> set[str]:
    """What a full walk deletes, though it is listed, while things happen."""
    before = set(warehouse.rows)
    during(warehouse.world, happen)
    warehouse.run(FULL)
    warehouse.world.before_page = None
    return (before - warehouse.rows.keys()) & listed(warehouse.world)


@pytest.mark.parametrize("how", ["sinks", "vanishes"])
def test_a_chat_that_both_looks_skip_stays(how: str) -> None:
    """Above which another sinks or vanishes in each look, at any of its pages."""
    for first in range(2, 13, 2):
        for second in range(1, 16):
            world = inbox(chats=62, accounts=2, cursor="offset", page_cap=4)
            warehouse = loaded(world)

            def moves(chat: str, world: World = world) -> None:
                if how == "sinks":
                    world.edit(chat, timestamp=START - timedelta(days=900))
                else:
                    world.delete_chat(chat)

            happen = {first: partial(moves, "c01"), 16 + second: partial(moves, "c00")}
            assert not full_walk(warehouse, happen)


def test_a_look_of_several_pages_is_no_proof_by_itself() -> None:
    world = inbox(page_cap=4)
    warehouse = loaded(world)
    world.delete_chat("c10")
    warehouse.run(FULL)
    assert "c10" in warehouse.rows
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


@pytest.mark.parametrize(("asked", "came"), [(250, 250), (250, 15), (40, 15), (2, 2), (1, 1)])
def test_the_pages_of_a_second_look_end_elsewhere(asked: int, came: int) -> None:
    sizes = set()
    for second in range(50):
        walk = Walk(None, Filters(limit=asked), Plan(Kind.FULL, ""), None, START + second * SECOND)
        walk.first_page, walk.pages = came, 9
        look = _look(walk, "a1", Evidence(True, 999, 999, frozenset("x")))
        sizes.add(look.filters.limit)
    assert came not in sizes
    assert min(sizes) >= 1
    assert came < 15 or (len(sizes) > 3 and max(sizes) < came)


# --- what is found missing, and listed again -----------------------------------------------------


@pytest.mark.parametrize(
    "between",
    [Order(full_walk_every=LONG), Order(("a1", "a2"), full_walk_every=timedelta(0))],
    ids=["a head walk", "a walk of accounts by name"],
)
def test_what_was_listed_in_between_is_missing_for_the_first_time_again(between: Order) -> None:
    world = inbox()
    warehouse = loaded(world)
    hidden = sorted(listed(world, account_id="a2"))[:15]
    chats = [world.chat(chat) for chat in hidden]

    def hide() -> None:
        for chat in hidden:
            world.delete_chat(chat)

    hide()
    warehouse.run(FULL)
    for chat in chats:
        world.add(chat, created=0)
    warehouse.run(between)
    hide()
    warehouse.run(FULL)
    assert warehouse.rows.keys() > listed(world), "held"
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


# --- a cursor that doesn't carry the filters -----------------------------------------------------


@CURSORS
def test_an_accounts_own_walk_brings_that_accounts_chats_and_deletes_no_others(
    cursor_filters: str,
) -> None:
    world = inbox(cursor_filters=cursor_filters)
    warehouse = loaded(world)
    world.connect_account("SLACK", id="new")
    for number in range(20):
        world.new_chat("new", id=f"n{number}", at=START - HOUR * number)
    _, beside = warehouse.run(HEAD)
    assert (beside.account_id, beside.chats, beside.complete) == ("new", 20, True)
    assert warehouse.rows.keys() == listed(world)


@CURSORS
def test_what_was_not_asked_for_does_not_land(cursor_filters: str) -> None:
    world = inbox(cursor_filters=cursor_filters)
    order = Order(account_ids=("a2",), account_type="WHATSAPP", unread=True)
    warehouse = loaded(world, order)
    wanted = {"account_id": "a2", "account_type": "WHATSAPP", "unread": True}
    assert warehouse.rows.keys() == listed(world, **wanted)


def test_a_foreign_chat_in_an_accounts_list_costs_its_own_account_nothing() -> None:
    world = inbox()
    warehouse = loaded(world)
    world.show_guest("c00", "a2")
    walks = warehouse.run(Order(account_ids=("a1", "a2"), full_walk_every=timedelta(0)))
    assert [walk.complete for walk in walks] == [True, False]
    assert warehouse.rows.keys() == listed(world)


def test_a_full_walk_of_one_type_deletes_no_chat_of_another_type_or_of_none() -> None:
    world = inbox()
    warehouse = loaded(world)
    world.mix_types("a1")
    for _ in range(3):
        warehouse.run(Order(account_type="LINKEDIN", full_walk_every=timedelta(0)))
        assert warehouse.rows.keys() == listed(world)


# --- a list that is short ------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 2, 40])
def test_an_account_that_comes_back_bit_by_bit_keeps_its_rows(first: int) -> None:
    world = inbox(chats=600)
    warehouse = loaded(world)
    world.disconnect_account("a2")
    warehouse.run(FULL)
    world.trickle_account("a2", first, per_hour=7)
    said = []
    while len(listed(world)) < 600:
        (walk, *_) = warehouse.run(FULL)
        said.append(sum(len(verdict.kept) for verdict in walk.verdicts.values()))
        assert len(warehouse.rows) == 600
        world.advance(4 * HOUR, activity=0)
    assert said[0] == 300 - first
    assert said == sorted(said, reverse=True), "and less is missing each time"


@pytest.mark.parametrize("names", [(), ("a1", "a2")])
def test_a_sudden_loss_is_held_and_said_until_a_second_full_walk_agrees(
    names: tuple[str, ...],
) -> None:
    world = inbox()
    warehouse = loaded(world, Order(names))
    for chat in sorted(listed(world, account_id="a2"))[5:]:
        world.delete_chat(chat)
    walks = warehouse.run(Order(names, full_walk_every=timedelta(0)))
    assert len(warehouse.rows) == 60
    assert [len(walk.verdicts["a2"].kept) for walk in walks if "a2" in walk.verdicts] == [25]
    warehouse.run(Order(names, full_walk_every=LONG))
    assert len(warehouse.rows) == 60, "a run soon afterwards proves no more"
    warehouse.run(Order(names, full_walk_every=timedelta(0)))
    assert warehouse.rows.keys() == listed(world)


@pytest.mark.parametrize("sick_in_list", ["first", "every_second", "hidden"])
def test_a_sick_account_that_is_listed_in_part_keeps_its_rows(sick_in_list: str) -> None:
    world = inbox(sick_in_list=sick_in_list)
    warehouse = loaded(world)
    world.disconnect_account("a2", "errors/provider_error")
    for _ in range(4):
        warehouse.run(FULL)
        assert len(warehouse.rows) == 60


def test_an_account_that_was_sick_is_read_in_full_when_it_is_well() -> None:
    world, order = inbox(), Order(("a1", "a2"), full_walk_every=LONG)
    warehouse = loaded(world, order)
    world.disconnect_account("a2", "errors/no_client_session")
    warehouse.run(order)
    world.new_chat("a2", id="of old", at=START - 99 * HOUR)
    world.heal_account("a2")
    warehouse.run(order)
    assert "of old" in warehouse.rows


def test_a_loss_of_as_many_others_is_no_second_full_walk_that_agrees() -> None:
    world = inbox()
    warehouse = loaded(world)
    world.trickle_account("a2", 5)  # lists c01, c03, ... c09
    warehouse.run(FULL)
    for chat in ("c51", "c53", "c55", "c57", "c59"):
        world.receive_message(chat)
    world.trickle_account("a2", 5)  # lists these five instead
    warehouse.run(FULL)
    assert len(warehouse.rows) == 60


def test_an_account_that_lists_nothing_keeps_its_rows() -> None:
    world = inbox()
    warehouse = loaded(world)
    for chat in listed(world, account_id="a2"):
        world.delete_chat(chat)
    for _ in range(3):
        warehouse.run(FULL)
    assert len(warehouse.rows) == 60


# --- a list that moves while it is read ----------------------------------------------------------


@pytest.mark.parametrize("cursor", ["keyset", "offset"])
@pytest.mark.parametrize("nulls", ["last", "first", "mixed"])
@pytest.mark.parametrize("page", [2, 5, 9, 12])
def test_a_chat_that_moves_down_past_the_reader_stays(cursor: str, nulls: str, page: int) -> None:
    world = inbox(cursor=cursor, nulls=nulls)
    for chat in ("c03", "c31", "c59"):
        world.null_timestamp(chat)
    warehouse = loaded(world)
    moves = {
        "delayed message": lambda: world.receive_delayed_message("c02", behind=77 * HOUR),
        "null becomes old": lambda: world.edit("c03", timestamp=START - 99 * HOUR),
        "null becomes new": lambda: world.receive_message("c59"),
        "old becomes null": lambda: world.null_timestamp("c30"),
    }
    for move in moves.values():
        assert not full_walk(warehouse, {page: move})
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


def test_a_chat_that_moves_up_past_both_looks_stays() -> None:
    world = inbox(accounts=1)
    assert not full_walk(loaded(world), escape_both_looks(world))


def test_a_chat_that_moved_up_past_both_looks_is_back_with_the_next_run() -> None:
    world = inbox(accounts=1)
    warehouse = loaded(world)
    full_walk(warehouse, escape_both_looks(world))
    warehouse.run(HEAD)
    assert warehouse.rows.keys() == listed(world)


def escape_both_looks(world: World) -> dict[int, Callable[[], object]]:
    """Behind each look's reader c50 gets a message; between them others push it off page one."""
    first_ten = [f"c{number:02}" for number in range(10)]
    return {
        5: lambda: world.receive_message("c50"),
        12: lambda: [*map(world.receive_message, first_ten)],
        14: lambda: world.receive_message("c50"),
    }
