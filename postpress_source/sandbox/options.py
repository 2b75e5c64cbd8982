"""Which reading of the documents a world follows where they are silent or say two things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["newest_first", "oldest_first", "by_id", "by_account", "shuffled"]
Nulls = Literal["first", "last", "mixed"]


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """The readings of one world; the defaults are the likely ones.

    Attributes:
        order: How the list is sorted. ``by_account`` groups by account id, newest first within.
            Ties are broken by id.
        shuffle_seed: Which shuffle ``order="shuffled"`` means; stable while nothing changes.
        nulls: Where null timestamps sit in the orders by time; ``mixed`` leaves each where its
            last known activity puts it.
        cursor: ``keyset`` continues strictly after the last row's sort key, wherever that row is
            now; ``offset`` counts rows, so it repeats or skips when rows above it move.
        cursor_lifetime: For how many later pages (of any walk) a cursor is good; None: for ever.
            After that it is refused with 400.
        trailing_page: Whether a page that ends the list but is full still has a cursor, which
            leads to an empty last page.
        short_pages: Whether ``limit`` counts rows before the filters, so that pages come short or
            empty in the middle of a walk.
        time_filter: What ``before``/``after`` compare, both exclusive. Null timestamps never
            match under ``activity``.
        envelope: ``items`` is ``{object, items, cursor}``, ``data`` is ``{data, next_cursor}``.
        error_envelope: ``flat`` is ``{title, detail, instance, type, status}``, ``nested`` is
            ``{"error": {code, message, request_id}}``.
        rounding: Whether timestamps are kept to the second, rounded down.
        comma_fails: Whether one sick account in a comma-separated ``account_id`` fails the
            request; otherwise its chats are left out.
        sick_in_list: What a list without ``account_id`` does with a sick account's chats: lists
            them as last known (``stale``), leaves them out (``hidden``), or ``fails``.
        unknown_parameters: Whether a query parameter that nobody documents is refused with 400.
    """

    order: Order = "newest_first"
    shuffle_seed: int = 0
    nulls: Nulls = "last"
    cursor: Literal["keyset", "offset"] = "keyset"
    cursor_lifetime: int | None = None
    trailing_page: bool = False
    short_pages: bool = False
    time_filter: Literal["activity", "creation"] = "activity"
    envelope: Literal["items", "data"] = "items"
    error_envelope: Literal["flat", "nested"] = "flat"
    rounding: bool = False
    comma_fails: bool = True
    sick_in_list: Literal["stale", "hidden", "fails"] = "stale"
    unknown_parameters: Literal["ignored", "refused"] = "ignored"
