"""Whole generated worlds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .inbox import PROVIDERS
from .options import WorldOptions
from .world import World


def generate_world(
    chats: int = 500,
    accounts: int = 4,
    seed: int = 7,
    now: datetime | None = None,
    **options: Any,
) -> World:
    """A world of realistic inboxes, the same each time for the same arguments and ``now``.

    The accounts take the seven providers in turn, LinkedIn first, and each is smaller than the
    one before. Activity spreads over the 400 days up to ``now``, the last weeks dense.

    Args:
        chats: In all accounts together.
        accounts: At least 1 if there are chats.
        seed: Which world.
        now: Where its clock stands; aware; default: the real time.
        options: Fields of `WorldOptions`.
    """
    if chats < 0 or accounts < (chats > 0):
        raise ValueError("chats need an account, and there can't be fewer than none")
    world = World(WorldOptions(**options), now=now, seed=seed)
    weights = [1 / (rank + 1) for rank in range(accounts)]
    left = chats
    with world.batch():
        for rank in range(accounts):
            share = round(left * weights[rank] / sum(weights[rank:]))
            world.connect_account(PROVIDERS[rank % len(PROVIDERS)], history=share)
            left -= share
    return world
