"""Single stories about walks that a random history would need long to find."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

import dlt
import pytest

from postpress_source import PostpressContractError
from postpress_source.sandbox import World, WorldOptions, generate_world
from postpress_source.walks.plan import MAX_EMPTY_PAGES, Kind, Progress, observe
from tests.proof.listing import LONG, Order, Trouble
from tests.proof.machine import START
from tests.proof.warehouse import Warehouse

FULL = Order(full_walk_every=timedelta(0))
HEAD = Order(full_walk_every=LONG)


@pytest.fixture(scope="module", autouse=True)
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    active = dlt.pipeline("proof", pipelines_dir=str(tmp_path_factory.mktemp("proof")))
    yield
    active.deactivate()


def listed(world: World) -> set[str]:
    return {chat["id"] for chat in world.relist()}


def spaced(world: World, chats: int, step: timedelta, account: str = "a1") -> None:
    if account not in world.accounts:
        world.connect_account("LINKEDIN", id=account)
    with world.batch():
        for number in range(chats):
            world.new_chat(account, id=f"{account}-c{number:02}", at=START - step * number)


def test_an_inbox_cut_down_to_what_the_last_head_walk_read_is_cut_down_in_the_table() -> None:
    world = World(now=START)
    spaced(world, 40, timedelta(hours=2))
    warehouse = Warehouse(world, 5)
    warehouse.run(FULL)
    (walk,) = warehouse.run(HEAD)
    for chat in world.chat_ids[walk.chats :]:
        world.delete_chat(chat)
    warehouse.run(FULL)
    assert len(warehouse.rows) == 40, "so much at once isn't believed at once"
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


def test_what_was_not_deleted_while_its_account_was_away_is_deleted_when_it_is_back() -> None:
    world = World(now=START)
    spaced(world, 3, timedelta(minutes=7))
    warehouse = Warehouse(world, 5)
    warehouse.run(FULL)
    world.delete_chat("a1-c02")
    world.disconnect_account("a1")  # the list goes on showing its chats
    warehouse.run(FULL)
    assert "a1-c02" in warehouse.rows
    world.heal_account("a1")
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


def test_a_list_that_moves_hides_no_deletion() -> None:
    world = World(WorldOptions(cursor="offset"), now=START)
    spaced(world, 5, timedelta(minutes=7))
    warehouse = Warehouse(world, 3)
    warehouse.run(FULL)
    world.delete_chat("a1-c03")

    second_page = world.pages_served + 1

    def push_down(world: World) -> None:
        if world.pages_served == second_page:
            world.before_page = None
            world.new_chat("a1", id="new")

    world.before_page = push_down
    (walk,) = warehouse.run(FULL)
    assert walk.chats > 4, "one was met twice"
    assert warehouse.rows.keys() == listed(world) - {"new"}


def test_twenty_thousand_chats_cost_four_requests_where_little_is_new() -> None:
    world = generate_world(20_000, 4, now=START)
    warehouse = Warehouse(world, 250)
    assert warehouse.run(HEAD)[0].traffic.requests == 80

    def changed(chats: int) -> int:
        world.advance(timedelta(minutes=5), activity=0)
        for chat in world.rng.sample(world.chat_ids, chats):
            world.receive_message(chat)
        (walk,) = warehouse.run(HEAD)
        assert all(
            warehouse.rows[chat["id"]]["unread_count"] == chat["unread_count"]
            for chat in world.relist()[:chats]
        )
        return walk.traffic.requests

    quiet = changed(0)
    assert quiet <= 4
    assert changed(30) <= 4
    assert changed(3_000) <= quiet + ceil(3_000 / 250) + 1


def test_ten_accounts_cost_four_requests_each_where_nothing_is_new() -> None:
    world = generate_world(20_000, 10, now=START)
    warehouse = Warehouse(world, 250)
    accounts = tuple(world.accounts)
    warehouse.run(Order(account_ids=accounts, full_walk_every=LONG))
    walks = warehouse.run(Order(account_ids=accounts, full_walk_every=LONG))
    assert max(walk.traffic.requests for walk in walks) <= 4
    assert all(walk.plan.kind is Kind.HEAD and not walk.to_the_end for walk in walks)


def test_empty_pages_are_no_end_and_pages_without_end_are() -> None:
    world = World(WorldOptions(short_pages=True), now=START)
    spaced(world, 100, timedelta(hours=1))
    spaced(world, 30, timedelta(days=9), account="a2")
    world.disconnect_account("a1", error=None)
    warehouse = Warehouse(world, 2)
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)

    progress = Progress()
    for _ in range(MAX_EMPTY_PAGES):
        progress = observe(progress, [])
    assert progress.empty_pages >= MAX_EMPTY_PAGES
    assert observe(progress, [None]).empty_pages == 0
    spaced(world, MAX_EMPTY_PAGES * 2, timedelta(days=1), account="a3")
    world.disconnect_account("a3", error=None)
    world.disconnect_account("a2", error=None)
    with pytest.raises(PostpressContractError, match="empty, and no end"):
        warehouse.run(FULL)


def test_a_restarted_walk_forgets_the_accounts_of_its_first_try() -> None:
    world = World(now=START)
    spaced(world, 10, timedelta(hours=1))
    spaced(world, 10, timedelta(hours=1), account="a2")
    warehouse = Warehouse(world, 5)
    warehouse.run(FULL)

    fourth_page = world.pages_served + 3

    def vanish(world: World) -> None:
        if world.pages_served == fourth_page:
            world.before_page = None
            world.disconnect_account("a2", error=None)

    world.before_page = vanish
    before = set(warehouse.rows)
    warehouse.run(Order(full_walk_every=timedelta(0), trouble=Trouble(refused=(4,))))
    assert warehouse.rows.keys() == before


def test_a_chat_that_is_deleted_while_a_full_walk_runs_is_deleted_by_the_next_one() -> None:
    world = World(now=START)
    spaced(world, 5, timedelta(minutes=7))
    warehouse = Warehouse(world, 3)
    warehouse.run(FULL)
    world.delete_chat("a1-c03")
    second_look = world.pages_served + 2

    def delete(world: World) -> None:
        if world.pages_served == second_look:
            world.before_page = None
            world.delete_chat("a1-c01")

    world.before_page = delete
    warehouse.run(FULL)
    assert "a1-c01" not in listed(world), "it was deleted before the second look"
    assert "a1-c03" in warehouse.rows, "two looks that don't agree are no proof"
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


def test_a_full_walk_comes_by_itself_however_many_head_walks_went_before() -> None:
    world = World(now=START)
    spaced(world, 40, timedelta(hours=2))
    warehouse = Warehouse(world, 5)
    kinds = []
    for _ in range(8):
        (walk,) = warehouse.run(Order(full_walk_every=timedelta(days=1)))
        kinds.append(str(walk.plan.kind))
        world.advance(timedelta(hours=10), activity=0)
    assert kinds == ["full", "head", "head"] * 2 + ["full", "head"]


def test_a_change_that_another_filter_landed_and_that_was_taken_back_is_taken_back() -> None:
    world = World(now=START)
    spaced(world, 3, timedelta(minutes=7))
    warehouse = Warehouse(world, 5)
    warehouse.run(HEAD)
    world.archive("a1-c01")
    warehouse.run(Order(account_type="LINKEDIN"))
    assert warehouse.rows["a1-c01"]["archived"]
    world.archive("a1-c01", archived=False)
    warehouse.run(HEAD)
    assert not warehouse.rows["a1-c01"]["archived"]


def test_in_an_inbox_of_one_page_too_a_full_walk_deletes_what_head_walks_saw_was_gone() -> None:
    world = World(now=START)
    spaced(world, 3, timedelta(hours=9))
    warehouse = Warehouse(world, 250)
    warehouse.run(HEAD)
    world.delete_chat("a1-c01")
    warehouse.run(HEAD)
    assert "a1-c01" in warehouse.rows
    warehouse.run(FULL)
    assert warehouse.rows.keys() == listed(world)


def test_what_a_deletion_costs_stands_in_the_document() -> None:
    world = World(now=START)
    spaced(world, 40, timedelta(hours=2))
    spaced(world, 20, timedelta(hours=3), account="a2")
    warehouse = Warehouse(world, 5)
    warehouse.run(FULL)
    (quiet,) = warehouse.run(HEAD)
    assert quiet.traffic.requests == 2
    (unchanged,) = warehouse.run(FULL)
    assert unchanged.traffic.requests == 60 / 5, "nothing seems gone: its pages, and no more"
    world.delete_chat("a2-c10")
    (one,) = warehouse.run(FULL)
    assert one.traffic.requests == one.pages + 1, "that account once more, at once"
    for number in range(12, 18):
        world.delete_chat(f"a2-c{number}")
    for _ in range(2):
        assert "a2-c12" in warehouse.rows
        (many,) = warehouse.run(FULL)
        assert many.traffic.requests == many.pages + 1, "the same where much is"
    assert warehouse.rows.keys() == listed(world)
