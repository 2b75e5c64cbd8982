"""How long to wait, by what the API says of its rate limit.

None of these headers is documented for this endpoint; each is heeded if it comes:
`Retry-After` (seconds or an HTTP date), `x-ratelimit-limit`, `-remaining`, and `-reset` (seconds
until the limit is full again; a number that can only be a date is read as Unix seconds or ms).
"""

from __future__ import annotations

import email.utils
import math
import threading
import time
from collections.abc import Mapping
from typing import Final

_UNIX_SECONDS_FROM: Final = 1e9
_UNIX_MS_FROM: Final = 1e12
_FEW: Final = 2.0
_LAST_SHARE: Final = 0.1
_WIDEST_SPACING: Final = 2.0
_SPACING_KEPT: Final = 0.9


def asked_wait(headers: Mapping[str, str], status: int) -> tuple[float, str] | None:
    """The wait that the headers ask for, in seconds and in words; None if they ask for none.

    A date that has passed, or 0, asks for none. `x-ratelimit-reset` is heeded only where the limit
    is the trouble: every answer may carry it.
    """
    after = headers.get("retry-after")
    if after is not None:
        seconds = _number(after)
        if seconds is None:
            seconds = _seconds_until(after)
        if seconds is not None:
            return (seconds, "Retry-After") if seconds > 0 else None
    limited = status == 429 or _number(headers.get("x-ratelimit-remaining")) == 0
    reset = _reset_seconds(headers) if limited else None
    return (reset, "x-ratelimit-reset") if reset else None


class Budget:
    """When the next request may go out; shared by all walks of a client.

    Walks side by side that are refused would all come back at once, and starve each other. So after
    a refusal they take turns, spaced wider with each burst that is refused again.
    """

    def __init__(self) -> None:
        self._not_before = 0.0
        self._next_turn = 0.0
        self._spacing = 0.0
        self._settled_at = 0.0
        self._active = 0
        self._lock = threading.Lock()

    def take_turn(self) -> float:
        """Seconds to wait before the next request, 0 if there is no need to; then `end_turn`."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._not_before, self._next_turn if self._active else 0.0)
            self._active += 1
            self._next_turn = turn + self._spacing
            return turn - now

    def end_turn(self) -> None:
        """The request was answered, or failed."""
        with self._lock:
            self._active -= 1

    def refuse(self, seconds: float) -> None:
        """The API refused a request for its limit, and asks all to wait."""
        with self._lock:
            now = time.monotonic()
            self._not_before = max(self._not_before, now + seconds)
            if now >= self._settled_at:  # the first refusal of a burst
                self._spacing = min(max(2 * self._spacing, seconds / 2), _WIDEST_SPACING)
                self._settled_at = now + seconds

    def heed(self, headers: Mapping[str, str], longest: float) -> float:
        """Slow down before the 429: with few requests left, spread them until the reset.

        Returns:
            The pause before the next request, seconds, 0 if there is budget enough.
        """
        with self._lock:
            self._spacing *= _SPACING_KEPT
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
    if reset is not None and reset >= _UNIX_MS_FROM:
        reset /= 1000
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
