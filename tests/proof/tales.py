"""What happens to a world that the readings are tried on, and the runs that follow it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from postpress_source.sandbox import World
from postpress_source.sandbox.cursor import Cursor, Filters
from postpress_source.sandbox.listing import Page
from postpress_source.sandbox.problems import DOCUMENTED, UNDOCUMENTED
from tests.proof.listing import LONG, Order

NOW: Final = timedelta(0)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
KINDS: Final = ("LINKEDIN", "WHATSAPP", "TELEGRAM")
_OF_KEY: Final = {"errors/missing_credentials", "errors/insufficient_privileges"}
ERRORS: Final = tuple(sorted({*DOCUMENTED, *UNDOCUMENTED} - _OF_KEY - {"errors/too_many_requests"}))
"""What an account can be answered with for good."""


class WatchedWorld(World):
    """A world that notes which chats its pages show, and which pages were asked for."""

    shown: dict[str, list[dict[str, Any]]]
    pages: list[tuple[Filters, list[dict[str, Any]]]]

    def populate(self, chats: int) -> None:
        """Three accounts' inboxes: ties, null timestamps, read and unread."""
        self.forget()
        for number, kind in enumerate(KINDS, 1):
            self.connect_account(kind, id=f"a{number}")
        with self.batch():
            for number in range(chats):
                fields: dict[str, Any] = {"timestamp": None} if number % 11 == 10 else {}
                at = self.now - MINUTE * 97 * (number - number % 5 // 4)  # each fifth one ties
                created = self.now - timedelta(days=90, minutes=number * 37 % 101)
                self.new_chat(
                    f"a{number * number % 3 + 1}",
                    id=f"c{number:02}",
                    at=at,
                    created=created,
                    unread_count=(0, 2, -1)[number % 3],
                    **fields,
                )

    def forget(self) -> None:
        """Note anew: a run begins."""
        self.shown, self.pages = {}, []

    def page(self, cursor: Cursor) -> Page:
        page = super().page(cursor)
        self.pages.append((cursor.filters, page.items))
        for chat in page.items:
            self.shown.setdefault(chat["id"], []).append(chat)
        return page


class Teller:
    """Lets things happen; `pick` chooses to whom. Each returns nothing: the judge looks."""

    def __init__(self, world: WatchedWorld) -> None:
        self.world = world
        self._new = 0

    def tell(self, name: str, pick: int) -> None:
        """One of `HAPPENINGS`."""
        self.world.advance(MINUTE, activity=0)
        HAPPENINGS[name](self, pick)

    def chat(self, pick: int) -> str:
        """A chat, listed or not; few are picked often, so that much happens to the same one."""
        ids = sorted(self.world.chat_ids)
        return ids[pick % len(ids)] if ids else self.new_chat(pick)

    def account(self, pick: int) -> str:
        """An account, well or not."""
        return list(self.world.accounts)[pick % len(self.world.accounts)]

    def timestamp(self, chat: str) -> datetime | None:
        """A chat's, not as the API may write it."""
        shown = self.world._store.rows[chat].shown
        return (
            None if shown is None else datetime.fromtimestamp(shown / 1000, self.world.now.tzinfo)
        )

    def new_chat(self, pick: int, age: timedelta = NOW, **fields: Any) -> str:
        """A new chat of an account, dated so long ago."""
        self._new += 1
        return self.world.new_chat(
            self.account(pick), id=f"n{self._new:02}", at=self.world.now - age, **fields
        )

    def grow_old(self, pick: int) -> None:
        """A null timestamp becomes an old one; another one becomes older."""
        chat = self.chat(pick)
        before = self.timestamp(chat) or self.world.now
        self.world.edit(chat, timestamp=before - 31 * HOUR)

    def delete_half(self, pick: int) -> None:
        """Every second chat of an account is deleted."""
        for chat in self.of(self.account(pick))[::2]:
            self.world.delete_chat(chat)

    def delete_account(self, pick: int) -> None:
        """All chats of an account are deleted."""
        for chat in self.of(self.account(pick)):
            self.world.delete_chat(chat)

    def of(self, account: str) -> list[str]:
        """An account's chats, listed or not."""
        return [c for c in self.world.chat_ids if self.world.chat(c)["account_id"] == account]

    def show_guest(self, pick: int) -> None:
        """Lists for one account show a chat of another."""
        chat = self.chat(pick)
        own = self.world.chat(chat)["account_id"]
        self.world.show_guest(chat, next(a for a in self.world.accounts if a != own))

    def end_guests(self) -> None:
        """And don't any more."""
        for account in self.world.accounts:
            self.world.end_guests(account)

    def connect(self, pick: int) -> None:
        """An account is new, with old chats and perhaps one from now."""
        account = self.world.connect_account(KINDS[pick % 3])
        for age in ((30, 60, 90), (0, 40, 80))[pick % 2]:
            self._new += 1
            at = self.world.now - HOUR * age
            self.world.new_chat(account, id=f"n{self._new:02}", at=at)

    def heal(self) -> None:
        """All accounts are well, and list all that they have."""
        for account in self.world.accounts:
            self.world.heal_account(account)

    def trickle(self, pick: int, first: int, **speed: Any) -> None:
        """An account reconnects, and lists few of its chats at first."""
        self.world.trickle_account(self.account(pick), first, **speed)

    def move_all(self) -> None:
        """Every chat but one gets a message."""
        for chat in self.world.chat_ids[1:]:
            self.world.receive_message(chat)


HAPPENINGS: Final[dict[str, Callable[[Teller, int], object]]] = {
    "message": lambda t, n: t.world.receive_message(t.chat(n)),
    "messages to all but one": lambda t, n: t.move_all(),
    "delayed message": lambda t, n: t.world.receive_delayed_message(t.chat(n)),
    "very delayed message": lambda t, n: t.world.receive_delayed_message(
        t.chat(n), behind=70 * HOUR
    ),
    "new chat": lambda t, n: t.new_chat(n),
    "late chat": lambda t, n: t.new_chat(n, 29 * MINUTE),
    "very late chat": lambda t, n: t.new_chat(n, 50 * HOUR),
    "chat of the future": lambda t, n: t.new_chat(n, -9999 * HOUR),
    "new chat without timestamp": lambda t, n: t.new_chat(n, timestamp=None),
    "timestamp lost": lambda t, n: t.world.null_timestamp(t.chat(n)),
    "timestamp grows old": Teller.grow_old,
    "read": lambda t, n: t.world.read(t.chat(n)),
    "marked unread": lambda t, n: t.world.mark_unread(t.chat(n)),
    "renamed": lambda t, n: t.world.rename(t.chat(n), f"name {n}"),
    "archived and muted": lambda t, n: t.world.edit(t.chat(n), archived=1, muted_until=-1),
    "deleted": lambda t, n: t.world.delete_chat(t.chat(n)),
    "half deleted": Teller.delete_half,
    "all of an account deleted": Teller.delete_account,
    "account sick": lambda t, n: t.world.disconnect_account(t.account(n), ERRORS[n % len(ERRORS)]),
    "account vanished": lambda t, n: t.world.disconnect_account(t.account(n), None),
    "accounts well": lambda t, n: t.heal(),
    "account lists one": lambda t, n: t.trickle(n, 1),
    "account comes back slowly": lambda t, n: t.trickle(n, 2, per_hour=1),
    "account comes back in mid-walk": lambda t, n: t.trickle(n, 1, per_page=1),
    "new account": Teller.connect,
    "guest": Teller.show_guest,
    "guests gone": lambda t, n: t.end_guests(),
    "types mixed": lambda t, n: t.world.mix_types(t.account(n)),
    "pages repeat": lambda t, n: t.world.repeat_pages(n % 3 + 1),
    "pages don't repeat": lambda t, n: t.world.end_repeats(),
    "hours pass": lambda t, n: t.world.advance(HOUR * (n % 30), activity=0),
}
ORDERS: Final[dict[str, dict[str, Any]]] = {
    "head": {},
    "swept": {"sweep": NOW},
    "swept and named": {"sweep": NOW, "account_ids": ("a1", "a2", "a3")},
    "full": {"full_walk_every": NOW},
    "named": {"account_ids": ("a1", "a2", "a3")},
    "named in full": {"account_ids": ("a1", "a2", "a3"), "full_walk_every": NOW},
    "named with a typo": {"account_ids": ("a2", "a9")},
    "of a type": {"account_type": "LINKEDIN"},
    "of a type in full": {"account_type": "LINKEDIN", "full_walk_every": NOW},
    "named of a type in full": {
        "account_ids": ("a1", "a2"),
        "account_type": "LINKEDIN",
        "full_walk_every": NOW,
    },
    "unread": {"unread": True},
    "read in full": {"unread": False, "full_walk_every": NOW},
    "since": {"start": 30 * HOUR},
    "since in full": {"start": 20 * HOUR, "full_walk_every": NOW},
    "after": {"after": 30 * HOUR, "full_walk_every": NOW},
    "before": {"before": 10 * HOUR, "full_walk_every": NOW},
    "backfill": {"start": 60 * HOUR, "end": 5 * HOUR},
    "backfill of named": {
        "account_ids": ("a1", "a2"),
        "start": 60 * HOUR,
        "end": 5 * HOUR,
    },
}
"""Kinds of runs; instants as ages."""


def order_of(name: str, now: datetime) -> Order:
    """The order that a kind of run stands for."""
    ages = ("start", "end", "before", "after")
    asked = {
        key: now - value if key in ages else value
        for key, value in {"full_walk_every": LONG, **ORDERS[name]}.items()
    }
    return Order(**asked)
