"""`postpress status`: what is loaded, how fresh it is, and how the last walks went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode
from postpress_source.cli.screen import Screen, instant, span
from postpress_source.cli.walks import Walk, read_walks, show_skipped, show_walks

RECENT_CHATS: Final = 100
LEAST_CHATS: Final = 10
LEAST_SILENCE: Final = timedelta(days=1)
TIMES_LONGEST_PAUSE: Final = 2
_SHOWN_WALKS: Final = 6


def status(choice: Choice, screen: Screen) -> ExitCode:
    """Show the state of the warehouse. MEND if an account's last walk failed."""
    pipeline = warehouse.open_pipeline(choice)
    if not warehouse.restore(pipeline):
        raise CommandError(warehouse.nothing_loaded(choice, pipeline))
    walks = read_walks(pipeline)
    skipped = [walk for walk in last_walks(walks) if not walk["complete"]]
    now = datetime.now(UTC)
    document: dict[str, Any] = {
        "ok": not skipped,
        "exit_code": int(ExitCode.MEND if skipped else ExitCode.OK),
        "pipeline": pipeline.pipeline_name,
        "destination": pipeline.destination.destination_name,
        "dataset": pipeline.dataset_name,
        "location": warehouse.location(pipeline),
        "watermark": _watermark(pipeline),
        "last_run": walks[0]["started_at"] if walks else None,
        "rows": _row_counts(pipeline),
        "accounts": _accounts(pipeline, walks, now),
        "skipped": skipped,
        "walks": walks[:_SHOWN_WALKS],
    }
    screen.document(document)
    _show(document, screen, now)
    return ExitCode(document["exit_code"])


def last_walks(walks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest walk of each account and scope, from a ledger that is newest first.

    An account whose own walk failed is well again once all visible ones were walked to the end.
    """
    latest: dict[tuple[Any, Any], dict[str, Any]] = {}
    for walk in walks:
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


def _watermark(pipeline: dlt.Pipeline) -> datetime | None:
    incremental = warehouse.chats_state(pipeline).get("incremental", {})
    value: datetime | None = incremental.get("timestamp", {}).get("last_value")
    return value


def _row_counts(pipeline: dlt.Pipeline) -> dict[str, int]:
    schema = pipeline.default_schema
    return {
        table: warehouse.query(pipeline, {"rows_": "COUNT(*)"}, f"FROM {table}")[0]["rows_"]
        for table in schema.data_table_names(seen_data_only=True)
    }


def _accounts(pipeline: dlt.Pipeline, walks: Sequence[Walk], now: datetime) -> list[dict[str, Any]]:
    accounts = warehouse.query(
        pipeline,
        {
            "account_id": "account_id",
            "account_type": "MAX(account_type)",
            "chats": "COUNT(DISTINCT id)",
            "newest": 'MAX("timestamp")',
        },
        "FROM chats GROUP BY account_id ORDER BY account_id",
    )
    newest = _newest_activities(pipeline)
    for account in accounts:
        account_id = account["account_id"]
        walked_at = _walked_at(walks, account_id)
        account["last_walk"] = walked_at
        account["silent_seconds"] = (
            max(timedelta(0), walked_at - account["newest"]).total_seconds()
            if walked_at and account["newest"]
            else None
        )
        account["green_but_dead"] = is_dead(newest[account_id], walked_at)
    return accounts


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


def _walked_at(walks: Sequence[Walk], account_id: str | None) -> datetime | None:
    """When the account was last read without an error, on its own or with all visible ones."""
    return max(
        (
            walk["started_at"]
            for walk in walks
            if walk["complete"] and walk["account_id"] in (account_id, None)
        ),
        default=None,
    )


def _show(document: dict[str, Any], screen: Screen, now: datetime) -> None:
    last = document["last_run"]
    screen.pairs(
        [
            ("tables in", f"{document['location']}, dataset {document['dataset']}"),
            ("watermark", instant(document["watermark"])),
            ("last run", f"{instant(last)}, {span(now - last)} ago" if last else "-"),
            *((name, f"{count:,} rows") for name, count in sorted(document["rows"].items())),
        ]
    )
    screen.say("")
    screen.table(
        ("account", "provider", "chats", "newest activity", "silent for"),
        (
            (
                account["account_id"],
                account["account_type"],
                account["chats"],
                account["newest"],
                _silence(account),
            )
            for account in document["accounts"]
        ),
    )
    screen.say("", "Last walks, newest first:", style="bold")
    complete = (walk for walk in document["walks"] if walk["complete"])
    show_walks(screen, complete, with_start=True)
    show_skipped(screen, document["skipped"])
    for account in document["accounts"]:
        if account["green_but_dead"]:
            screen.say(_dead(account), style="yellow")


def _silence(account: dict[str, Any]) -> str | None:
    seconds = account["silent_seconds"]
    return None if seconds is None else span(seconds) + (" !" if account["green_but_dead"] else "")


def _dead(account: dict[str, Any]) -> str:
    return (
        f"! {account['account_id']} is read without errors but has been silent for "
        f"{span(account['silent_seconds'])}, much longer than ever among its last chats. Look "
        "whether it is still connected in your PostPress dashboard."
    )
