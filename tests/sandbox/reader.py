"""A client that believes all it is told, and worlds small enough to tell what it must get."""

from datetime import UTC, datetime, timedelta
from typing import Any

from postpress_source.sandbox import ApiError, World, WorldOptions
from postpress_source.sandbox.cursor import ALL, Filters
from postpress_source.sandbox.listing import Page
from postpress_source.sandbox.store import Chat

NOW = datetime(2026, 5, 17, 9, 42, 11, 345_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOW + minutes * MINUTE


def ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def ids(chats: list[Chat]) -> list[str]:
    return [chat["id"] for chat in chats]


def world_of(chats: int, accounts: int = 2, **options: Any) -> World:
    """Accounts a0, a1, ... and chats c00, c01, ... by turns, a minute apart, newest first."""
    world = World(WorldOptions(**options), now=NOW)
    for number in range(accounts):
        world.connect_account(("WHATSAPP", "LINKEDIN")[number % 2], id=f"a{number}")
    for number in range(chats):
        account, moment = f"a{number % accounts}", at(-number)
        world.new_chat(account, id=f"c{number:02}", at=moment, unread_count=number % 3)
    return world


def pages_of(
    world: World, filters: Filters = ALL, limit: int = 100, *, alone: bool = False
) -> list[Page]:
    """A whole walk: filters and limit with every page, or the cursor alone once that is refused.

    `alone`: never anything beside a cursor.
    """
    pages = [world.first_page(filters, limit)]
    while (token := pages[-1].cursor) is not None:
        assert len(pages) < 500, "the walk doesn't end"
        if not alone:
            try:
                pages.append(world.next_page(token, filters, limit))
                continue
            except ApiError as error:
                if error.status != 400:
                    raise
                alone = True
        pages.append(world.next_page(token))
    return pages


def read(world: World, filters: Filters = ALL, limit: int = 3, *, alone: bool = False) -> list[str]:
    """The ids that a whole walk brings, in order."""
    return [id_ for page in pages_of(world, filters, limit, alone=alone) for id_ in ids(page.items)]
