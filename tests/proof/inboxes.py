"""Small inboxes and what happens to them in mid-walk, for single stories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from postpress_source.sandbox import World, WorldOptions
from tests.proof.listing import LONG, Order
from tests.proof.machine import START
from tests.proof.warehouse import Warehouse

HOUR = timedelta(hours=1)
FULL = Order(full_walk_every=timedelta(0))
HEAD = Order(full_walk_every=LONG)


def inbox(chats: int = 60, accounts: int = 2, **options: Any) -> World:
    """Accounts a1, a2, ... whose chats c00, c01, ... take turns, newest first, 2 hours apart."""
    world = World(WorldOptions(**options), now=START)
    with world.batch():
        for number in range(accounts):
            kind = ("LINKEDIN", "WHATSAPP", "TELEGRAM")[number % 3]
            world.connect_account(kind, id=f"a{number + 1}")
        for number in range(chats):
            account = f"a{number % accounts + 1}"
            at = START - 2 * HOUR * number
            world.new_chat(account, id=f"c{number:02}", at=at, unread_count=number % 3)
    return world


def loaded(world: World, order: Order = FULL) -> Warehouse:
    warehouse = Warehouse(world, 5)
    warehouse.run(order)
    return warehouse


def listed(world: World, **filters: Any) -> set[str]:
    return {chat["id"] for chat in world.relist(**filters)}


def during(world: World, happen: Mapping[int, Callable[[], object]]) -> None:
    """Let it happen before a run's n-th pages."""
    first = world.pages_served

    def before_page(world: World) -> None:
        action = happen.get(world.pages_served - first + 1)
        if action is not None:
            world.advance(timedelta(minutes=1), activity=0)
            action()

    world.before_page = before_page
