"""What is remembered between runs, and what it means. Pure: no dlt, no HTTP, `now` passed in.

A *watermark* says how far the data is known: every chat whose last activity is at or before it has
been loaded, as far as a list that changes while it is read can tell. It is kept for each *scope*
(the workspace and the filters) and, in a scope, for each *unit* that is walked on its own: an
account, or all visible accounts together. A watermark earned under one scope says nothing of
another. A start date is no scope: a later one is served by what an earlier one knows.

The state is small on purpose: some 90 bytes an account, in milliseconds and seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from postpress_source.errors import PostpressArgumentError
from postpress_source.walks.gone import Missing

ALL_VISIBLE: Final = ""
MAX_BYTES: Final = 8_500
VERSION: Final = 4
"""Of the state's format; what an earlier release wrote is read."""

SHARED_FOR: Final = timedelta(days=7)
"""How long a workspace that isn't used any more keeps the chats that only it has listed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """What a unit's last complete walk left behind.

    Attributes:
        watermark: The newest `timestamp` that was seen, never later than that walk's start; UTC,
            ms, rounded down. None if no chat had one.
        full_walk_at: The start of the last full walk, UTC, s. None if one is owed, because the
            last attempt failed or wasn't complete.
        newest_first: Whether that full walk saw enough of the order to trust it: newest first from
            end to end.
        since: The start date (inclusive) from which on all this holds; None: there is none.
        accounts: Of "all visible" only: the accounts whose whole history has been read.
        owed: Of "all visible" only: accounts that were seen but could not be read.
        missing: By account, what the last full walk found missing and kept.
        swept: Of "all visible" only: accounts that a sweep has had walked in full since the last
            full walk, and when, UTC, s.
    """

    watermark: datetime | None = None
    full_walk_at: datetime | None = None
    newest_first: bool = False
    since: datetime | None = None
    accounts: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    missing: Mapping[str, Missing] = field(default_factory=dict)
    swept: Mapping[str, datetime] = field(default_factory=dict)

    def to_state(self) -> list[Any]:
        """A short JSON list; `from_state` reads it back, ms and s precision apart."""
        state: list[Any] = [
            _to_ms(self.watermark),
            None if self.full_walk_at is None else int(self.full_walk_at.timestamp()),
            int(self.newest_first),
            _to_ms(self.since),
            sorted(self.accounts),
            sorted(self.owed),
            {account: self.missing[account].to_state() for account in sorted(self.missing)},
            {account: int(self.swept[account].timestamp()) for account in sorted(self.swept)},
        ]
        while len(state) > _SHORTEST and not state[-1]:
            state.pop()
        return state

    @classmethod
    def from_state(cls, state: list[Any]) -> Memory:
        """The memory that `to_state` wrote."""
        watermark_ms, full_walk_s, newest_first, *rest = state
        defaults: list[Any] = [None, (), (), {}, {}]
        since_ms, accounts, owed, missing, swept = [*rest, *defaults[len(rest) :]]
        return cls(
            _from_ms(watermark_ms),
            None if full_walk_s is None else _EPOCH + timedelta(seconds=full_walk_s),
            bool(newest_first),
            _from_ms(since_ms),
            frozenset(accounts),
            frozenset(owed),
            {account: Missing.from_state(found) for account, found in missing.items()},
            {account: _EPOCH + timedelta(seconds=at_s) for account, at_s in swept.items()},
        )


def _to_ms(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // _MS


def _from_ms(ms: int | None) -> datetime | None:
    return None if ms is None else _EPOCH + ms * _MS


def scope_key(filters: str, base_url: str, api_key: str) -> str:
    """The name under which a scope is remembered: a workspace, told by a digest, and filters."""
    told = f"{base_url}\n{api_key}".encode()
    workspace = blake2b(told, digest_size=4, person=b"workspace").hexdigest()
    return f"{workspace}?{filters}"


def upgrade(state: dict[str, Any], filters: str, scope: str) -> None:
    """Bring the state that an earlier release wrote to this one's format, in place.

    Version 1 knew neither workspaces nor its own version, and kept a scope for each start date.
    What it knew under these filters goes to the workspace that asks first; the rest is forgotten,
    which costs a full walk. Up to version 2 there was a digest in each memory; up to 3 nothing was
    swept.

    Raises:
        PostpressArgumentError: A later release wrote it.
    """
    version = state.setdefault("version", 1 if state else VERSION)
    if version > VERSION:
        raise PostpressArgumentError(
            f"The pipeline's state has the format {version}, later than {VERSION}",
            next_step="Install the release of postpress-source that wrote it, or a later one.",
        )
    if version == 1:
        known = state.pop("scopes", {}).get(filters)
        if known:
            units = {unit: _from_version_1(memory) for unit, memory in known["units"].items()}
            state["scopes"] = {scope: {"used": 0, "units": units}}
    if version < 3:
        state.pop("landed", None)
        for of_scope in state.get("scopes", {}).values():
            for memory in of_scope["units"].values():
                del memory[3:4]
    state["version"] = VERSION


def _from_version_1(memory: list[Any]) -> list[Any]:
    known, accounts = memory[:4], memory[4:]
    return [*known, None, *accounts[:2]] if accounts else known


def read_memories(state: Mapping[str, Any], scope: str) -> dict[str, Memory]:
    """The memories of a scope's units, by account id (`ALL_VISIBLE` for all together)."""
    units = state.get("scopes", {}).get(scope, {}).get("units", {})
    return {unit: Memory.from_state(memory) for unit, memory in units.items()}


