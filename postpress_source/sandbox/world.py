"""A PostPress inbox in memory: accounts, chats, a clock, and the list as the API gives it.

Pure Python without HTTP: `postpress_source.sandbox.server` serves it. Ids, texts and times that a
world makes up come from its seed, so the same calls on the same seed give the same world.
"""

from __future__ import annotations

from datetime import timedelta

from . import activity as _activity
from .accounts import OK, Account
from .changes import ABSENT, ChangingWorkspace

__all__ = ["ABSENT", "OK", "Account", "World"]


class World(ChangingWorkspace):
    """One PostPress workspace in which things happen; safe to use from several threads."""

    def advance(self, time: timedelta, activity: float = 1.0) -> dict[str, int]:
        """Let time pass with random activity; returns what happened, kind of event -> count.

        Args:
            time: Positive.
            activity: How lively: 0 is silence, 1 about one event in three chats a day.
        """
        if time < timedelta(0) or activity < 0:
            raise ValueError("time passes forwards, and activity is 0 or more")
        with self.lock:
            end = self._now + time // timedelta(milliseconds=1)
            with self._store.batch():
                moments = _activity.moments(self.rng, self._now, end, len(self) * activity)
                counts = _activity.happen(self, moments, self._store.listed(), self._set_clock)
            self._now = end
            return counts

    def _set_clock(self, ms: int) -> None:
        self._now = ms
