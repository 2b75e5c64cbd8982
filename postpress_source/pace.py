"""How long to wait, by what the API says of its rate limit.

None of these headers is documented for this endpoint; each is heeded if it comes:
`Retry-After` (seconds or an HTTP date), `x-ratelimit-limit`, `-remaining`, and `-reset` (seconds
until the limit is full again; a number that can only be a date is read as Unix seconds).
"""

from __future__ import annotations

import email.utils
import math
import threading
import time
from collections.abc import Mapping
from typing import Final

_UNIX_SECONDS_FROM: Final = 1e9
_FEW: Final = 2.0
_LAST_SHARE: Final = 0.1


def asked_wait(headers: Mapping[str, str]) -> tuple[float, str] | None:
    """The wait that the headers ask for, in seconds (never negative) and in words; None if none."""
    after = headers.get("retry-after")
    if after is not None:
        seconds = _number(after)
        if seconds is None:
            seconds = _seconds_until(after)
        if seconds is not None:
            return max(0.0, seconds), "Retry-After"
    reset = _reset_seconds(headers)
    return None if reset is None else (reset, "x-ratelimit-reset")


class Budget:
    """When the next request may go out; shared by all walks of a client."""

    def __init__(self) -> None:
        self._not_before = 0.0
        self._lock = threading.Lock()

    def pause_seconds(self) -> float:
        """How long to wait before the next request; not positive if there is no need to."""
        return self._not_before - time.monotonic()

    def heed(self, headers: Mapping[str, str], longest: float) -> float:
        """Slow down before the 429: with few requests left, spread them until the reset.

        Returns:
            The pause before the next request, seconds, 0 if there is budget enough.
        """
        remaining, reset = _number(headers.get("x-ratelimit-remaining")), _reset_seconds(headers)
        if remaining is None or not reset:
            return 0.0
        limit = _number(headers.get("x-ratelimit-limit")) or 0.0
        if remaining >= max(_FEW, limit * _LAST_SHARE):
            return 0.0
        pause = min(reset / (max(0.0, remaining) + 1), longest)
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        return pause


def _reset_seconds(headers: Mapping[str, str]) -> float | None:
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is not None and reset >= _UNIX_SECONDS_FROM:
        reset -= time.time()
    return None if reset is None else max(0.0, reset)


def _seconds_until(http_date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(http_date).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
