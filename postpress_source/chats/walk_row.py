"""What a row of the ledger `chat_walks` says: the one list of its fields."""

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
        Text, says("head: to known ground; full: to the end; backfill: a bounded range.")
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
    watermark_before: Annotated[Instant, says("How far the data was known before, UTC.")]
    watermark_after: Annotated[
        Instant, says("How far it is known now, UTC. Unchanged where the walk isn't complete.")
    ]
    newest_first: Annotated[bool | None, says("Whether all that was read came newest first.")]
    to_the_end: Annotated[bool | None, says("Whether the whole list was read.")]
    unchanged: Annotated[
        bool | None,
        says("Everything read is what the last run landed; no row was loaded again."),
    ]
    whole_accounts: Annotated[
        Text,
        says(
            "Accounts, comma-separated, whose every chat is in this load: a chat of theirs that "
            "was last loaded earlier is gone at the source. Null where the walk is no evidence of "
            "that."
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
