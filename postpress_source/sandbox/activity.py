"""What happens in an inbox while time passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random

from . import clock, inbox
from .changes import ChangingWorkspace
from .store import Row

EVENTS_PER_CHAT_AND_DAY = 0.33
_KINDS = {
    "message": 46, "read": 28, "new_chat": 4, "late_chat": 1, "mark_unread": 2, "archive": 4,
    "unarchive": 1, "pin": 1, "unpin": 1, "mute": 2, "unmute": 1, "rename": 2, "refile": 3,
    "unfile": 1, "disable_features": 1, "enable_features": 0.5, "delete": 1, "null_timestamp": 0.5,
}  # fmt: skip
_NAMES, _WEIGHTS = list(_KINDS), list(_KINDS.values())
_Event = Callable[[ChangingWorkspace, str], None]


def moments(rng: Random, start: int, end: int, chats: float) -> list[int]:
    """The times of events among so many chats, sorted, ms UTC, after ``start`` up to ``end``."""
    expected = chats * EVENTS_PER_CHAT_AND_DAY * (end - start) / clock.DAY_MS
    count = int(expected) + (rng.random() < expected % 1)
    return sorted(start + 1 + int(rng.random() * (end - start)) for _ in range(count))


def happen(
    world: ChangingWorkspace, times: list[int], rows: list[Row], set_clock: Callable[[int], None]
) -> dict[str, int]:
    """One random event at each time, mostly to lately active chats of healthy accounts.

    Returns:
        Kind of event -> how often it happened; an event that met a deleted chat didn't happen.
    """
    well = {a.id for a in world.accounts.values() if a.status == "OK" and a.connected}
    if len(well) < len(world.accounts):
        rows = [row for row in rows if row.account_id in well]
    if not rows:
        return {}
    counts: Counter[str] = Counter()
    kinds = world.rng.choices(_NAMES, _WEIGHTS, k=len(times))
    for at, kind in zip(times, kinds, strict=True):
        set_clock(at)
        row = max(world.rng.choices(rows, k=6), key=lambda row: row.activity)
        if row.id in world:
            _EVENTS[kind](world, row.id)
            counts[kind] += 1
    return dict(counts)


def _new_chat(world: ChangingWorkspace, chat_id: str) -> None:
    world.new_chat(world.chat(chat_id)["account_id"], name=inbox.person(world.rng), unread_count=1)


def _late_chat(world: ChangingWorkspace, chat_id: str) -> None:
    behind = timedelta(minutes=1 + world.rng.random() * 44)
    world.late_chat(world.chat(chat_id)["account_id"], behind=behind)


def _mute(world: ChangingWorkspace, chat_id: str) -> None:
    hours = world.rng.choice((1, 8, 168, None))
    world.mute(chat_id, -1 if hours is None else world.now + timedelta(hours=hours))


_EVENTS: dict[str, _Event] = {
    "message": lambda world, chat_id: world.receive_message(chat_id),
    "read": lambda world, chat_id: world.read(chat_id),
    "new_chat": _new_chat,
    "late_chat": _late_chat,
    "mark_unread": lambda world, chat_id: world.mark_unread(chat_id),
    "archive": lambda world, chat_id: world.archive(chat_id),
    "unarchive": lambda world, chat_id: world.archive(chat_id, archived=False),
    "pin": lambda world, chat_id: world.pin(chat_id),
    "unpin": lambda world, chat_id: world.pin(chat_id, pinned=False),
    "mute": _mute,
    "unmute": lambda world, chat_id: world.mute(chat_id, None),
    "rename": lambda world, chat_id: world.rename(chat_id, inbox.person(world.rng)),
    "refile": lambda world, chat_id: world.refile(chat_id, inbox.custom_folders(world.rng)),
    "unfile": lambda world, chat_id: world.refile(chat_id, None),
    "disable_features": lambda world, chat_id: world.disable_features(chat_id, ["reply"]),
    "enable_features": lambda world, chat_id: world.disable_features(chat_id, None),
    "delete": lambda world, chat_id: world.delete_chat(chat_id),
    "null_timestamp": lambda world, chat_id: world.null_timestamp(chat_id),
}
