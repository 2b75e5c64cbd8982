"""How a world lists: filters, one page at a time, and the cursor to the next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from .accounts import Match
from .cursor import Cursor, Filters, write_cursor
from .notation import is_plain, rewrite_body
from .options import WorldOptions
from .store import Chat, ChatStore, Row, decode, merged, position_after, shaken


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


def matcher(
    filters: Filters,
    options: WorldOptions,
    partly: Mapping[str, Match],
    guests: frozenset[str] = frozenset(),
) -> Match | None:
    """Whether a row belongs to the list; None when every row does.

    Leaves `Filters.account_ids` of a single account to the choice of the sorted rows.

    Args:
        filters: What the list is narrowed to.
        options: The world's.
        partly: By account id, which rows are listed of one that isn't listed whole.
        guests: Ids of chats listed although their accounts aren't asked for.
    """
    tests: list[Match] = []
    if partly:
        tests.append(lambda row: (test := partly.get(row.account_id)) is None or test(row))
    if filters.account_ids is not None and len(set(filters.account_ids)) > 1:
        wanted = frozenset(filters.account_ids)
        tests.append(lambda row: row.account_id in wanted or row.id in guests)
    if filters.account_type is not None:
        tests.append(lambda row: row.account_type == filters.account_type)
    if filters.unread is not None:
        tests.append(lambda row: row.unread is filters.unread)
    if filters.before is not None or filters.after is not None:
        tests.append(_between(filters.after, filters.before, options))
    if not tests:
        return None
    return lambda row: all(test(row) for test in tests)


def _between(after: int | None, before: int | None, options: WorldOptions) -> Match:
    by_creation, timeless = options.time_filter == "creation", options.timeless == "in"

    def test(row: Row) -> bool:
        at = row.created if by_creation else row.shown
        if at is None:
            return timeless
        return (after is None or at > after) and (before is None or at < before)

    return test


def heeded(cursor: Cursor, options: WorldOptions) -> Filters:
    """The filters that a page is really narrowed by, of those that were asked for."""
    dropped = options.ignored_filters
    if cursor.page > 1:
        dropped += options.first_page_filters
    if not dropped:
        return cursor.filters
    names = ("account_ids" if name == "account_id" else name for name in dropped)
    return msgspec.structs.replace(cursor.filters, **dict.fromkeys(names))


def rows_for(store: ChatStore, filters: Filters, guests: Iterable[str] = ()) -> list[Row]:
    """The sorted rows to look through: of one account if only one is asked for, else all."""
    ids = set(filters.account_ids or ())
    if len(ids) != 1:
        return store.listed()
    account_id = ids.pop()
    rows = store.listed(account_id)
    strangers = [store.rows[chat_id] for chat_id in guests if chat_id in store.rows]
    strangers = [row for row in strangers if row.key and row.account_id != account_id]
    return merged(rows, strangers) if strangers else rows


def list_rows(
    rows: list[Row], match: Match | None, options: WorldOptions, cursor: Cursor, served: int
) -> Page:
    """The page a cursor leads to; ``served`` is the number of pages served before it."""
    if options.order == "none" and not cursor.walk:
        cursor = msgspec.structs.replace(cursor, walk=served + 1)
    if options.empty_every is not None and cursor.page % options.empty_every == 0:
        return Page([], write_cursor(_next(cursor, (), options, served)), cursor.page)
    limit = min(cursor.limit, options.page_cap or cursor.limit)
    wanted = None if options.short_pages else match
    found = _slice(rows, wanted, cursor, options, limit)
    window, more = found[:limit], len(found) > limit
    token = None
    if more or (options.trailing_page and len(window) == limit):
        token = write_cursor(_next(cursor, window, options, served))
    if cursor.repeated is not None and _repeats_before(cursor.page, options):
        after_key, offset = cursor.repeated
        first = msgspec.structs.replace(cursor, after_key=after_key, offset=offset)
        window = _slice(rows, wanted, first, options, limit)[:limit]
    shown = filter(match, window) if options.short_pages and match else window
    if is_plain(options):
        return Page([row.body for row in shown], token, cursor.page)
    return Page([rewrite_body(row.body, options) for row in shown], token, cursor.page)


def _repeats_before(page: int, options: WorldOptions) -> bool:
    """Whether a page comes in the place of another one, or is an extra one."""
    behind = page - options.repeated_page
    return behind > 0 and (options.repeat_times is None or behind <= options.repeat_times)


def _slice(
    rows: list[Row], match: Match | None, cursor: Cursor, options: WorldOptions, limit: int
) -> list[Row]:
    """The page's rows and, if there is one, the row behind them."""
    if options.order == "none" or options.ties == "unstable":
        rows, start = _shake(rows, cursor, options)
    else:
        start = 0 if cursor.after_key is None else position_after(rows, cursor.after_key)
    if match is None:
        start += cursor.offset
        return rows[start : start + limit + 1]
    found = filter(match, _from(rows, start))
    return list(islice(found, cursor.offset, cursor.offset + limit + 1))


def _shake(rows: list[Row], cursor: Cursor, options: WorldOptions) -> tuple[list[Row], int]:
    """The rows as this page sorts them, and where it starts."""
    page = cursor.page if options.ties == "unstable" else 0
    of_key = shaken(f"{options.shuffle_seed}:{cursor.walk}:{page}:")
    placed = sorted(((of_key(row.key), row) for row in rows if row.key), key=itemgetter(0))
    start = 0
    if cursor.after_key is not None:
        start = bisect_right(placed, of_key(cursor.after_key), key=itemgetter(0))
    return [row for _, row in placed], start


def _from(rows: list[Row], start: int) -> Iterator[Row]:
    return (rows[index] for index in range(start, len(rows)))


def _next(
    cursor: Cursor, window: list[Row] | tuple[()], options: WorldOptions, served: int
) -> Cursor:
    changes: dict[str, Any] = {"page": cursor.page + 1}
    if options.cursor_lifetime is not None:  # else the same page has the same token each time
        changes["issued"] = served + 1
    if options.repeats == "instead" and cursor.page == options.repeated_page:
        changes["repeated"] = (cursor.after_key, cursor.offset)
    comes_again = options.repeats == "extra" and _repeats_before(cursor.page + 1, options)
    if window and not comes_again:
        changes |= _place_behind(cursor, window, options)
    return msgspec.structs.replace(cursor, **changes)


def _place_behind(cursor: Cursor, window: list[Row], options: WorldOptions) -> dict[str, Any]:
    if options.cursor == "offset":
        return {"offset": cursor.offset + len(window)}
    return {"after_key": window[-1].key}


def account_ids(value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Account ids from the API's comma-separated form or from a sequence."""
    if isinstance(value, str):
        value = value.split(",")
    return None if value is None else tuple(value)
