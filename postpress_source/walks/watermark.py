"""What is remembered between runs, and what it means. Pure: no dlt, no HTTP, `now` passed in.

A *watermark* says how far the data is known: every chat whose last activity is at or before it has
been loaded, as far as a list that changes while it is read can tell. It is kept for each *scope*
(the filters) and, in a scope, for each *unit* that is walked on its own: an account, or all visible
accounts together. A watermark earned under one scope says nothing of another.

The state is small on purpose: some 90 bytes an account, in milliseconds and seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

ALL_VISIBLE: Final = ""
MAX_SCOPES: Final = 8
MAX_BYTES: Final = 8_500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a unit's last complete walk left behind.

    Attributes:
        watermark: The newest `timestamp` that was seen, never later than that walk's start; UTC,
            ms, rounded down. None if no chat had one.
        full_walk_at: The start of the last full walk, UTC, s. None if one is owed, because the
            last attempt failed.
        newest_first: Whether that full walk saw enough of the order to trust it: newest first from
            end to end.
        head: Digest of the pages that a head walk would read, as they were. Empty if unknown.
        accounts: Of "all visible" only: the accounts whose whole history has been read.
        owed: Of "all visible" only: accounts that were seen but could not be read.
        sizes: Of "all visible" only: how many chats each account had in the last walk to the end.
    """

    watermark: datetime | None = None
    full_walk_at: datetime | None = None
    newest_first: bool = False
    head: str = ""
    accounts: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)

    def to_state(self) -> list[Any]:
        """A short JSON list; `from_state` reads it back, ms and s precision apart."""
        state: list[Any] = [
            None if self.watermark is None else (self.watermark - _EPOCH) // _MS,
            None if self.full_walk_at is None else int(self.full_walk_at.timestamp()),
            int(self.newest_first),
            self.head,
        ]
        if self.accounts or self.owed:
            accounts = sorted(self.accounts)
            state += [accounts, sorted(self.owed), [self.sizes.get(name, 0) for name in accounts]]
        return state

    @classmethod
    def from_state(cls, state: list[Any]) -> Memory:
        """The memory that `to_state` wrote."""
        watermark_ms, full_walk_s, newest_first, head, *accounts = state
        known, owed, sizes = accounts or ((), (), ())
        return cls(
            None if watermark_ms is None else _EPOCH + watermark_ms * _MS,
            None if full_walk_s is None else _EPOCH + timedelta(seconds=full_walk_s),
            bool(newest_first),
            head,
            frozenset(known),
            frozenset(owed),
            dict(zip(known, sizes, strict=True)),
        )


def read_memories(state: Mapping[str, Any], scope: str) -> dict[str, Memory]:
    """The memories of a scope's units, by account id (`ALL_VISIBLE` for all together)."""
    units = state.get("scopes", {}).get(scope, {}).get("units", {})
    return {unit: Memory.from_state(memory) for unit, memory in units.items()}


def write_memories(state: dict[str, Any], scope: str, memories: Mapping[str, Memory]) -> None:
    """Remember a run's memories in `state`, in place.

    The `head` digests of everything else are forgotten: they said what the table holds, and this
    run may have changed that. So that the state stays small (`MAX_SCOPES`, `MAX_BYTES` as JSON),
    what this run didn't use is forgotten, the longest unused scope first, then other units of this
    one; what is forgotten costs a full walk.
    """
    scopes = state.setdefault("scopes", {})
    forget_heads(state)
    mine = scopes.setdefault(scope, {"used": -1, "units": {}})
    latest = max((other["used"] for other in scopes.values() if other is not mine), default=-1)
    mine["used"] = max(mine["used"], latest + 1)  # the order of use: a quiet run changes nothing
    for unit, memory in memories.items():
        mine["units"][unit] = memory.to_state()
    _forget_unused(scopes, scope, memories)


def forget_heads(state: dict[str, Any]) -> None:
    """Forget all `head` digests: rows landed without a memory of their own (a backfill)."""
    for scope in state.get("scopes", {}).values():
        for memory in scope["units"].values():
            memory[3] = ""


def _forget_unused(scopes: dict[str, Any], scope: str, used: Iterable[str]) -> None:
    units = scopes[scope]["units"]
    oldest = sorted((name for name in scopes if name != scope), key=lambda n: scopes[n]["used"])
    spare = sorted(units.keys() - set(used))
    while (oldest and len(scopes) > MAX_SCOPES) or (
        (oldest or spare) and len(json.dumps(scopes)) > MAX_BYTES
    ):
        if oldest:
            del scopes[oldest.pop(0)]
        else:
            del units[spare.pop(0)]


def run_watermark(memories: Iterable[Memory | None]) -> datetime | None:
    """How far a run's accounts are known together: the earliest watermark, None if one has none."""
    watermarks = [None if memory is None else memory.watermark for memory in memories]
    known = [watermark for watermark in watermarks if watermark is not None]
    return min(known) if known and len(known) == len(watermarks) else None
