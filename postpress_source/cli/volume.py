"""Whether the last walks brought about as much as those of the last weeks did: a plain rule.

What a full walk lists is the whole inbox, so from one to the next it changes by a few. What a head
walk reads is the activity since the last one, in whole pages. Neither is judged before there are
enough walks to compare with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from postpress_source.cli.walks import Walk

WEEKS: Final = timedelta(weeks=4)
LEAST_WALKS: Final = 8
TIMES: Final = 3
LEAST_SHARE: Final = 0.05


def out_of_line(walks: Sequence[Walk]) -> list[dict[str, Any]]:
    """The last walks that are out of line, one finding each.

    - A full walk whose count differs from that of the one before by more than three times the
      largest such step of the last four weeks, and by more than a twentieth of the inbox.
    - A head walk that read more than three times the most of the last four weeks.

    Args:
        walks: The ledger, newest first.
    """
    series: dict[tuple[Any, Any, Any], list[Walk]] = {}
    for walk in walks:
        if walk["complete"] and walk["chats_read"] is not None:
            unit = (walk["account_id"], walk["scope"], walk["kind"])
            series.setdefault(unit, []).append(walk)
    judges = {"full": _full, "head": _head}
    return [
        finding
        for (_, _, kind), of_unit in series.items()
        if kind in judges
        for finding in judges[kind](_recent(of_unit))
    ]


def _recent(walks: list[Walk]) -> list[Walk]:
    """The newest walk, and those of the four weeks before it."""
    return [walk for walk in walks if walks[0]["started_at"] - walk["started_at"] <= WEEKS]


def _full(walks: list[Walk]) -> Iterator[dict[str, Any]]:
    counts = [walk["chats_read"] for walk in walks]
    steps = [abs(later - earlier) for later, earlier in pairwise(counts)]
    if len(steps) <= LEAST_WALKS:
        return
    step, largest = steps[0], max(steps[1:])
    if step > TIMES * largest and step > LEAST_SHARE * counts[1]:
        text = (
            f"the last full walk listed {counts[0]:,} chats, the one before it {counts[1]:,}; in "
            f"the last weeks they differed by {largest:,} at most"
        )
        yield {**_of(walks[0]), "text": text}


def _head(walks: list[Walk]) -> Iterator[dict[str, Any]]:
    counts = [walk["chats_read"] for walk in walks]
    if len(counts) <= LEAST_WALKS:
        return
    most = max(counts[1:])
    if counts[0] > TIMES * most:
        text = f"the last head walk read {counts[0]:,} chats; in the last weeks {most:,} at most"
        yield {**_of(walks[0]), "text": text}


def _of(walk: Walk) -> dict[str, Any]:
    shown = {name: walk[name] for name in ("account_id", "account_name", "kind")}
    return {**shown, "at": walk["started_at"]}
