"""Linked accounts, and what one that isn't well or trickles back leaves of its chats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from . import clock
from .options import WorldOptions
from .store import Row

OK: Final = "OK"
Match = Callable[[Row], bool]


@dataclass(slots=True)
class Trickle:
    """Which chats of a reconnected account have not come back yet, and how fast they do.

    Attributes:
        waiting: Chat id -> its place in the queue, from 0; the lately active come first.
        per_page: How many come with each page that the world serves, of whatever list.
        per_hour: How many come with each hour of the world's clock.
        pages: How many pages the world had served when it began.
        began: When, ms UTC.
    """

    waiting: dict[str, int]
    per_page: int
    per_hour: float
    pages: int
    began: int

    def is_back(self, pages: int, now: int) -> Match:
        """Whether a row is listed again, once so many pages are served and it is ``now``."""
        hours = (now - self.began) / clock.HOUR_MS
        come = self.per_page * (pages - self.pages) + int(self.per_hour * hours)
        return lambda row: self.waiting.get(row.id, -1) < come


@dataclass(slots=True)
class Account:
    """A linked account.

    Attributes:
        type: Its provider, one of the seven documented.
        status: ``OK``, or the error type that requests for it are answered with.
        connected: False once it was disconnected without a trace: its chats aren't listed and no
            error says why.
        trickle: What has not come back yet; None: all is listed.
        guests: Ids of other accounts' chats that the list for this account shows as well.
    """

    id: str
    type: str
    status: str = OK
    connected: bool = True
    trickle: Trickle | None = None
    guests: tuple[str, ...] = ()


def never(_: Row) -> bool:
    """No row at all."""
    return False


def sick_part(rows: Iterable[Row], options: WorldOptions) -> Match | None:
    """Which of a sick account's rows the list of all visible chats shows; None: all of them."""
    if options.sick_in_list == "stale":
        return None
    if options.sick_in_list == "first":
        newest = sorted(rows, key=lambda row: (-row.activity, row.id, row.copy))
        shown = frozenset(newest[: options.sick_first])
    elif options.sick_in_list == "every_second":
        shown = frozenset(sorted(rows, key=lambda row: (row.id, row.copy))[::2])
    else:
        return never
    return shown.__contains__
