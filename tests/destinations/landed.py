"""What the destination should hold, worked out from the API's own list, and what it does hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from postpress_source.sandbox import World
from tests.destinations.targets import Place, Row

LISTS = {"folder": "folder", "disabled_features": "disabledFeatures"}
TEXTS = (
    "id",
    "account_id",
    "account_type",
    "provider_id",
    "attendee_provider_id",
    "name",
    "subject",
    "organization_id",
    "mailbox_id",
    "content_type",
)
CODES = ("type", "unread_count", "read_only")


def instant(text: Any) -> datetime | None:
    """An instant of the API's, UTC."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def expected(chat: Row) -> Row:
    """The row of a chat, its lists included."""
    return {
        **{name: chat.get(name) for name in (*TEXTS, *CODES)},
        "timestamp": instant(chat.get("timestamp")),
        "archived": flag(chat.get("archived")),
        "pinned": flag(chat.get("pinned")),
        "muted_until": instant(chat.get("muted_until")),
        "muted_forever": chat.get("muted_until") == -1,
        **{column: chat.get(key) or [] for column, key in LISTS.items()},
    }


def inbox(world: World) -> dict[str, Row]:
    """What `chats` should say, by id."""
    return {chat["id"]: expected(chat) for chat in world.relist()}


def utc(value: Any) -> Any:
    """Destinations without time zones give naive datetimes, which are UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def landed(place: Place, rows: Iterable[Row] | None = None) -> dict[str, Row]:
    """What `chats` and its arrays say, by id; fails on a chat, or an element, that is there twice.

    Args:
        place: The destination.
        rows: The rows of `chats`, if they are to be seen through a view.
    """
    found: dict[str, Row] = {}
    for row in place.read("chats") if rows is None else rows:
        assert row["id"] not in found
        found[row["id"]] = {
            name: utc(value)
            for name, value in row.items()
            if name not in ("extra", "version", "_dlt_load_id", "_dlt_id")
        }
        assert row.get("extra") is None
    for column in LISTS:
        if place.target.array_tables:
            _attach(found, column, place.read(f"chats__{column}"))
        else:
            assert not place.read(f"chats__{column}")
            for chat in found.values():
                chat[column] = elements(chat[column])
    return found


def elements(value: Any) -> list[str]:
    """A list column, wherever it comes back as JSON."""
    parsed = json.loads(value) if isinstance(value, str) else value
    return [] if parsed is None else list(parsed)


def _attach(chats: dict[str, Row], column: str, array_rows: list[Row]) -> None:
    """Give each chat its elements; an element without a chat, or out of place, is an error."""
    for chat in chats.values():
        chat[column] = []
    for row in sorted(array_rows, key=lambda row: (row["chat_id"], row["_dlt_list_idx"])):
        assert row["chat_id"] in chats, f"an element outlives its chat: {row}"
        assert row["_dlt_list_idx"] == len(chats[row["chat_id"]][column]), f"out of place: {row}"
        chats[row["chat_id"]][column].append(row["value"])


def ledger(place: Place) -> list[Row]:
    """The rows of `chat_walks`, in the order of the walks."""
    return sorted(place.read("chat_walks"), key=lambda row: (utc(row["started_at"]), row["kind"]))
