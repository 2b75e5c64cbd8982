"""`chats_history`: one row a version of a chat, and when it was seen to hold.

A poller knows two things of every change: the last look that saw the old value, and the first that
saw the new. So a version has the run that first saw it, and the run that first saw it hold no
longer; between that run and the last one before it that read the chat lies the change.

Staged are new versions, and a tombstone for each chat that is gone. Where the destination merges
`scd2`, either retires the version before it. Elsewhere they are appended, and a view tells which
are current.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import pyarrow as pa

from postpress_source.chats.tables import CHATS, INSTANT, TEXT
from postpress_source.chats.versions import VERSION

_GONE: Final = "gone"
"""The version of a tombstone: no hash."""
_KEYS: Final = pa.schema([CHATS.field("id"), CHATS.field("account_id"), (VERSION, TEXT)])


def versions(chats: pa.Table, seen_at: datetime) -> pa.Table:
    """The rows of history for chats, their lists as text, that have a version each."""
    return _seen(chats, seen_at, gone=False)


def tombstones(accounts: Mapping[str, str | None], seen_at: datetime) -> pa.Table:
    """The rows of history that say that chats are gone.

    Args:
        accounts: The account of each chat, by id.
        seen_at: The run's instant.
    """
    rows = [{"id": i, "account_id": accounts[i], VERSION: _GONE} for i in sorted(accounts)]
    return _seen(pa.Table.from_pylist(rows, _KEYS), seen_at, gone=True)


def _seen(rows: pa.Table, seen_at: datetime, *, gone: bool) -> pa.Table:
    count, whole = rows.num_rows, rows.schema.get_field_index(VERSION)
    rows = rows.set_column(whole, pa.field(VERSION, TEXT, nullable=False), rows[VERSION])
    columns = {
        "seen_from": pa.repeat(pa.scalar(seen_at, INSTANT), count),
        "seen_until": pa.nulls(count, INSTANT),
        "gone": pa.repeat(pa.scalar(gone), count),
    }
    for name, values in columns.items():
        field = pa.field(name, values.type, nullable=name != "gone")
        rows = rows.append_column(field, values)
    return rows
