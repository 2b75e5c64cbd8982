"""Single questions to the API: the client's own requests, with what it doesn't keep of the answers.

It reads `GET /chats` only, never follows a link, and never asks for anything that starts work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from postpress_source.api.answers import Page
from postpress_source.api.client import PostpressClient, RetrySettings, Traffic
from postpress_source.api.refusals import Place
from postpress_source.arguments import Filters, api_instant
from postpress_source.chats.fields import Chat
from postpress_source.chats.records import loads

_PATIENCE: Final = RetrySettings(timeout=30.0, max_attempts=3, max_delay=10.0)
_LIMIT_HEADERS: Final = ("retry-after", "x-ratelimit-", "ratelimit")
ROUNDING: Final = timedelta(milliseconds=1001)
"""Timestamps may be shown rounded to the second, while the filter compares them unrounded."""


class Probe(PostpressClient):
    """A client that also keeps what the last answer looked like.

    Attributes:
        envelope: The keys of its body, as `items and cursor`.
        limits: Rate-limit headers of all answers, the last value of each.
        seconds: How long each answer took.
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        super().__init__(base_url, api_key, _PATIENCE, connections=1)
        self.envelope = ""
        self.limits: dict[str, str] = {}
        self.seconds: list[float] = []
        self.traffic = Traffic()

    def page(self, query: Mapping[str, str], cursor: str | None = None, number: int = 1) -> Page:
        """One page."""
        started = time.monotonic()
        page = self.get_page(query, cursor, page=number, traffic=self.traffic)
        self.seconds.append(time.monotonic() - started)
        return page

    def _heed_budget(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if name.lower().startswith(_LIMIT_HEADERS):
                self.limits[name.lower()] = value
        super()._heed_budget(headers)

    def _decode(self, body: bytes, place: Place) -> Page:
        page = super()._decode(body, place)
        keys: Any = loads(body)
        self.envelope = "items and cursor" if "items" in keys else "data and next_cursor"
        return page


@dataclass(slots=True)
class Head:
    """The newest part of the list, one or two pages of it."""

    chats: list[Chat] = field(default_factory=list)
    pages: int = 0
    whole: bool = False

    @property
    def timestamps(self) -> list[datetime]:
        """The known ones, in list order."""
        return [chat.timestamp for chat in self.chats if chat.timestamp is not None]

    @property
    def newest_first(self) -> bool:
        """Whether no timestamp is newer than the one before it."""
        times = self.timestamps
        return all(a >= b for a, b in pairwise(times))

    @property
    def descents(self) -> int:
        """How often one is older than the one before it: what the order is judged by."""
        times = self.timestamps
        return sum(a > b for a, b in pairwise(times))


def read_head(probe: Probe, filters: Filters, account_id: str | None) -> Head:
    """The first two pages."""
    head, cursor = Head(), None
    for number in (1, 2):
        page = probe.page(filters.query(account_id), cursor, number)
        head.chats += page.chats
        head.pages = number
        cursor = page.page_cursor
        if cursor is None:
            break
    head.whole = cursor is None
    return head


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `after` and `before` compare: `activity`, `creation`, `ignored` or `undecided`."""

    meaning: str
    evidence: str


def judge_filters(
    probe: Probe, filters: Filters, account_id: str | None, chats: Sequence[Chat]
) -> Verdict:
    """What `after` and `before` filter on, as far as two or three requests can tell.

    The proof needs a chat with two unread messages or more: it was active after it was created. A
    window of a second around its last activity lists it if the filters compare activity, and
    leaves it out if they compare creation.
    """
    plain = Filters(limit=filters.limit, account_type=filters.account_type)
    known = [chat for chat in chats if chat.timestamp is not None]
    if len(known) < 2:
        return Verdict("undecided", "fewer than two chats have a timestamp")
    # the middle of page one: a filter that isn't heeded shows itself on that page
    moment = known[min(len(known), plain.limit) // 2].timestamp
    active = {chat.id for chat in known if _later(chat, moment)}
    older = probe.page(plain.query(account_id) | {"before": _text(moment)}).chats
    awake = [chat for chat in older if _later(chat, moment)]
    if awake:
        return _not_activity(probe, plain, account_id, moment, awake)
    proofs = [chat for chat in known if (chat.unread_count or 0) >= 2]
    if not proofs:
        return Verdict(
            "undecided",
            f"before= hid all {len(active)} chats active since, which fits activity; but none of "
            "them is known to be older than its last activity",
        )
    return _by_window(probe, plain, account_id, proofs[-1])


def _not_activity(
    probe: Probe,
    plain: Filters,
    account_id: str | None,
    moment: datetime | None,
    awake: Sequence[Chat],
) -> Verdict:
    """`before` listed chats that were active later: creation, or nothing at all, is compared."""
    newer = probe.page(plain.query(account_id) | {"after": _text(moment)}).chats
    asleep = [
        chat for chat in newer if chat.timestamp and moment and chat.timestamp < moment - ROUNDING
    ]
    if asleep:
        return Verdict(
            "ignored",
            f"before= listed {len(awake)} chats active later, after= {len(asleep)} active earlier",
        )
    return Verdict(
        "creation", f"before= listed {len(awake)} chats that were active after that moment"
    )


def _by_window(probe: Probe, plain: Filters, account_id: str | None, chat: Chat) -> Verdict:
    if chat.timestamp is None:
        raise ValueError("the chat has no timestamp")
    window = {
        "after": _text(chat.timestamp - ROUNDING),
        "before": _text(chat.timestamp + ROUNDING),
    }
    listed = {other.id for other in probe.page(plain.query(account_id) | window).chats}
    if chat.id in listed:
        return Verdict(
            "activity",
            f"a chat with {chat.unread_count} unread messages is listed in a window of a second "
            "around its last activity",
        )
    return Verdict(
        "undecided",
        "a chat is missing from a window of a second around its last activity; it may have been "
        "active again meanwhile, or creation is compared",
    )


def _later(chat: Chat, moment: datetime | None) -> bool:
    return bool(chat.timestamp and moment and chat.timestamp > moment + ROUNDING)


def _text(moment: datetime | None) -> str:
    if moment is None:
        raise ValueError("no moment")
    return api_instant(moment)
