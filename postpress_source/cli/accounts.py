"""The accounts that are loaded: how fresh each is, whether it may be dead, who must be called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.screen import span
from postpress_source.cli.walks import SWEEP, Walk

RECENT_CHATS: Final = 100
LEAST_CHATS: Final = 10
LEAST_SILENCE: Final = timedelta(days=1)
TIMES_LONGEST_PAUSE: Final = 2


def read_accounts(
    pipeline: dlt.Pipeline, walks: Sequence[Walk], now: datetime, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The accounts that have chats, and those that could never be read; by id."""
    rows = warehouse.query(
        pipeline,
        {
            "account_id": "account_id",
            "account_type": "MAX(account_type)",
            "chats": "COUNT(DISTINCT id)",
            "newest": 'MAX("timestamp")',
        },
        "FROM chats GROUP BY account_id",
    )
    known = {row["account_id"] for row in rows}
    asked = {walk["account_id"] for walk in walks if walk["account_id"]}
    never = {"account_type": None, "chats": 0, "newest": None}
    rows += [{"account_id": account, **never} for account in asked - known]
    newest = _newest_activities(pipeline)
    for row in rows:
        account_id = row["account_id"]
        read_at = _read_at(walks, account_id)
        row["account_name"] = names.get(account_id, account_id or "?")
        row["last_walk"] = read_at
        row["behind_seconds"] = (now - read_at).total_seconds() if read_at else None
        row["silent_seconds"] = (
            max(timedelta(0), read_at - row["newest"]).total_seconds()
            if read_at and row["newest"]
            else None
        )
        row["green_but_dead"] = is_dead(newest[account_id], read_at)
    return sorted(rows, key=lambda row: row["account_id"] or "")


def last_walks(walks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest walk of each account and scope, from a ledger that is newest first.

    An account whose own walk failed is well again once all visible ones were walked to the end.
    """
    latest: dict[tuple[Any, Any], dict[str, Any]] = {}
    for walk in (walk for walk in walks if walk.get("kind") != SWEEP):
        latest.setdefault((walk["account_id"], walk["scope"]), walk)
    whole = [walk for walk in latest.values() if walk["account_id"] is None and walk["complete"]]
    return [
        walk
        for walk in latest.values()
        if walk["complete"]
        or not any(
            other["scope"] == walk["scope"]
            and other["to_the_end"]
            and other["started_at"] > walk["started_at"]
            for other in whole
        )
    ]


def is_dead(newest: list[datetime], walked_at: datetime | None) -> bool:
    """Whether an account is silent for long, compared with its own past.

    Args:
        newest: Last activities of its chats, newest first.
        walked_at: When it was last walked to known ground; silence is counted up to then.
    """
    if walked_at is None or len(newest) < LEAST_CHATS:
        return False
    longest_pause = max(later - earlier for later, earlier in pairwise(newest))
    return walked_at - newest[0] > max(LEAST_SILENCE, TIMES_LONGEST_PAUSE * longest_pause)


def who_needs_a_person(
    accounts: Iterable[Mapping[str, Any]], latest: Iterable[Walk]
) -> list[dict[str, Any]]:
    """The accounts that don't mend by themselves: why, and what to do."""
    found = [
        {name: of[name] for name in ("account_id", "account_name")} | reason
        for of, reason in _reasons(accounts, latest)
    ]
    return sorted(found, key=lambda each: str(each["account_name"]))


def _reasons(
    accounts: Iterable[Mapping[str, Any]], latest: Iterable[Walk]
) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    for walk in latest:
        step = walk["next_step"] or walk["error"]
        if not walk["complete"]:
            why = f"skipped: {walk['error_type'] or 'error'}"
            yield walk, {"why": why, "next_step": step}
        elif walk["account_id"] and step:
            yield walk, {"why": "lists nothing", "next_step": step}
    for account in accounts:
        if account["green_but_dead"]:
            why = f"green but silent for {span(account['silent_seconds'])}"
            step = "Look whether it is still connected in your PostPress dashboard."
            yield account, {"why": why, "next_step": step}


def _newest_activities(pipeline: dlt.Pipeline) -> dict[str | None, list[datetime]]:
    moments = 'SELECT DISTINCT account_id, id, "timestamp" AS moment FROM chats'
    place = "ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY moment DESC)"
    ranked = f"SELECT account_id, moment, {place} AS place FROM ({moments}) AS moments"  # noqa: S608 - our own text
    rows = warehouse.query(
        pipeline,
        {"account_id": "account_id", "moment": "moment"},
        f"FROM ({ranked} WHERE moment IS NOT NULL) AS ranked WHERE place <= {RECENT_CHATS}"
        " ORDER BY account_id, moment DESC",
    )
    newest: dict[str | None, list[datetime]] = defaultdict(list)
    for row in rows:
        newest[row["account_id"]].append(row["moment"])
    return newest


def _read_at(walks: Sequence[Walk], account_id: str | None) -> datetime | None:
    """When the account was last read without an error, on its own or with all visible ones."""
    return max(
        (
            walk["started_at"]
            for walk in walks
            if walk["complete"]
            and walk["kind"] != SWEEP
            and walk["account_id"] in (account_id, None)
        ),
        default=None,
    )
