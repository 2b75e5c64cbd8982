"""Times of the sandbox: integers inside (milliseconds since 1970, UTC), the API's text outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_MS = 1_000
HOUR_MS = 3_600 * SECOND_MS
DAY_MS = 24 * HOUR_MS
API_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, UTC, of an aware datetime, rounded down.

    Raises:
        ValueError: The datetime is naive.
    """
    if at.tzinfo is None:
        raise ValueError(f"a datetime with a time zone is needed, got {at!r}")
    return (at - EPOCH) // timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return f"{to_datetime(day * DAY_MS):%Y-%m-%d}".rjust(10, "0")


def to_text(ms: int) -> str:
    """The API's form of a time: ``YYYY-MM-DDTHH:MM:SS.sssZ``."""
    day, rest = divmod(ms, DAY_MS)
    seconds, milliseconds = divmod(rest, SECOND_MS)
    minutes, second = divmod(seconds, 60)
    return f"{_date(day)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{milliseconds:03}Z"


def from_text(text: str) -> int:
    """Milliseconds since 1970 of exactly ``YYYY-MM-DDTHH:MM:SS.sssZ``.

    Raises:
        ValueError: Another form, or no such date.
    """
    if not API_DATETIME.fullmatch(text):
        raise ValueError(f"not of the form YYYY-MM-DDTHH:MM:SS.sssZ: {text!r}")
    return to_ms(datetime.fromisoformat(text))
