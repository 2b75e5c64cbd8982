"""What a day of runs costs an inbox, by what the last walks of it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.screen import span
from postpress_source.cli.walks import Walk

DAY: Final = timedelta(days=1)
LEAST_OF_HEAD: Final = 2
"""Requests of a head walk that finds nothing new."""
_WEEK: Final = 7
"""Days that are looked back on."""


def per_day(
    pipeline: dlt.Pipeline,
    units: Sequence[str],
    past: Sequence[Walk],
    every: timedelta,
    full_walk_every: timedelta,
) -> dict[str, Any]:
    """What runs so far apart cost a day.

    Args:
        pipeline: Whose tables are asked, where they can be.
        units: The accounts that are walked, or "" for all visible ones.
        past: Complete walks of them, newest first.
        every: How far apart the runs are.
        full_walk_every: When a full walk is due.
    """
    runs = DAY / every
    full = min(runs, DAY / full_walk_every) if full_walk_every else runs
    costs = {
        kind: [_cost(unit, kind, past, least) for unit in units]
        for kind, least in (("head", LEAST_OF_HEAD), ("full", None))
    }
    head_requests, full_requests = (
        None if None in of_kind else sum(filter(None, of_kind)) for of_kind in costs.values()
    )
    heads = runs - full
    total = None
    if head_requests is not None and full_requests is not None:
        total = round(heads * head_requests + full * full_requests)
    return {
        "every_seconds": int(every.total_seconds()),
        "head_walks": round(heads, 1),
        "full_walks": round(full, 1),
        "requests_of_a_head_walk": head_requests,
        "requests_of_a_full_walk": full_requests,
        "requests": total,
        "rows": _rows(pipeline),
    }


def in_words(cost: dict[str, Any]) -> str:
    """The same for a person."""
    every = span(cost["every_seconds"])
    walks = f"{cost['head_walks']:g} head and {cost['full_walks']:g} full walks"
    if cost["requests"] is None:
        return f"with a run every {every}: {walks}; no full walk has been completed yet"
    each = f"{cost['requests_of_a_head_walk']:,} and {cost['requests_of_a_full_walk']:,} each"
    rows = "" if cost["rows"] is None else f", and {cost['rows']:,} rows that change"
    return f"with a run every {every}: {walks}, {each}: {cost['requests']:,} requests{rows}"


def _cost(unit: str, kind: str, past: Iterable[Walk], least: int | None) -> int | None:
    alike = [w["requests"] for w in past if (w["account_id"] or "", w["kind"]) == (unit, kind)]
    return round(median(alike[:5])) if alike else least


def _rows(pipeline: dlt.Pipeline) -> int | None:
    """How many versions of chats begin a day, by the last week; None where that isn't known."""
    with suppress(Exception):  # drivers' own: no such table, or none that SQL reads
        first = warehouse.query(pipeline, {"moment": "MIN(seen_from)"}, "FROM chats_history")
        began, now = first[0]["moment"], datetime.now(UTC)
        since = max(began, now - _WEEK * DAY)
        tail = f"FROM chats_history WHERE seen_from > '{since:%Y-%m-%d %H:%M:%S}'"
        changed = warehouse.query(pipeline, {"n": "COUNT(*)"}, tail)[0]["n"]
        return round(changed / ((now - since) / DAY)) if now - began >= DAY else None
    return None
