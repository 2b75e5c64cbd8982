"""What a row of the ledger says, of `chat_walks` and `chat_walk_accounts`: the lists of fields."""

from __future__ import annotations

from typing import Annotated

import msgspec

from postpress_source.chats.fields import Instant, Moment, Text, says


class WalkRow(msgspec.Struct, kw_only=True):
    """A walk: what it was to do, what it did and cost, and what is known after it."""

    account_id: Annotated[
        Text, says("The account that was walked; null: all visible ones together.")
    ]
    scope: Annotated[Text, says("The filters that the walk, and its watermark, belong to.")]
    kind: Annotated[
        Text,
        says(
            "head: to known ground; full: to the end; backfill: a bounded range; sweep: the list "
            "of unread chats, to see which are read."
        ),
    ]
    reason: Annotated[Text, says("Why this kind of walk.")]
    started_at: Annotated[Moment, says("Start of the walk, UTC.")]
    finished_at: Annotated[Instant, says("Its end, UTC.")]
    pages: Annotated[int | None, says("Pages read.")]
    requests: Annotated[int | None, says("Requests made, every attempt counted.")]
    retries: Annotated[int | None, says("Attempts that followed a failed one.")]
    waited_seconds: Annotated[
        float | None, says("Time spent waiting: retries and rate limits, seconds.")
    ]
    chats_read: Annotated[int | None, says("Chats on the pages read, repeated ones counted again.")]
    chats_left_out: Annotated[
        int | None,
        says(
            "Chats that the API listed though they weren't asked for; they didn't land, and the "
            "walk isn't complete."
        ),
    ]
    chats_missing: Annotated[
        int | None,
        says(
            "Rows of chats that a full walk didn't list and that stay, since it isn't proved that "
            "they are gone, until the next full walk says the same."
        ),
    ]
    chats_deleted: Annotated[int | None, says("Rows of chats that are gone, deleted by this load.")]
    saw_all: Annotated[
        bool | None,
        says(
            "Of a full walk of one account: whether each chat that the tables had of it was "
            "listed, or is proved to be gone. Of all visible ones chat_walk_accounts says it."
        ),
    ]
    saw_down_to: Annotated[
        Instant,
        says(
            "Of a head walk: each chat that the tables had, and that was last active after it, "
            "was listed. Null where that isn't known."
        ),
    ]
    saw_unread_down_to: Annotated[
        Instant,
        says(
            "Of a sweep: each chat that the tables had as unread, and that was last active after "
            "it, was listed by this load's walks. 1970-01-01: each with a timestamp. Null "
            "elsewhere."
        ),
    ] = None
    history_from: Annotated[
        Instant,
        says(
            "chats_history has each version that held after it, UTC: history_keep before the run. "
            "Null where no history is kept."
        ),
    ] = None
    watermark_before: Annotated[Instant, says("How far the data was known before, UTC.")]
    watermark_after: Annotated[
        Instant, says("How far it is known now, UTC. Unchanged where the walk isn't complete.")
    ]
    newest_first: Annotated[bool | None, says("Whether all that was read came newest first.")]
    to_the_end: Annotated[bool | None, says("Whether the whole list was read.")]
    unchanged: Annotated[
        bool | None,
        says("It is complete, and nothing that it read was new to the tables."),
    ]
    whole_accounts: Annotated[
        Text,
        says(
            "Accounts, comma-separated, all of whose chats were listed. Null where there are "
            "none, or too many to say here: chat_walk_accounts has a row for each."
        ),
    ]
    complete: Annotated[bool, says("Whether the walk read all that it had to.")]
    error_type: Annotated[Text, says("Of a skipped account: the API's error type.")] = None
    error: Annotated[Text, says("Of a walk that isn't complete: what happened.")] = None
    next_step: Annotated[Text, says("What to do about it; null where there is nothing to do.")] = (
        None
    )
    _dlt_load_id: Annotated[
        Text, says("The load that brought this row and the chats it speaks of.")
    ]


class WalkedAccount(msgspec.Struct, kw_only=True):
    """An account that a walk of all visible ones read whole."""

    started_at: Annotated[Moment, says("Start of the walk, UTC: chat_walks.started_at.")]
    account_id: Annotated[Text, says("The account.")]
    chats_read: Annotated[int | None, says("Its chats on the pages read, repeated ones again.")]
    saw_all: Annotated[
        bool | None,
        says(
            "Whether each chat that the tables had of it was listed, or is proved to be gone. "
            "Null where they couldn't be asked, and where history didn't get all that was listed."
        ),
    ]
    _dlt_load_id: Annotated[Text, says("The load that brought this row.")]
