"""Where a world keeps its chats: encoded once, sorted always.

Each chat is held as the JSON bytes the API shows, not as a dict: a million fit in about a gigabyte
and a page is a join of bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any
from zlib import crc32

import msgspec

from . import clock
from .options import WorldOptions

Chat = dict[str, Any]
Key = tuple[Any, ...]
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
_by_key = attrgetter("key")
_FEW = 64


class Row:
    """One listed chat: its JSON, and what listing needs of it.

    Attributes:
        shown: The timestamp the API shows, ms UTC; None when it shows null.
        activity: The last timestamp known, ms UTC; sorts null rows under ``nulls="mixed"``.
        created: The hidden creation time, ms UTC.
        body: The chat as the API shows it, JSON.
        key: Place in the list; None while the row isn't in it.
    """

    __slots__ = (
        "account_id", "account_type", "activity", "body", "copy", "created", "id", "key",
        "shown", "unread",
    )  # fmt: skip

    def __init__(self, chat: Chat, created: int, copy: int = 0) -> None:
        """Build the row of a chat; ``copy`` tells apart rows that show one id twice."""
        self.id: str = chat["id"]
        self.account_id: str = chat["account_id"]
        self.created = self.activity = created
        self.copy = copy
        self.key: Key | None = None
        self.show(chat)

    def show(self, chat: Chat) -> None:
        """Take over what the API is to show from now on."""
        self.account_type: str | None = chat.get("account_type")
        self.unread = bool(chat.get("unread_count"))
        self.body: bytes = encode(chat)
        timestamp = chat.get("timestamp")
        self.shown: int | None = None
        if isinstance(timestamp, str):
            self.shown = self.activity = clock.from_text(timestamp)

    def chat(self) -> Chat:
        """A fresh dict, as the API shows it."""
        chat: Chat = decode(self.body)
        return chat


def sort_key(options: WorldOptions) -> Callable[[Row], Key]:
    """The function that gives a row its place in the list under these options.

    All keys end in the row's id and copy, which break ties; what stands before is the order.
    """

    def null_rank(row: Row) -> int:
        if options.nulls == "mixed" or row.shown is not None:
            return 0
        return -1 if options.nulls == "first" else 1

    seed = f"{options.shuffle_seed}:"
    keys: dict[str, Callable[[Row], Key]] = {
        "newest_first": lambda r: (null_rank(r), -r.activity, r.id, r.copy),
        "oldest_first": lambda r: (null_rank(r), r.activity, r.id, r.copy),
        "by_creation": lambda r: (-r.created, r.id, r.copy),
        "by_id": lambda r: (r.id, r.id, r.copy),
        "by_account": lambda r: (r.account_id, null_rank(r), -r.activity, r.id, r.copy),
        "shuffled": lambda r: (crc32((seed + r.id).encode()), r.id, r.copy),
        "none": lambda r: (r.id, r.copy),
    }
    return keys[options.order]


def shaken(salt: str) -> Callable[[Key], Key]:
    """The function that makes of a sort key one whose ties are broken at random, by ``salt``."""
    return lambda key: (*key[:-2], crc32(f"{salt}{key[-2]}".encode()), *key[-2:])


class ChatStore:
    """Rows by id, and their sorted lists: one of all, one an account.

    Not thread-safe; the world's lock guards it.
    """

    def __init__(self, key_of: Callable[[Row], Key]) -> None:
        """An empty store, sorted by ``key_of``."""
        self.rows: dict[str, Row] = {}
        self.copies: dict[str, list[Row]] = {}
        self._key_of = key_of
        self._lists: dict[str | None, list[Row]] = {None: []}
        self._moved: dict[Row, bool] | None = None

    def listed(self, account_id: str | None = None) -> list[Row]:
        """The sorted rows of one account, or all; stale inside `batch`. Don't change it."""
        return self._lists.get(account_id) or []

    def add(self, row: Row) -> None:
        """Keep a row under its id; a row with ``copy`` is listed beside the one that has the id."""
        if row.copy:
            self.copies.setdefault(row.id, []).append(row)
        else:
            self.rows[row.id] = row
        self.place(row)

    def drop(self, chat_id: str) -> None:
        """Forget a chat and its copies."""
        for row in (self.rows.pop(chat_id), *self.copies.pop(chat_id, ())):
            if self._moved is None:
                self._unlist(row)
            else:
                self._moved[row] = False

    def place(self, row: Row) -> None:
        """Put a new or changed row where it belongs in the lists."""
        if self._moved is not None:
            self._moved[row] = True
        elif row.key is None or row.key != self._key_of(row):
            self._unlist(row)
            self._list(row)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Sort once at the end instead of at each change; may be nested."""
        if self._moved is not None:
            yield
            return
        self._moved = {}
        try:
            yield
        finally:
            moved, self._moved = self._moved, None
            self._settle(moved)

    def _settle(self, moved: dict[Row, bool]) -> None:
        if len(moved) < _FEW:
            for row, stays in moved.items():
                self._unlist(row)
                if stays:
                    self._list(row)
            return
        by_list: dict[str | None, list[Row]] = {None: []}
        for row, stays in moved.items():
            row.key = self._key_of(row) if stays else None
            for name in (None, row.account_id):
                by_list.setdefault(name, []).extend((row,) * stays)
        for name, rows in by_list.items():
            old = self._lists.get(name, [])
            self._lists[name] = [row for row in old if row not in moved] + rows
            self._lists[name].sort(key=_by_key)

    def _list(self, row: Row) -> None:
        row.key = self._key_of(row)
        for name in (None, row.account_id):
            rows = self._lists.setdefault(name, [])
            rows.insert(bisect_left(rows, row.key, key=_by_key), row)

    def _unlist(self, row: Row) -> None:
        if row.key is None:
            return
        for name in (None, row.account_id):
            rows = self._lists[name]
            del rows[bisect_left(rows, row.key, key=_by_key)]
        row.key = None


def position_after(rows: list[Row], key: Key) -> int:
    """Index of the first row that sorts strictly after ``key``."""
    return bisect_right(rows, key, key=_by_key)


def merged(rows: list[Row], more: list[Row]) -> list[Row]:
    """A new sorted list of both."""
    return sorted(rows + more, key=_by_key)
