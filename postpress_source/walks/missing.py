"""Which rows a list doesn't show, and when that forbids to replace them all."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.errors import PostpressContractError
from postpress_source.walks.gone import plausible


def counts_of(rows: pa.Table) -> dict[str, int]:
    """How many rows each account has."""
    return {c["values"]: c["counts"] for c in pc.value_counts(rows["account_id"]).to_pylist()}


def missing_of(rows: pa.Table, listed: pa.Table) -> dict[str, set[str]]:
    """By account, the ids of rows that aren't listed."""
    gone = rows.filter(pc.invert(pc.is_in(rows["id"], listed["id"].combine_chunks())))
    missing: dict[str, set[str]] = {}
    pairs = zip(gone["account_id"].to_pylist(), gone["id"].to_pylist(), strict=True)
    for account, chat_id in pairs:
        missing.setdefault(account, set()).add(chat_id)
    return missing


def refuse_losses(rows: pa.Table, listed: pa.Table, named: Collection[str | None]) -> None:
    """Refuse to replace these rows by what is listed, if more would go than is plausible.

    Args:
        rows: `id` and `account_id` of every row.
        listed: Likewise, of what is listed of all that there is.
        named: Accounts that were asked for; empty: all.

    Raises:
        PostpressContractError: It says of which account, and how much.
    """
    counts = counts_of(rows)
    for account, ids in missing_of(rows, listed).items():
        if len(ids) > plausible(counts[account]) and (account in named or not named):
            raise PostpressContractError(
                f"Account {account}: {len(ids)} of its {counts[account]} rows aren't listed, which "
                "isn't proved to be for good, and replacing would take them away; nothing was "
                "loaded",
                account_id=account,
                next_step="Merge, the default: it deletes what two full walks agree on. Or begin "
                'anew: refresh="drop_sources".',
            )
    if rows.num_rows and not listed.num_rows:
        raise PostpressContractError(
            f"No chat is listed, and replacing would take {rows.num_rows} rows away; nothing was "
            "loaded",
            next_step='Check account_id. To begin anew: refresh="drop_sources".',
        )
