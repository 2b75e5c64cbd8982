"""Accounts and their chats, and the list as the API gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import RLock
from typing import Any, Final

from . import clock, inbox, listing
from .cursor import ALL, Cursor, Filters, read_cursor
from .options import WorldOptions
from .problems import DOCUMENTED, ApiError
from .store import Chat, ChatStore, Row, sort_key

OK: Final = "OK"


@dataclass(slots=True)
class Account:
    """A linked account.

    Attributes:
        type: Its provider, one of the seven documented.
        status: ``OK``, or the documented error type that requests for it are answered with.
        connected: False once it was disconnected without a trace: its chats aren't listed and no
            error says why.
    """

    id: str
    type: str
    status: str = OK
    connected: bool = True


class Workspace:
    """Linked accounts and what they list; safe to use from several threads.

    Attributes:
        options: The readings it follows where the documents are silent.
        accounts: By id, in the order of connection. Read only.
        before_page: Called with the world before each page is computed, under the world's lock; it
            may change the world, so that a walk meets changes half-way.
        rng: Where everything random comes from.
        pages_served: How many pages were listed so far.
    """

    def __init__(
        self, options: WorldOptions | None = None, *, now: datetime | None = None, seed: int = 0
    ) -> None:
        """An empty world whose clock stands at ``now`` (aware; default: the real time)."""
        self.options = options or WorldOptions()
        self.accounts: dict[str, Account] = {}
        self.before_page: Callable[[Any], object] | None = None
        self.rng = Random(seed)
        self.pages_served = 0
        self.lock = RLock()
        self._now = clock.to_ms(now or datetime.now(UTC))
        self._store = ChatStore(sort_key(self.options))

    # --- what it shows -------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of chats, listed or not."""
        return len(self._store.rows)

    def __contains__(self, chat_id: object) -> bool:
        """Whether there is such a chat, listed or not."""
        return chat_id in self._store.rows

    @property
    def now(self) -> datetime:
        """The world's clock, UTC; only `advance` moves it."""
        return clock.to_datetime(self._now)

    @property
    def chat_ids(self) -> list[str]:
        """The ids of all chats, listed or not, oldest in this world first."""
        with self.lock:
            return list(self._store.rows)

    def chat(self, chat_id: str) -> Chat:
        """A fresh dict of the chat as the API shows it.

        Raises:
            KeyError: There is no such chat.
        """
        return self._store.rows[chat_id].chat()

    def relist(
        self,
        *,
        account_id: str | Iterable[str] | None = None,
        account_type: str | None = None,
        unread: bool | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
    ) -> list[Chat]:
        """All matching chats in list order, without paging: the plain truth.

        Sickness is ignored: a sick account's chats are in it as last known. Chats of an account
        that vanished without a trace are not. ``before`` and ``after`` are exclusive.
        """
        filters = Filters(
            listing.account_ids(account_id),
            account_type,
            unread,
            None if before is None else clock.to_ms(before),
            None if after is None else clock.to_ms(after),
        )
        with self.lock:
            match = listing.matcher(filters, self.options, self._vanished())
            return [row.chat() for row in filter(match, listing.rows_for(self._store, filters))]

    def first_page(self, filters: Filters = ALL, limit: int = 100) -> listing.Page:
        """The first page of a walk, ``limit`` chats long at most.

        Raises:
            ApiError: An account that it asks for is sick.
        """
        return self.page(Cursor(filters=filters, limit=limit))

    def next_page(self, token: str) -> listing.Page:
        """The page that an earlier page's cursor leads to, with that walk's filters and limit.

        Raises:
            ApiError: The token is refused, or an account that the walk asks for is sick.
        """
        return self.page(read_cursor(token))

    def page(self, cursor: Cursor) -> listing.Page:
        """The page at a place.

        Raises:
            ApiError: As `next_page`.
        """
        with self.lock:
            if self.before_page is not None:
                self.before_page(self)
            lifetime = self.options.cursor_lifetime
            age = self.pages_served - cursor.issued if cursor.page > 1 else 0
            if lifetime is not None and age >= lifetime > 0:
                raise ApiError("errors/invalid_parameters", "cursor: expired")
            page = self.peek(cursor)
            self.pages_served += 1
            return page

    def peek(self, cursor: Cursor) -> listing.Page:
        """The page at a place, uncounted and without ``before_page``.

        Raises:
            ApiError: An account that the walk asks for is sick.
        """
        with self.lock:
            filters = cursor.filters
            match = listing.matcher(filters, self.options, self._hidden(filters))
            rows = listing.rows_for(self._store, filters)
            return listing.list_rows(rows, match, self.options, cursor, self.pages_served)

    def _vanished(self) -> set[str]:
        return {account.id for account in self.accounts.values() if not account.connected}

    def _hidden(self, filters: Filters) -> set[str]:
        """The accounts whose chats this list leaves out; raises what a sick one answers."""
        sick = [a for a in self.accounts.values() if a.status != OK and a.connected]
        if not sick:
            return self._vanished()
        if filters.account_ids is not None:
            sick = [a for a in sick if a.id in filters.account_ids]
            fails = self.options.comma_fails or len(set(filters.account_ids)) == 1
        else:
            sick = [a for a in sick if filters.account_type in (None, a.type)]
            fails = self.options.sick_in_list == "fails"
        if sick and fails:
            text = DOCUMENTED[sick[0].status][1]
            raise ApiError(sick[0].status, f"{text} (account {sick[0].id})")
        if filters.account_ids is None and self.options.sick_in_list == "stale":
            return self._vanished()
        return self._vanished() | {account.id for account in sick}

    # --- accounts ------------------------------------------------------------------------------

    def connect_account(
        self, type: str = "WHATSAPP", *, id: str | None = None, history: int = 0
    ) -> str:
        """Link an account that brings ``history`` chats of the last 400 days; returns its id.

        An account that had vanished comes back, with all its chats.
        """
        with self.lock, self.batch():
            account_id = id or inbox.new_id("acc_", self._now, self.rng)
            if account_id in self.accounts:
                self.heal_account(account_id)
            account = self.accounts.setdefault(account_id, Account(account_id, type))
            for _ in range(history):
                self.add(*inbox.write_chat(self.rng, account_id, account.type, self._now))
            return account_id

    def disconnect_account(
        self, account_id: str, error: str | None = "errors/disconnected_account"
    ) -> None:
        """Make an account sick with a documented error type; None: it vanishes without a trace."""
        if error is not None and error not in DOCUMENTED:
            raise ValueError(f"not one of the 31 documented error types: {error!r}")
        with self.lock:
            account = self.accounts[account_id]
            account.status, account.connected = error or OK, error is not None

    def heal_account(self, account_id: str) -> None:
        """Make an account well, connected and listed again."""
        with self.lock:
            account = self.accounts[account_id]
            account.status, account.connected = OK, True

    # --- keeping chats -------------------------------------------------------------------------

    def batch(self) -> AbstractContextManager[None]:
        """While it is open the list keeps its old order; many changes become cheap."""
        return self._store.batch()

    def add(self, chat: Chat, created: int) -> None:
        """List a whole chat as given, with its hidden creation time (ms UTC).

        Raises:
            ValueError: Its id is taken or its account unknown.
        """
        with self.lock:
            if chat["id"] in self._store.rows or chat["account_id"] not in self.accounts:
                raise ValueError(f"id taken or account unknown: {chat['id']}, {chat['account_id']}")
            self._store.add(Row(self._rounded(chat), created))

    def _rounded(self, chat: Chat) -> Chat:
        timestamp = chat.get("timestamp")
        if self.options.rounding and isinstance(timestamp, str):
            chat["timestamp"] = timestamp[:20] + "000Z"
        return chat
