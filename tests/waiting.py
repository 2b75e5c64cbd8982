"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_for(
    true: Callable[[], object], what: str = "it", *, seconds: float = 120, pause: float = 0.05
) -> None:
    """Ask again and again; fail when the time is up."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)