def shared_accounts(
    state: Mapping[str, Any], scope: str, now: datetime, full_walk_every: timedelta
) -> frozenset[str]:
    """Accounts that another workspace has listed lately: it may list chats that this one doesn't.

    Lately is since this scope's last full walks, or within `SHARED_FOR` or twice `full_walk_every`:
    a key that was replaced is another workspace, too, and none that is used.
    """
    workspace = scope.partition("?")[0]
    others = [o for o in state.get("scopes", {}) if o.partition("?")[0] != workspace]
    if not others:
        return frozenset()
    walked = [memory.full_walk_at for memory in read_memories(state, scope).values()]
    last = min(filter(None, walked), default=_EPOCH)
    shared: set[str] = set()
    for other in others:
        for unit, memory in read_memories(state, other).items():
            at = memory.full_walk_at or now
            if at >= last or now - at < SHARED_FOR or (now - at) / 2 < full_walk_every:
                shared |= memory.accounts | ({unit} - {ALL_VISIBLE})
    return frozenset(shared)


def write_memories(state: dict[str, Any], scope: str, memories: Mapping[str, Memory]) -> None:
    """Remember a run's memories in `state`, in place.

    So that the state stays small (`MAX_BYTES` as JSON), what this run didn't use is forgotten, the
    longest unused scope first, then other units of this one; what is forgotten costs a full walk.
    """
    scopes = state.setdefault("scopes", {})
    mine = scopes.setdefault(scope, {"used": -1, "units": {}})
    latest = max((other["used"] for other in scopes.values() if other is not mine), default=-1)
    mine["used"] = max(mine["used"], latest + 1)  # the order of use: a quiet run changes nothing
    for unit, memory in memories.items():
        mine["units"][unit] = memory.to_state()
    _forget_unused(scopes, scope, memories)


def _forget_unused(scopes: dict[str, Any], scope: str, used: Iterable[str]) -> None:
    units = scopes[scope]["units"]
    others = sorted((name for name in scopes if name != scope), key=lambda n: scopes[n]["used"])
    spare = [(scopes, name) for name in others]
    spare += [(units, unit) for unit in sorted(units.keys() - set(used))]
    excess = len(json.dumps(scopes)) - MAX_BYTES
    for holder, name in spare:
        if excess <= 0:
            return
        excess -= len(json.dumps({name: holder.pop(name)}))


def run_watermark(memories: Iterable[Memory | None]) -> datetime | None:
    """How far a run's accounts are known together: the earliest watermark, None if one has none."""
    watermarks = [None if memory is None else memory.watermark for memory in memories]
    known = [watermark for watermark in watermarks if watermark is not None]
    return min(known) if known and len(known) == len(watermarks) else None
