"""What is remembered after a run, of each unit that was walked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from postpress_source.walks.gone import Missing
from postpress_source.walks.plan import Kind, Plan, Progress, kind_of
from postpress_source.walks.spool import Spool
from postpress_source.walks.walk import Walk
from postpress_source.walks.watermark import ALL_VISIBLE, Memory


def memories_after(walks: Sequence[Walk], now: datetime) -> dict[str, Memory]:
    """What each unit remembers after the run; accounts beside "all visible" belong to it."""
    first, *beside = walks
    if first.account_id is not None:
        return {walk.account_id or ALL_VISIBLE: _memory_after(walk, now) for walk in walks}
    memory = _memory_after(first, now)
    failed = {walk.account_id for walk in beside if walk.account_id and not walk.complete}
    failed |= first.sick
    read = {walk.account_id for walk in beside if walk.account_id} - failed
    missing = {account: n for account, n in memory.missing.items() if account not in read}
    walked = {walk.account_id for walk in beside}
    swept = dict(memory.swept) | {a: now for a in first.owing if a in walked}
    for walk in beside:
        missing |= _kept(walk)
    return {
        ALL_VISIBLE: replace(
            memory,
            accounts=(memory.accounts | read) - failed,
            owed=(memory.owed - read) | failed,
            missing=missing,
            swept=swept,
        )
    }


def returned(
    memories: Mapping[str, Memory], walks: Sequence[Walk], spool: Spool
) -> dict[str, Memory]:
    """Those of a scope's memories that change since the walks have listed what was missing.

    Then the account is coming back, and a full walk that misses it again is the first to do so.
    """
    missing = {account for memory in memories.values() for account in memory.missing}
    listed = spool.ids([walk.number for walk in walks if walk.error is None], missing)
    changed = {}
    for unit, memory in memories.items():
        still = {
            account: found
            for account, found in memory.missing.items()
            if not (found.is_exact and any(chat in found for chat in listed.get(account, ())))
        }
        if len(still) < len(memory.missing):
            changed[unit] = replace(memory, missing=still)
    return changed


def _memory_after(walk: Walk, now: datetime) -> Memory:
    if not walk.complete:
        return remember_failure(walk.memory)
    return remember(
        walk.memory,
        walk.plan,
        walk.progress,
        now,
        to_the_end=walk.to_the_end,
        seen=walk.accounts if walk.account_id is None else (),
        missing=_kept(walk),
    )


def _kept(walk: Walk) -> Mapping[str, Missing]:
    kept = {account: verdict.kept for account, verdict in walk.verdicts.items() if verdict.kept}
    return {account: Missing.of(chat_ids) for account, chat_ids in kept.items()}


def remember(
    memory: Memory | None,
    plan: Plan,
    progress: Progress,
    now: datetime,
    *,
    to_the_end: bool,
    seen: Iterable[str] = (),
    missing: Mapping[str, Missing],
) -> Memory:
    """What a *complete* walk leaves behind.

    Args:
        memory: What was remembered before.
        plan: The walk's plan.
        progress: All it saw.
        now: The walk's start, UTC; the watermark is never later.
        to_the_end: Whether the walk read the whole list.
        seen: Of "all visible" only: the accounts seen on the way.
        missing: What a full walk found missing and kept, by account.
    """
    before = memory or Memory()
    newest = progress.newest
    full = kind_of(plan, progress) is Kind.FULL
    return Memory(
        watermark=_whole_ms(min(newest, now)) if newest else None,
        full_walk_at=now if full else before.full_walk_at,
        newest_first=progress.order_proved if to_the_end else before.newest_first,
        since=plan.since,
        accounts=frozenset(seen) if to_the_end else before.accounts,
        owed=frozenset() if to_the_end else before.owed,
        missing=missing if full else before.missing,
        swept={} if full else before.swept,
    )


def remember_failure(memory: Memory | None) -> Memory:
    """What a walk that isn't complete leaves behind: the watermark stays, a full walk is owed."""
    return replace(memory or Memory(), full_walk_at=None)


def _whole_ms(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
