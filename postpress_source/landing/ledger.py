"""The ledger: one row a walk, in the same load as the chats it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import pyarrow as pa

from postpress_source.chats.fields import fields_of
from postpress_source.chats.tables import schema_of
from postpress_source.chats.walk_row import WalkedAccount, WalkRow
from postpress_source.walks.plan import Kind, reason_of
from postpress_source.walks.walk import DOUBTFUL, NOTHING_LISTED, Walk
from postpress_source.walks.watermark import Memory

WALKS: Final = schema_of(fields_of(WalkRow))
ACCOUNTS: Final = schema_of(fields_of(WalkedAccount))
_MOST_NAMED: Final = 20
"""Accounts that a text of the ledger names."""


def ledger(
    walks: Sequence[tuple[Walk, Memory | None]], load_id: str, history_from: datetime | None
) -> pa.Table:
    """A table of the schema `WALKS`, one row a walk.

    Args:
        walks: Each walk with what its unit remembers after it (None where a walk remembers
            nothing: a backfill, a sweep, or an account that was read beside "all visible").
        load_id: The load package that the rows are in.
        history_from: Versions that were retired before it aren't kept; None: none is.
    """
    rows = [_row(walk, after, load_id, history_from) for walk, after in walks]
    return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows], WALKS)


def accounts(walks: Sequence[Walk], load_id: str) -> pa.Table:
    """A table of the schema `ACCOUNTS`: what walks of all visible accounts read whole."""
    rows = [
        WalkedAccount(
            started_at=walk.started_at,
            account_id=account,
            chats_read=walk.accounts[account],
            saw_all=walk.saw.get(account),
            _dlt_load_id=load_id,
        )
        for walk in walks
        if walk.account_id is None
        for account in sorted(walk.whole)
    ]
    return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows], ACCOUNTS)


def _row(walk: Walk, after: Memory | None, load_id: str, history_from: datetime | None) -> WalkRow:
    kept = {account for account, verdict in walk.verdicts.items() if verdict.kept}
    whole = walk.whole - kept if walk.filters.account_type is None else ()
    return WalkRow(
        account_id=walk.account_id,
        scope=walk.filters.scope(),
        kind=str(walk.kind),
        reason=reason_of(walk.plan, walk.progress),
        started_at=walk.started_at,
        # of a clock that was set back the start is right in order, and the end isn't
        finished_at=max(walk.finished_at or walk.started_at, walk.started_at),
        pages=walk.pages,
        requests=walk.traffic.requests,
        retries=walk.traffic.retries,
        waited_seconds=walk.traffic.waited_seconds,
        chats_read=walk.chats,
        chats_left_out=sum(walk.unasked.values()),
        chats_missing=sum(len(verdict.kept) for verdict in walk.verdicts.values()),
        chats_deleted=sum(len(verdict.gone) for verdict in walk.verdicts.values()),
        saw_all=walk.saw.get(walk.account_id or ""),
        saw_down_to=walk.saw_down_to,
        saw_unread_down_to=walk.saw_unread_down_to,
        history_from=history_from,
        watermark_before=walk.memory.watermark if walk.memory else None,
        watermark_after=after.watermark if after else None,
        newest_first=None if walk.error else walk.progress.newest_first,
        to_the_end=walk.to_the_end,
        unchanged=walk.unchanged,
        whole_accounts=",".join(sorted(whole)) or None if len(whole) <= _MOST_NAMED else None,
        complete=walk.complete,
        _dlt_load_id=load_id,
        **_what_to_do(walk),
    )


def _what_to_do(walk: Walk) -> dict[str, str | None]:
    if walk.error:
        error = walk.error
        return {"error_type": error.error_type, "error": str(error), "next_step": error.next_step}
    if walk.kind is Kind.SWEEP:
        return {"error": walk.doubt} if walk.doubt else {}
    if walk.doubt:
        return {"error": walk.doubt, "next_step": DOUBTFUL}
    if walk.account_id and not walk.chats:
        return {"next_step": NOTHING_LISTED}
    return {}
