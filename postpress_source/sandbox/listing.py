"""How a world lists: filters, one page at a time, and the cursor to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from .cursor import Cursor, Filters, write_cursor
from .options import WorldOptions
from .store import Chat, ChatStore, Row, decode, position_after

Match = Callable[[Row], bool]


class Page(msgspec.Struct, frozen=True):
    """One page of chats.

    Attributes:
        chats: Each chat's JSON, in list order.
        cursor: The token to the next page; None on the last.
        number: The page's number in its walk, from 1.
    """

    chats: list[bytes]
    cursor: str | None
    number: int

    @property
    def items(self) -> list[Chat]:
        """The chats as fresh dicts, in list order."""
        return [decode(chat) for chat in self.chats]

    def body(self, envelope: str = "items") -> bytes:
        """The page as the API answers it, JSON, in the ``items`` or the ``data`` envelope."""
        cursor = f'"{self.cursor}"'.encode() if self.cursor else b"null"
        chats = b",".join(self.chats)
        if envelope == "data":
            return b'{"data":[' + chats + b'],"next_cursor":' + cursor + b"}"
        return b'{"object":"ChatList","items":[' + chats + b'],"cursor":' + cursor + b"}"


def matcher(filters: Filters, options: WorldOptions, hidden: set[str]) -> Match | None:
    """Whether a row belongs to the list; None when every row does.

    Leaves `Filters.account_ids` of a single account to the choice of the sorted rows.
    """
    tests: list[Match] = []
    if hidden:
        tests.append(lambda row: row.account_id not in hidden)
    if filters.account_ids is not None and len(set(filters.account_ids)) > 1:
        wanted = frozenset(filters.account_ids)
        tests.append(lambda row: row.account_id in wanted)
    if filters.account_type is not None:
        tests.append(lambda row: row.account_type == filters.account_type)
    if filters.unread is not None:
        tests.append(lambda row: row.unread is filters.unread)
    if filters.before is not None or filters.after is not None:
        tests.append(_between(filters.after, filters.before, options.time_filter))
    if not tests:
        return None
    return lambda row: all(test(row) for test in tests)


def _between(after: int | None, before: int | None, time_filter: str) -> Match:
    def test(row: Row) -> bool:
        at = row.created if time_filter == "creation" else row.shown
        if at is None:
            return False
        return (after is None or at > after) and (before is None or at < before)

    return test


def rows_for(store: ChatStore, filters: Filters) -> list[Row]:
    """The sorted rows to look through: of one account if only one is asked for, else all."""
    ids = set(filters.account_ids or ())
    return store.listed(ids.pop()) if len(ids) == 1 else store.listed()


def list_rows(
    rows: list[Row], match: Match | None, options: WorldOptions, cursor: Cursor, served: int
) -> Page:
    """The page a cursor leads to; ``served`` is the number of pages served before it."""
    found = _slice(rows, None if options.short_pages else match, cursor)
    window, more = found[: cursor.limit], len(found) > cursor.limit
    shown = filter(match, window) if options.short_pages and match else window
    token = None
    if more or (options.trailing_page and len(window) == cursor.limit):
        token = write_cursor(_next(cursor, window, options, served))
    return Page([row.body for row in shown], token, cursor.page)


def _slice(rows: list[Row], match: Match | None, cursor: Cursor) -> list[Row]:
    """The page's rows and, if there is one, the row behind them."""
    start = 0 if cursor.after_key is None else position_after(rows, cursor.after_key)
    if match is None:
        start += cursor.offset
        return rows[start : start + cursor.limit + 1]
    found = filter(match, _from(rows, start))
    return list(islice(found, cursor.offset, cursor.offset + cursor.limit + 1))


def _from(rows: list[Row], start: int) -> Iterator[Row]:
    return (rows[index] for index in range(start, len(rows)))


def _next(cursor: Cursor, window: list[Row], options: WorldOptions, served: int) -> Cursor:
    changes: dict[str, Any] = {"page": cursor.page + 1}
    if options.cursor_lifetime is not None:  # else the same page has the same token each time
        changes["issued"] = served + 1
    if options.cursor == "offset":
        changes["offset"] = cursor.offset + len(window)
    else:
        changes["after_key"] = window[-1].key
    return msgspec.structs.replace(cursor, **changes)


def account_ids(value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Account ids from the API's comma-separated form or from a sequence."""
    if isinstance(value, str):
        value = value.split(",")
    return None if value is None else tuple(value)
