"""`postpress plan`: what the next run would read, and why, from what the last ones remember."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from postpress_source.arguments import Filters, check_duration
from postpress_source.cli import warehouse
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import ExitCode
from postpress_source.cli.per_day import in_words as in_words_of_day
from postpress_source.cli.per_day import per_day
from postpress_source.cli.screen import Screen, instant, span
from postpress_source.cli.sweep import expected_sweep, in_words
from postpress_source.cli.walks import ALL_VISIBLE, SWEEP, Walk, read_walks, seconds_of
from postpress_source.source import PostpressArguments
from postpress_source.walks.plan import plan_walk
from postpress_source.walks.watermark import Memory, read_memories, scope_key, upgrade

_RECENT: Final = 5


def plan(choice: Choice, screen: Screen, run_every: timedelta | None = None) -> ExitCode:
    """Show the walks of the next run, and what a day of such runs costs; makes no request."""
    pipeline = warehouse.open_pipeline(choice)
    known = warehouse.restore(pipeline)
    arguments = warehouse.settings(choice, key_needed=False)
    filters = warehouse.filters_of(arguments)
    memories = _memories(warehouse.chats_state(pipeline), arguments, filters) if known else {}
    past = read_walks(pipeline, "WHERE complete") if known else []
    sweeps = [walk for walk in past if walk["kind"] == SWEEP]
    past = [walk for walk in past if walk["scope"] == filters.scope()]
    lookback = check_duration("lookback", arguments.lookback)
    every = check_duration("full_walk_every", arguments.full_walk_every)
    walks = [
        _walk(unit, memories.get(unit), past, lookback, every, choice.since)
        for unit in (filters.account_ids or ("",))
    ]
    for walk in walks:
        if known and walk["reads_back_to"] and not filters.scope():
            unit, on, limit = walk["account_id"] or "", arguments.sweep, filters.limit
            walk["sweep"] = expected_sweep(pipeline, unit, sweeps, on=on, limit=limit)
    pending = bool(pipeline.has_pending_data)
    document: dict[str, Any] = {
        "ok": True,
        "exit_code": int(ExitCode.OK),
        "pipeline": pipeline.pipeline_name,
        "destination": pipeline.destination.destination_name,
        "dataset": pipeline.dataset_name,
        "location": warehouse.location(pipeline),
        "scope": filters.scope(),
        "pending_load": pending,
        "walks": walks,
    }
    if run_every is not None:
        units = filters.account_ids or ("",)
        document["per_day"] = per_day(pipeline, units, past, run_every, every)
    screen.document(document)
    _show(document, filters, screen)
    if run_every is not None:
        screen.say("")
        screen.pairs([("a day", in_words_of_day(document["per_day"]))])
    return ExitCode.OK


def _memories(
    remembered: Mapping[str, Any], arguments: PostpressArguments, filters: Filters
) -> dict[str, Memory]:
    """What is remembered of the workspace; without a key, of the only one there is."""
    state = deepcopy(dict(remembered))
    if arguments.api_key:
        scope = scope_key(filters.scope(), arguments.base_url.rstrip("/"), arguments.api_key)
    else:
        alike = [name for name in state.get("scopes", {}) if name.endswith("?" + filters.scope())]
        scope = alike[0] if len(alike) == 1 else ""
    upgrade(state, filters.scope(), scope)
    return read_memories(state, scope)


def _walk(
    unit: str,
    memory: Memory | None,
    past: Iterable[Walk],
    lookback: timedelta,
    every: timedelta,
    start: datetime | None,
) -> dict[str, Any]:
    now = datetime.now(UTC)
    plan = plan_walk(memory, now, lookback=lookback, full_walk_every=every, start=start)
    alike = [
        walk for walk in past if (walk["account_id"] or "") == unit and walk["kind"] == plan.kind
    ][:_RECENT]
    seconds = [took for walk in alike if (took := seconds_of(walk)) is not None]
    return {
        "account_id": unit or None,
        "kind": str(plan.kind),
        "reason": plan.reason,
        "watermark": plan.watermark,
        "reads_back_to": plan.stop,
        "last_full_walk": memory.full_walk_at if memory else None,
        "requests_expected": round(median(walk["requests"] for walk in alike)) if alike else None,
        "seconds_expected": round(median(seconds), 1) if seconds else None,
        "like_walks": len(alike),
        "accounts_owed": sorted(memory.owed) if memory else [],
    }


def _show(document: dict[str, Any], filters: Filters, screen: Screen) -> None:
    screen.say(f"The next run into {document['location']}, dataset {document['dataset']}:")
    if filters.scope():
        screen.say(f"Only chats with {filters.scope()}.")
    if document["pending_load"]:
        screen.say(
            "An interrupted run left chats behind; they are loaded first, without reading again.",
            style="yellow",
        )
    screen.say("")
    for walk in document["walks"]:
        _show_walk(walk, screen)


def _show_walk(walk: dict[str, Any], screen: Screen) -> None:
    screen.say(f"{walk['account_id'] or ALL_VISIBLE}: {walk['kind']} walk", style="bold")
    back_to = walk["reads_back_to"]
    pairs = [
        ("  why", walk["reason"]),
        ("  watermark", instant(walk["watermark"])),
        ("  reads", f"newest first, back to {instant(back_to)}" if back_to else "to the end"),
        ("  last full walk", instant(walk["last_full_walk"])),
        ("  expected", _expected(walk)),
    ]
    if "sweep" in walk:
        pairs.append(("  sweep", in_words(walk["sweep"])))
    if walk["accounts_owed"]:
        pairs.append(("  and in full", ", ".join(walk["accounts_owed"]) + " (failed last time)"))
    screen.pairs(pairs)


def _expected(walk: dict[str, Any]) -> str:
    alike = walk["like_walks"]
    if not alike:
        return f"not known: no {walk['kind']} walk of it has been completed yet"
    seconds = walk["seconds_expected"]
    took = "" if seconds is None else f", {span(seconds)}"
    times = "time" if alike == 1 else f"{alike} times"
    return f"{walk['requests_expected']:,} requests{took} (as the last {times})"
