"""How long to wait, by what the API says of its rate limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

from postpress_source.api.limits import Limits

_FEW: Final = 2.0
_LAST_SHARE: Final = 0.1
_WIDEST_SPACING: Final = 2.0
_SPACING_KEPT: Final = 0.9


def asked_wait(headers: Mapping[str, str], status: int) -> tuple[float, str] | None:
    """The wait that the headers ask for, in seconds and in words; None if they ask for none.

    A moment that has passed, or 0, asks for none. `x-ratelimit-reset` is heeded only where the
    limit is the trouble: every answer may carry it.
    """
    limits = Limits.of(headers)
    if limits.retry_after is not None:
        return (limits.retry_after, "Retry-After") if limits.retry_after > 0 else None
    limited = status == 429 or limits.remaining == 0
    return (limits.reset, "x-ratelimit-reset") if limited and limits.reset else None


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
        limits = Limits.of(headers)
        if limits.remaining is None or not limits.reset:
            return 0.0
        if limits.remaining >= max(_FEW, (limits.limit or 0.0) * _LAST_SHARE):
            return 0.0
        pause = min(limits.reset / (max(0.0, limits.remaining) + 1), longest)
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        return pause
