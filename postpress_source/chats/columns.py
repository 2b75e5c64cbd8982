"""The tables as dlt sees them: every column's type, and what it means, in the schema itself.

"Documented" is the reference page "List all chats" (May 2026).
"""

from __future__ import annotations

from typing import Any, Final, cast

from dlt.common.schema.typing import TColumnSchema
from dlt.extract import DltResource


def _column(data_type: str, description: str, **hints: Any) -> TColumnSchema:
    column = {"data_type": data_type, "description": description, "nullable": True, **hints}
    return cast(TColumnSchema, column)


CHATS: Final[dict[str, TColumnSchema]] = {
    "id": _column("text", "Unique chat id, opaque. The key.", nullable=False, row_key=True),
    "account_id": _column("text", "The connected PostPress account that owns the chat."),
    "account_type": _column(
        "text",
        "Provider: WHATSAPP, LINKEDIN, SLACK, TWITTER, MESSENGER, INSTAGRAM or TELEGRAM; others "
        "may appear.",
    ),
    "provider_id": _column("text", "The provider's own chat id."),
    "attendee_provider_id": _column(
        "text",
        "The provider's id of the other attendee of a 1:1 chat; null elsewhere. One person can "
        "have several chats: never a key.",
    ),
    "name": _column("text", "Chat or contact name; null where the provider gives none."),
    "type": _column("bigint", "0 = 1:1, 1 = group, 2 = broadcast; other codes may appear."),
    "timestamp": _column(
        "timestamp",
        "Last activity, UTC, milliseconds; null where unknown. Not the time of creation.",
    ),
    "unread_count": _column(
        "bigint", "Unread messages. Unread means <> 0: -1 is seen where one was marked by hand."
    ),
    "archived": _column("bool", "Whether the chat is archived."),
    "muted_until": _column(
        "timestamp", "Muted until then, UTC; null where not muted, or muted for ever."
    ),
    "muted_forever": _column(
        "bool", "Whether the chat is muted with no end (the API's muted_until = -1)."
    ),
    "read_only": _column("bigint", "0 = writable, 1 = read-only, 2 = locked; others may appear."),
    "subject": _column("text", "Subject, where the chat has one; else null."),
    "organization_id": _column("text", "LinkedIn organization mailboxes only; else null."),
    "mailbox_id": _column("text", "LinkedIn organization mailboxes only; else null."),
    "content_type": _column(
        "text", "LinkedIn: inmail, sponsored, linkedin_offer; others may appear; else null."
    ),
    "pinned": _column("bool", "Whether the chat is pinned; null where the API leaves it out."),
    "extra": _column(
        "text",
        "JSON object of what has no column: fields that no document names, and values that don't "
        "fit their column, by the API's name. Null where there is nothing.",
    ),
    "_dlt_load_id": _column("text", "The load that last changed the row, _dlt_loads.load_id."),
}

LISTS: Final[dict[str, TColumnSchema]] = {
    "folder": _column(
        "json",
        "Folders of the chat, in order: INBOX, INBOX_LINKEDIN_CLASSIC, _RECRUITER, "
        "_SALES_NAVIGATOR, _ORGANIZATION, and custom names.",
    ),
    "disabled_features": _column(
        "json", "Features the provider disables for the chat, in order: reactions, reply, others."
    ),
}


def array_table(list_name: str) -> dict[str, TColumnSchema]:
    """The columns of `chats__<list_name>`: one row an element."""
    return {
        "chat_id": _column(
            "text",
            "The chat, chats.id.",
            nullable=False,
            parent_key=True,
            root_key=True,
        ),
        "value": _column("text", f"One element. {LISTS[list_name]['description']}"),
        "_dlt_list_idx": _column("bigint", "Place of the element, from 0.", nullable=False),
        "_dlt_id": _column(
            "text", "chat_id:_dlt_list_idx, the row's key.", nullable=False, row_key=True
        ),
    }


CHAT_WALKS: Final[dict[str, TColumnSchema]] = {
    "account_id": _column("text", "The account that was walked; null: all visible ones together."),
    "scope": _column("text", "The filters that the walk, and its watermark, belong to."),
    "kind": _column("text", "head: to known ground; full: to the end; backfill: a bounded range."),
    "reason": _column("text", "Why this kind of walk."),
    "started_at": _column("timestamp", "Start of the walk, UTC.", nullable=False),
    "finished_at": _column("timestamp", "Its end, UTC."),
    "pages": _column("bigint", "Pages read."),
    "requests": _column("bigint", "Requests made, every attempt counted."),
    "retries": _column("bigint", "Attempts that followed a failed one."),
    "waited_seconds": _column("double", "Time spent waiting: retries and rate limits, seconds."),
    "chats_read": _column("bigint", "Chats on the pages read, repeated ones counted again."),
    "chats_left_out": _column(
        "bigint",
        "Chats that the API listed though they weren't asked for; they didn't land, and the walk "
        "isn't complete.",
    ),
    "chats_missing": _column(
        "bigint",
        "Rows of chats that a full walk didn't list and that stay, since it isn't proved that they "
        "are gone, until the next full walk says the same.",
    ),
    "chats_deleted": _column("bigint", "Rows of chats that are gone, deleted by this load."),
    "watermark_before": _column("timestamp", "How far the data was known before, UTC."),
    "watermark_after": _column(
        "timestamp", "How far it is known now, UTC. Unchanged where the walk isn't complete."
    ),
    "newest_first": _column("bool", "Whether all that was read came newest first."),
    "to_the_end": _column("bool", "Whether the whole list was read."),
    "unchanged": _column(
        "bool", "Everything read is what the last run landed; no row was loaded again."
    ),
    "whole_accounts": _column(
        "text",
        "Accounts, comma-separated, whose every chat is in this load: a chat of theirs that was "
        "last loaded earlier is gone at the source. Null where the walk is no evidence of that.",
    ),
    "complete": _column("bool", "Whether the walk read all that it had to.", nullable=False),
    "error_type": _column("text", "Of a skipped account: the API's error type."),
    "error": _column("text", "Of a walk that isn't complete: what happened."),
    "next_step": _column("text", "What to do about it; null where there is nothing to do."),
    "_dlt_load_id": _column("text", "The load that brought this row and the chats it speaks of."),
}

LEDGER: Final = "chat_walks"
ARRAY_TABLES: Final = {f"chats__{name}": array_table(name) for name in LISTS}


def describe_tables(chats: DltResource) -> None:
    """Give the resource its tables: `chats`, an array table for each list, and the ledger."""
    for name, columns in ARRAY_TABLES.items():
        chats.apply_hints(
            table_name=name,
            parent_table_name="chats",
            write_disposition="merge",
            columns=columns,
            create_table_variant=True,
        )
    chats.apply_hints(
        table_name=LEDGER,
        write_disposition="append",
        columns=CHAT_WALKS,
        create_table_variant=True,
    )
    chats.apply_hints(write_disposition="merge", primary_key="id", columns=CHATS)
