"""What status, digest and report say, each in its own way: the inbox and the accounts, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dlt

from postpress_source.cli import warehouse
from postpress_source.cli.accounts import last_walks, read_accounts, who_needs_a_person
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode
from postpress_source.cli.inbox import Inbox, Waiting, read_inbox
from postpress_source.cli.sla import Sla
from postpress_source.cli.volume import out_of_line
from postpress_source.cli.walks import read_walks
from postpress_source.views.names import account_names

_SHOWN_WALKS: Final = 6


@dataclass(frozen=True, slots=True)
class Overview:
    """A destination as it was found.

    Attributes:
        pipeline: Restored.
        inbox: What waits.
        walks: The ledger, newest first.
        document: The same for machines.
        now: When it was looked at.
    """

    pipeline: dlt.Pipeline
    inbox: Inbox
    walks: list[dict[str, Any]]
    document: dict[str, Any]
    now: datetime


def look(choice: Choice, sla: Sla, now: datetime | None = None) -> Overview:
    """Look at what is loaded; nothing is changed.

    Raises:
        CommandError: Nothing has been loaded yet.
    """
    names = account_names()
    pipeline = warehouse.open_pipeline(choice)
    if not warehouse.restore(pipeline):
        raise CommandError(warehouse.nothing_loaded(choice, pipeline))
    return overview_of(pipeline, sla, names, now or datetime.now(UTC))


def overview_of(
    pipeline: dlt.Pipeline,
    sla: Sla,
    names: Mapping[str, str],
    now: datetime,
) -> Overview:
    """The same of a pipeline that is open and has loaded.

    Args:
        pipeline: Restored, or just run.
        sla: How long a chat may wait.
        names: Account id -> what people call it.
        now: When it is looked at.
    """
    walks = read_walks(pipeline)
    latest = last_walks(walks)
    skipped = [walk for walk in latest if not walk["complete"]]
    inbox = read_inbox(pipeline, walks, sla, names)
    accounts = read_accounts(pipeline, walks, now, names)
    _count(accounts, inbox)
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
        "inbox": _inbox(inbox, sla),
        "accounts": accounts,
        "needs_person": who_needs_a_person(accounts, latest),
        "volume": out_of_line(walks),
        "skipped": skipped,
        "empty": [walk for walk in latest if walk["complete"] and walk["next_step"]],
        "walks": walks[:_SHOWN_WALKS],
    }
    return Overview(pipeline, inbox, walks, document, now)


def _inbox(inbox: Inbox, sla: Sla) -> dict[str, Any]:
    dated = [chat for chat in inbox.waiting if chat.since is not None]
    oldest = dated[0] if dated else None
    return {
        "as_of": inbox.as_of,
        "unread": sum(row["unread_chats"] for row in inbox.backlog),
        "waiting": len(inbox.waiting),
        "over_sla": sum(chat.over for chat in inbox.waiting),
        "oldest_waiting": oldest
        and {
            "account_id": oldest.account_id,
            "account_name": oldest.account_name,
            "since": oldest.since,
            "age_seconds": seconds(oldest.age),
        },
        "sla": sla.to_json(),
    }


def _count(accounts: Iterable[dict[str, Any]], inbox: Inbox) -> None:
    """What waits in each account, beside how fresh it is."""
    backlog = {row["account_id"]: row for row in inbox.backlog}
    for account in accounts:
        waiting = [chat for chat in inbox.waiting if chat.account_id == account["account_id"]]
        row = backlog.get(account["account_id"])
        account |= {
            "unread": row["unread_chats"] if row else 0,
            "waiting": len(waiting),
            "over_sla": sum(chat.over for chat in waiting),
            "oldest_waiting": _oldest(waiting),
        }


def _oldest(waiting: Iterable[Waiting]) -> datetime | None:
    return next((chat.since for chat in waiting if chat.since is not None), None)


def seconds(length: timedelta | None) -> float | None:
    """A length as JSON has it."""
    return None if length is None else length.total_seconds()


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
