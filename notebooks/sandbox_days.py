"""Lets days pass in the sandbox in seconds, for the source as well as for the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest.mock import patch

from postpress_source.sandbox import World

_BUSY = {0: 0.1, 1: 2.0, 2: 2.0, 3: 0.4}
"""How lively each quarter of a weekday is, UTC; 1 is the sandbox's own measure."""


def pass_time(world: World, quarters: int) -> None:
    """Six hours pass in the world, so many times: busy by day, quiet at night and at weekends."""
    for _ in range(quarters):
        weekend = world.now.weekday() >= 5
        activity = _BUSY[world.now.hour // 6] * (0.2 if weekend else 1)
        world.advance(timedelta(hours=6), activity)


@contextmanager
def source_clock(world: World) -> Iterator[None]:
    """While it is open, the source takes the world's time for the present.

    The ledger then has the world's days in it, not the seconds in which a notebook plays them.
    dlt's own times, such as its load ids, stay real.
    """

    class WorldTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return world.now.astimezone(tz or UTC)

    with (
        patch("postpress_source.sync.datetime", WorldTime),
        patch("postpress_source.walks.reader.datetime", WorldTime),
    ):
        yield
