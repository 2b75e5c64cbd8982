"""Accounts and their chats, and the list as the API gives it of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from random import Random
from threading import RLock
from typing import Any

from . import clock, listing
from .accounts import OK, Account, Match, never, sick_part
from .cursor import ALL, DEFAULT_LIMIT, Cursor, Filters, resume
from .notation import rewrite
from .options import WorldOptions
from .problems import DOCUMENTED, UNDOCUMENTED, ApiError
from .store import Chat, ChatStore, Row, sort_key


class VisibleChats:
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
        self._guests_shown = False

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
        return rewrite(self._store.rows[chat_id].chat(), self.options)

    def relist(
        self,
        *,
        account_id: str | Iterable[str] | None = None,
        account_type: str | None = None,
        unread: bool | None = None,
        before: datetime | None = None,
        after: datetime | None = None,
        whole: bool = False,
    ) -> list[Chat]:
        """All matching chats in list order, without paging: the plain truth.

        It is what a complete listing is that heeds every filter, written as the API writes it.
        ``before`` and ``after`` are exclusive. Of what can happen:

        - A sick account's chats are in it, all, as last known.
        - An account that vanished without a trace has none in it, until it is back.
        - Of one that trickles back (`trickle_account`) it has what the API can list now; with
          ``whole`` all that it will list in the end.
        - A guest (`show_guest`) is in the list of its own account only.
        - A chat goes by the ``account_type`` that it shows (`mix_types`).
        - A delayed message has put its chat where its timestamp is now.
        - Pages that repeat (`repeat_pages`), or any other lie of the paging, change nothing.
        """
        filters = Filters(
            listing.account_ids(account_id),
            account_type,
            unread,
            None if before is None else clock.to_ms(before),
            None if after is None else clock.to_ms(after),
        )
        with self.lock:
            partly = self._away(with_trickle=not whole)
            match = listing.matcher(filters, self.options, partly)
            rows = filter(match, listing.rows_for(self._store, filters))
            return [rewrite(row.chat(), self.options) for row in rows]

    def first_page(self, filters: Filters = ALL, limit: int = DEFAULT_LIMIT) -> listing.Page:
        """The first page of a walk, ``limit`` chats long at most.

        Raises:
            ApiError: An account that it asks for is sick or unknown.
        """
        return self.page(Cursor(filters=filters, limit=limit))

    def next_page(
        self, token: str, filters: Filters | None = None, limit: int | None = None
    ) -> listing.Page:
        """The page that an earlier page's cursor leads to.

        What is sent beside it counts as `WorldOptions.cursor_filters` says; None: nothing is sent.

        Raises:
            ApiError: The token is refused, or an account that the walk asks for is sick or unknown.
        """
        return self.page(resume(token, filters, limit, self.options.cursor_filters))

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
            if lifetime is not None and age >= lifetime:
                raise ApiError("errors/invalid_parameters", "cursor: expired")
            page = self.peek(cursor)
            self.pages_served += 1
            return page

    def peek(self, cursor: Cursor) -> listing.Page:
        """The page at a place, uncounted and without ``before_page``.

        Raises:
            ApiError: An account that the walk asks for is sick or unknown.
        """
        with self.lock:
            filters = listing.heeded(cursor, self.options)
            partly, guests = self._away(), self._guests(filters)
            if filters.account_ids is None:
                partly |= self._sick_parts(filters)
            else:
                partly |= self._refuse_named(filters.account_ids)
            match = listing.matcher(filters, self.options, partly, guests)
            rows = listing.rows_for(self._store, filters, guests)
            return listing.list_rows(rows, match, self.options, cursor, self.pages_served)

    # --- what accounts leave of it -------------------------------------------------------------

    def _away(self, *, with_trickle: bool = True) -> dict[str, Match]:
        """Which chats are listed of the accounts that vanished or haven't come back whole."""
        partly: dict[str, Match] = {}
        for account in self.accounts.values():
            if not account.connected:
                partly[account.id] = never
            elif account.trickle is not None and with_trickle:
                partly[account.id] = account.trickle.is_back(self.pages_served, self._now)
        return partly

    def _guests(self, filters: Filters) -> frozenset[str]:
        """The chats of others that a list of named accounts shows."""
        if filters.account_ids is None or not self._guests_shown:
            return frozenset()
        named = (self.accounts.get(account_id) for account_id in filters.account_ids)
        return frozenset(chat for account in named if account for chat in account.guests)

    def _sick_parts(self, filters: Filters) -> dict[str, Match]:
        """What the list of all visible accounts shows of sick ones; raises if it fails."""
        partly: dict[str, Match] = {}
        for account in self.accounts.values():
            if account.status == OK or not account.connected:
                continue
            if self.options.sick_in_list == "fails":
                if filters.account_type in (None, account.type):
                    raise _refusal(account)
                continue
            part = sick_part(self._store.listed(account.id), self.options)
            if part is not None:
                partly[account.id] = part
        return partly

    def _refuse_named(self, account_ids: tuple[str, ...]) -> dict[str, Match]:
        """Refuse named accounts that are sick or unknown; those that are left out instead."""
        named = dict.fromkeys(account_ids)
        fails = self.options.comma_fails or len(named) == 1
        partly: dict[str, Match] = {}
        for account_id in named:
            account = self.accounts.get(account_id)
            if account is None or not account.connected:
                if fails and self.options.unknown_account != "empty":
                    raise _unknown(account_id, self.options.unknown_account)
            elif account.status != OK:
                if fails:
                    raise _refusal(account)
                partly[account_id] = never
        return partly

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


def _refusal(account: Account) -> ApiError:
    _, text = DOCUMENTED.get(account.status) or UNDOCUMENTED[account.status]
    return ApiError(account.status, f"{text} (account {account.id})")


def _unknown(account_id: str, status: str) -> ApiError:
    if status == "404":
        return ApiError("errors/resource_not_found", f"There is no account {account_id}.")
    return ApiError("errors/invalid_parameters", f"account_id: there is no account {account_id}")
