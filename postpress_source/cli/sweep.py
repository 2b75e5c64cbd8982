"""What a sweep of unread chats costs a run, and what it would have made known sooner."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from statistics import median
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.walks import SWEEP, Walk

# dlt forgets the alias of a table, not that of a query
_VERSIONS: Final = 'SELECT id, account_id, seen_from, seen_until, unread_count, "timestamp" AS at'
_READS: Final = f"""
FROM ({_VERSIONS} FROM chats_history) AS n
JOIN ({_VERSIONS} FROM chats_history) AS o ON o.id = n.id AND o.seen_until = n.seen_from
LEFT JOIN (SELECT DISTINCT started_at FROM chat_walks WHERE kind = 'full') AS w
ON w.started_at = n.seen_from
WHERE o.unread_count <> 0 AND n.unread_count = 0 AND n.at <= o.at
"""  # noqa: S608 - our own text
_BY_FULL_WALK: Final = "COUNT(w.started_at)"


def expected_sweep(
    pipeline: dlt.Pipeline, unit: str, past: Iterable[Walk], *, on: bool, limit: int
) -> dict[str, Any]:
    """What a sweep costs a head walk of an account (empty: all), and would have made known sooner.

    Args:
        pipeline: Whose tables are asked, where they can be.
        unit: The account.
        past: Complete walks, newest first.
        on: Whether sweeps are on.
        limit: Chats a page.
    """
    mine = [w["requests"] for w in past if w["kind"] == SWEEP and (w["account_id"] or "") == unit]
    unread = _count(pipeline, "COUNT(*)", f"FROM chats WHERE unread_count <> 0 {_of(unit)}")
    pages = None if unread is None else max(1, -(-unread // limit))
    seen = _READS + _of(unit, "n.")
    return {
        "on": on,
        "requests_expected": round(median(mine[:5])) if mine else pages,
        "unread": unread,
        "reads_seen": _count(pipeline, "COUNT(*)", seen),
        "reads_seen_by_full_walks": _count(pipeline, _BY_FULL_WALK, seen),
    }


def in_words(sweep: dict[str, Any]) -> str:
    """The same for a person."""
    if sweep["requests_expected"] is None:
        return "not known: the tables can't be asked"
    cost = f"{sweep['requests_expected']:,} more requests"
    cost = f"on, {cost}" if sweep["on"] else f"off; sweep = true costs {cost}"
    late, seen = sweep["reads_seen_by_full_walks"], sweep["reads_seen"]
    if not seen:
        return cost
    return f"{cost}; of {seen:,} chats that were read, full walks noticed {late:,}"


def _of(unit: str, prefix: str = "") -> str:
    return f"AND {prefix}account_id = '{unit}'" if unit.replace("_", "").isalnum() else ""


def _count(pipeline: dlt.Pipeline, what: str, tail: str) -> int | None:
    """One number, None where the tables can't be asked."""
    with suppress(Exception):  # drivers' own: no such table, or none that SQL reads
        return int(warehouse.query(pipeline, {"n": what}, tail)[0]["n"])
    return None
