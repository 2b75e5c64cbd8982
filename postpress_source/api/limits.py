"""What headers say of the API's rate limit: one reader for all of them, and one set of rules.

None of these headers is documented for this endpoint; each is heeded if it comes.

    Retry-After                 when to ask again
    ...-limit, ...-remaining    how many requests; behind x-ratelimit, x-rate-limit or ratelimit
    ...-reset, -reset-after     when the limit is full again; behind the same

    a moment        seconds from now (5, 1.5), a date of HTTP in any of its three forms, ISO 8601,
                    or Unix time, told by its size, in seconds, ms or finer
    zone            a date without one, or with -0000, is UTC: this machine's zone is nobody's
    passed          no wait
    several values  in one header or in several: the longest wait, the fewest requests left
    anything else   is as if it weren't there
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

_PREFIXES: Final = ("x-ratelimit-", "x-rate-limit-", "ratelimit-")
_BETWEEN_VALUES: Final = re.compile(r"(?<!mon|tue|wed|thu|fri|sat|sun|day),", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d*)?|\.\d+)", re.ASCII)
_UNIX_FROM: Final = 1e9
_FINER_FROM: Final = 1e11  # as seconds, the year 5138


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer's headers say; None: nothing that can be read.

    Attributes:
        retry_after: Seconds to wait before the next request.
        reset: Seconds until the limit is full again.
        remaining: Requests left until then.
        limit: Requests that a full limit allows.
    """

    retry_after: float | None = None
    reset: float | None = None
    remaining: float | None = None
    limit: float | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Limits:
        """Read the headers, now."""
        now = time.time()
        resets = [*_values(headers, "reset"), *_values(headers, "reset-after")]
        remaining, limit = (
            [number for value in _values(headers, name) if (number := _number(value)) is not None]
            for name in ("remaining", "limit")
        )
        return cls(
            _longest(_split(headers.get("retry-after", "")), now),
            _longest(resets, now),
            min(remaining, default=None),
            max(limit, default=None),
        )


def _values(headers: Mapping[str, str], name: str) -> Iterator[str]:
    for prefix in _PREFIXES:
        yield from _split(headers.get(prefix + name, ""))


def _split(text: str) -> Iterator[str]:
    """The values of a header, which has several if it came several times; without parameters."""
    for value in _BETWEEN_VALUES.split(text):
        yield value.partition(";")[0].strip(' \t"')


def _longest(values: Iterator[str] | list[str], now: float) -> float | None:
    waits = [wait for value in values if (wait := _wait(value, now)) is not None]
    return max(waits, default=None)


def _wait(text: str, now: float) -> float | None:
    moment = _number(text)
    if moment is None:
        moment = _date(text)
    elif moment < _UNIX_FROM:
        return max(0.0, moment)
    else:
        while moment >= _FINER_FROM:
            moment /= 1000
    return None if moment is None else max(0.0, moment - now)


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    """A date as Unix seconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _http_date(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _http_date(text: str) -> float | None:
    fields = parsedate_tz(text)
    if fields is None:
        return None
    year, month, day, hour, minute, second, *_, offset = fields
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return moment.timestamp() - (offset or 0)
