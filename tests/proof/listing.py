"""What a run is asked for, and the row that a listed chat must be; no code of the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
DAY = timedelta(days=1)
LONG = timedelta(days=365)


@dataclass(frozen=True)
class Trouble:
    """Which request of a run fails for good, or has its cursor refused (each that is listed)."""

    fails: int | None = None
    refused: tuple[int, ...] = ()


@dataclass(frozen=True)
class Order:
    """What a run is asked for."""

    account_ids: tuple[str, ...] = ()
    account_type: str | None = None
    unread: bool | None = None
    start: datetime | None = None
    end: datetime | None = None
    before: datetime | None = None
    after: datetime | None = None
    full_walk_every: timedelta = DAY
    sweep: timedelta | None = None
    trouble: Trouble = field(default_factory=Trouble)


_FIELDS = (
    *("id", "account_id", "account_type", "provider_id", "attendee_provider_id", "name", "type"),
    *("timestamp", "unread_count", "archived", "muted_until", "read_only", "subject"),
    *("organization_id", "mailbox_id", "content_type", "pinned", "folder", "disabledFeatures"),
)


def expected_row(chat: Mapping[str, Any]) -> Row:
    """The row that a chat of the API's list must be, derived without the package's code."""
    row: Row = {name: chat.get(name) for name in _FIELDS}
    row["disabled_features"] = row.pop("disabledFeatures")
    muted = row["muted_until"]
    row["muted_forever"] = muted == -1
    row["muted_until"] = None if muted in (None, -1) else datetime.fromisoformat(muted)
    if row["timestamp"] is not None:
        row["timestamp"] = datetime.fromisoformat(row["timestamp"])
    for flag in ("archived", "pinned"):
        row[flag] = None if row[flag] is None else bool(row[flag])
    odd = {k: v for k, v in chat.items() if k not in _FIELDS and k != "object"}
    row["extra"] = json.dumps(odd, separators=(",", ":")) if odd else None
    return row
