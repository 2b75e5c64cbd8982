"""Which reading of the documents a world follows where they are silent or say two things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

Order = Literal[
    "newest_first", "oldest_first", "by_creation", "by_id", "by_account", "shuffled", "none"
]
Nulls = Literal["last", "first", "mixed"]
CursorFilters = Literal["carried", "wanted", "refused"]
Repeats = Literal["none", "extra", "instead"]
SickInList = Literal["stale", "hidden", "fails", "first", "every_second"]
Numbers = Literal["integers", "booleans", "floats", "texts"]
Instants = Literal["milliseconds", "offset", "seconds", "microseconds", "no_zone"]

FILTERS: Final = ("account_id", "account_type", "unread", "before", "after")
_LEAST: Final = {
    "cursor_lifetime": 1, "page_cap": 1, "empty_every": 2, "repeated_page": 1, "repeat_times": 1,
    "sick_first": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """The readings of one world; the defaults are the likely ones.

    *Lies* marks what no client can see through by paging alone. With any of the others a client
    that sends its filters with every page, or the cursor alone once that is refused, gets exactly
    what `World.relist` gives (of ``repeats="extra"`` some of it twice). A switch that finds
    nothing to do is no error; a value that isn't named here is, and so is a contradiction.

    Attributes:
        order: How the list is sorted. ``by_creation`` is newest first by the hidden creation time,
            ``by_account`` groups by account id, newest first within, ``shuffled`` is one random
            order for all walks, ``none`` another random one for each walk (`World.relist` then
            goes by id).
        shuffle_seed: Which shuffle ``order="shuffled"`` or ``"none"`` means.
        ties: ``stable`` breaks them by id; ``unstable`` anew on each page, so that pages repeat
            and skip what ties across their seam. Under ``order="none"`` all chats tie. *Lies.*
        nulls: Where null timestamps sit in the orders by time; ``mixed`` leaves each where its
            last known activity puts it.
        cursor: ``keyset`` continues strictly after the last row's sort key, wherever that row is
            now; ``offset`` counts rows, so it repeats or skips when rows above it move.
        cursor_lifetime: For how many later pages (of any walk) a cursor is good; None: for ever.
            After that it is refused with 400.
        cursor_filters: What a cursor's page makes of filters and ``limit``. ``carried``: the
            cursor has them, others beside it are ignored. ``wanted``: the cursor is a place and
            nothing else; a page without them goes on from there in the whole list, 100 a page.
            ``refused``: the cursor has them, and any parameter beside it gets 400.
        ignored_filters: Names of filters that change nothing, on any page. *Lies.*
        first_page_filters: Names of filters heeded on page one only. *Lies.*
        trailing_page: Whether a page that ends the list but is full still has a cursor, which
            leads to an empty last page.
        short_pages: Whether ``limit`` counts rows before the filters, so that pages come short or
            empty in the middle of a walk.
        page_cap: No page has more chats, whatever ``limit`` asks for; None: as many as asked.
        empty_every: Every so many-th page of a walk is empty, with a cursor; None: none.
        repeats: Whether pages repeat under a cursor that moves. ``extra``: page `repeated_page`
            comes `repeat_times` times more, then the walk goes on. ``instead``: it comes in the
            place of the `repeat_times` pages behind it, whose chats aren't shown. *Lies*
            (``instead``).
        repeated_page: Which page repeats, from 1.
        repeat_times: How often; None, of ``instead`` only: up to the end of the list.
        time_filter: What ``before``/``after`` compare, both exclusive.
        timeless: Whether chats with a null timestamp match ``before``/``after`` under
            ``time_filter="activity"``; a creation time all have.
        envelope: ``items`` is ``{object, items, cursor}``, ``data`` is ``{data, next_cursor}``.
        error_envelope: ``flat`` is ``{title, detail, instance, type, status}``, ``nested`` is
            ``{"error": {code, message, request_id}}``.
        numbers: ``booleans`` writes ``archived`` and ``pinned`` as true and false; ``floats``
            writes every number of a chat as ``1.0``, ``texts`` as ``"1"``.
        instants: How ``timestamp`` and ``muted_until`` are written: ``…11.345Z`` as documented,
            ``…11.345+00:00``, ``…11Z``, ``…11.345000Z``, ``…11.345``. Sorted and filtered is by
            the millisecond all the same.
        rounding: Whether timestamps are kept to the second, rounded down.
        comma_fails: Whether one sick or unknown account in a comma-separated ``account_id`` fails
            the request; otherwise its chats are left out.
        unknown_account: What a named account that isn't known, or has vanished, gets.
        sick_in_list: What a list without ``account_id`` does with a sick account's chats: lists
            them as last known (``stale``), leaves them out (``hidden``), ``fails``, or lists only
            the ``first`` `sick_first` by activity, or ``every_second`` by id. *Lies* (the last
            three that list).
        sick_first: How many.
        unknown_parameters: Whether a query parameter that nobody documents is refused with 400.
    """

    order: Order = "newest_first"
    shuffle_seed: int = 0
    ties: Literal["stable", "unstable"] = "stable"
    nulls: Nulls = "last"
    cursor: Literal["keyset", "offset"] = "keyset"
    cursor_lifetime: int | None = None
    cursor_filters: CursorFilters = "carried"
    ignored_filters: tuple[str, ...] = ()
    first_page_filters: tuple[str, ...] = ()
    trailing_page: bool = False
    short_pages: bool = False
    page_cap: int | None = None
    empty_every: int | None = None
    repeats: Repeats = "none"
    repeated_page: int = 1
    repeat_times: int | None = 1
    time_filter: Literal["activity", "creation"] = "activity"
    timeless: Literal["out", "in"] = "out"
    envelope: Literal["items", "data"] = "items"
    error_envelope: Literal["flat", "nested"] = "flat"
    numbers: Numbers = "integers"
    instants: Instants = "milliseconds"
    rounding: bool = False
    comma_fails: bool = True
    unknown_account: Literal["empty", "400", "404"] = "empty"
    sick_in_list: SickInList = "stale"
    sick_first: int = 1
    unknown_parameters: Literal["ignored", "refused"] = "ignored"

    def __post_init__(self) -> None:
        """Refuse a value that isn't one, or values that contradict each other.

        Raises:
            ValueError: Names the option, the value and what is allowed.
        """
        for name, hint in get_type_hints(WorldOptions).items():
            _check_value(name, getattr(self, name), hint)
        for name in ("ignored_filters", "first_page_filters"):
            object.__setattr__(self, name, _filter_names(name, getattr(self, name)))
        both = set(self.ignored_filters) & set(self.first_page_filters)
        if both:
            raise ValueError(f"both in ignored_filters and first_page_filters: {sorted(both)}")
        if self.repeats == "extra" and self.repeat_times is None:
            raise ValueError("repeats='extra' with repeat_times=None would never end")


def _check_value(name: str, value: Any, hint: Any) -> None:
    allowed = get_args(hint) if get_origin(hint) is Literal else None
    if allowed and value not in allowed:
        raise ValueError(f"{name}: one of {', '.join(allowed)}, not {value!r}")
    if hint is bool and not isinstance(value, bool):
        raise ValueError(f"{name}: True or False, not {value!r}")
    if allowed is None and int in (hint, *get_args(hint)):
        _check_number(name, value, may_be_none=hint is not int)


def _check_number(name: str, value: Any, *, may_be_none: bool) -> None:
    if value is None and may_be_none:
        return
    least = _LEAST.get(name)
    if not isinstance(value, int) or (least is not None and value < least):
        how_many = "" if least is None else f", {least} or more"
        raise ValueError(f"{name}: an integer{how_many}, not {value!r}")


def _filter_names(name: str, value: Iterable[str]) -> tuple[str, ...]:
    unknown = [value] if isinstance(value, str) else [one for one in value if one not in FILTERS]
    if unknown:
        raise ValueError(f"{name}: a tuple of names out of {', '.join(FILTERS)}, not {unknown}")
    return tuple(sorted(value))
