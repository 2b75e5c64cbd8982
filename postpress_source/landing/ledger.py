"""The ledger: one row a walk, in the same load as the chats it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from postpress_source.chats.tables import INSTANT, TEXT
from postpress_source.walks.plan import reason_of
from postpress_source.walks.reader import DOUBTFUL, NOTHING_LISTED, Walk
from postpress_source.walks.watermark import Memory

WALKS = pa.schema(
    [
        ("account_id", TEXT),
        ("scope", TEXT),
        ("kind", TEXT),
        ("reason", TEXT),
        pa.field("started_at", INSTANT, nullable=False),
        ("finished_at", INSTANT),
        ("pages", pa.int64()),
        ("requests", pa.int64()),
        ("retries", pa.int64()),
        ("waited_seconds", pa.float64()),
        ("chats_read", pa.int64()),
        ("chats_left_out", pa.int64()),
        ("chats_missing", pa.int64()),
        ("chats_deleted", pa.int64()),
        ("watermark_before", INSTANT),
        ("watermark_after", INSTANT),
        ("newest_first", pa.bool_()),
        ("to_the_end", pa.bool_()),
        ("unchanged", pa.bool_()),
        ("whole_accounts", TEXT),
        pa.field("complete", pa.bool_(), nullable=False),
        ("error_type", TEXT),
        ("error", TEXT),
        ("next_step", TEXT),
        ("_dlt_load_id", TEXT),
    ]
)


def ledger(walks: Sequence[tuple[Walk, Memory | None]], scope: str, load_id: str) -> pa.Table:
    """A table of the schema `WALKS`, one row a walk.

    Args:
        walks: Each walk with what its unit remembers after it (None where a walk remembers
            nothing: a backfill, or an account that was read beside "all visible").
        scope: The filters, as the watermark's scope.
        load_id: The load package that the rows are in.
    """
    rows = [_row(walk, after) | {"scope": scope, "_dlt_load_id": load_id} for walk, after in walks]
    return pa.Table.from_pylist(rows, WALKS)


def _row(walk: Walk, after: Memory | None) -> dict[str, Any]:
    kept = {account for account, verdict in walk.verdicts.items() if verdict.kept}
    whole = walk.whole - kept if walk.filters.account_type is None else ()
    return {
        "account_id": walk.account_id,
        "kind": str(walk.kind),
        "reason": reason_of(walk.plan, walk.progress),
        "started_at": walk.started_at,
        "finished_at": walk.finished_at,
        "pages": walk.pages,
        "requests": walk.traffic.requests,
        "retries": walk.traffic.retries,
        "waited_seconds": walk.traffic.waited_seconds,
        "chats_read": walk.chats,
        "chats_left_out": sum(walk.unasked.values()),
        "chats_missing": sum(len(verdict.kept) for verdict in walk.verdicts.values()),
        "chats_deleted": sum(len(verdict.gone) for verdict in walk.verdicts.values()),
        "watermark_before": walk.memory.watermark if walk.memory else None,
        "watermark_after": after.watermark if after else None,
        "newest_first": None if walk.error else walk.progress.newest_first,
        "to_the_end": walk.to_the_end,
        "unchanged": walk.unchanged,
        "whole_accounts": ",".join(sorted(whole)) or None,
        "complete": walk.complete,
        **_what_to_do(walk),
    }


def _what_to_do(walk: Walk) -> dict[str, str | None]:
    if walk.error:
        error = walk.error
        return {"error_type": error.error_type, "error": str(error), "next_step": error.next_step}
    if walk.doubt:
        return {"error": walk.doubt, "next_step": DOUBTFUL}
    if walk.account_id and not walk.chats:
        return {"next_step": NOTHING_LISTED}
    return {}
