"""From the tables of chats that a run read to what dlt stages: what changed, and nothing else.

What has come through the user's steps is compared with what the destination has, and becomes rows
of `chats`, of its arrays, and of `chats_history`. The ledger, and what says that chats are gone, go
past the steps.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.tables import CHATS, TEXT, split_lists
from postpress_source.chats.versions import VERSION, versions_of, with_texts
from postpress_source.landing.given import fields_of_steps, with_null
from postpress_source.landing.history import tombstones, versions
from postpress_source.landing.shape import TOMBSTONE, Shape
from postpress_source.landing.steps import Steps
from postpress_source.landing.table import Known, Table
from postpress_source.landing.texts import Texts

logger = logging.getLogger("postpress_source")


class HandOver:
    """Hands tables to dlt in the shape that the current destination keeps exact.

    To be used inside the running resource.

    Args:
        shape: Of the tables, described.
        table: What the destination has.
        texts: What the destination's text can hold.
        load_id: The load package.
        seen_at: The run's instant, for history; None: no history is kept.
        everything: Whether all is staged, as if nothing were there.
        replaces: Whether it takes the place of what is there twice, besides.
        known: Chats that are known to have landed; None: none are.

    Attributes:
        rows: How many rows were staged, by table; empty if nothing was.
        staged: How many chats were, by account.
        lost: Whether the table lacks rows that it had.
    """

    def __init__(
        self,
        shape: Shape,
        table: Table,
        texts: Texts,
        load_id: str,
        *,
        seen_at: datetime | None,
        everything: bool = False,
        replaces: bool = False,
        known: Known | None = None,
    ) -> None:
        self._shape = shape
        self._table = table
        self._texts = texts
        self._load_id = load_id
        self._seen_at = seen_at
        self._everything = everything or replaces or shape.disposition != "merge"
        self._replaces = replaces
        self._known = known
        self._steps = Steps(shape.names.chats, self._stage)
        self._own: list[pa.Field] = []
        self._own_as_texts: list[pa.Field] = []
        self.rows: Counter[str] = Counter()
        self.staged: Counter[str | None] = Counter()
        self.lost = False
        shape.choose_merge()

    def chats(self, tables: Iterable[pa.Table]) -> Iterator[Any]:
        """The items to yield for tables of chats with their lists; nothing for no tables."""
        yield from self._steps.give(tables)
        if self._shape.is_new and not self.rows:
            yield from map(self._steps.past, self._stage(CHATS.empty_table()))

    def gone(self, chat_ids: Collection[str]) -> Iterator[Any]:
        """The items to yield, after the chats, so that these are deleted, in history retired."""
        gone = sorted(chat_ids) if self._may_delete(chat_ids) else []
        if gone and self._shape.array_tables and self._shape.can_delete:
            rows = [{"id": chat_id, "extra": TOMBSTONE} for chat_id in gone]
            dead = pa.Table.from_pylist(rows, CHATS)
            dead = with_null(dead.append_column(VERSION, pa.nulls(len(gone), TEXT)), self._own)
            yield from map(self._steps.past, self._parts(self._with_load_id(dead)))
        if gone and self._seen_at and not self._shape.history_is_new:
            ended = tombstones(self._table.accounts_of(gone), self._seen_at)
            ended = with_null(ended, self._own_as_texts)
            yield self._steps.past(self._of_history(self._with_load_id(ended)))
        self._steps.close()
        replaces = self._replaces or self._table.doubled
        self._shape.choose_merge(gone if self._shape.can_delete else (), replaces=replaces)

    def ledger(self, walks: pa.Table, accounts: pa.Table) -> Iterator[Any]:
        """The items to yield for rows of the ledger."""
        names = self._shape.names
        for name, rows in ((names.walks, walks), (names.walk_accounts, accounts)):
            if rows.num_rows or self._shape.is_new:
                self._shape.choose_files(name, empty=not rows.num_rows)
                yield self._steps.past(dlt.mark.with_table_name(rows, name))

    def new_of(self, account_id: str | None) -> int:
        """How many chats were staged of an account; None: of all."""
        return self.staged[account_id] if account_id else self.staged.total()

    @property
    def all_in_history(self) -> bool:
        """Whether history got all chats: none was kept back by a step, or given another id."""
        return self._steps.whole and self._seen_at is not None

    def _may_delete(self, chat_ids: Collection[str]) -> bool:
        if chat_ids and self._steps.other_ids:
            logger.warning(
                "A step on the resource gives chats other ids than the API does, so %d that seem "
                "gone stay.",
                len(chat_ids),
            )
        return not self._steps.other_ids

    def _stage(self, table: pa.Table) -> Iterator[Any]:
        """The rows that the destination doesn't have, as it takes them."""
        table = self._texts.without_nul(table)
        texts = with_texts(table)
        self._texts.check(texts)
        version = pa.array(versions_of(texts), TEXT)
        if not self._shape.lists_as_columns:
            table = texts
        table, texts = (rows.append_column(VERSION, version) for rows in (table, texts))
        self._own, self._own_as_texts = map(fields_of_steps, (table, texts))
        new, new_in_history = self._table.lacks(table, everything=self._everything)
        table = table.filter(new)
        if self._known is not None:
            self.lost |= self._table.has_lost(table, self._known)
        for account in pc.value_counts(table["account_id"]).to_pylist():
            self.staged[account["values"]] += account["counts"]
        yield from self._parts(self._with_load_id(table))
        texts = texts.filter(new_in_history)
        if self._seen_at and (texts.num_rows or self._shape.is_new):
            yield self._of_history(self._with_load_id(versions(texts, self._seen_at)))

    def _with_load_id(self, table: pa.Table) -> pa.Table:
        return table.append_column("_dlt_load_id", pa.repeat(self._load_id, table.num_rows))

    def _parts(self, table: pa.Table) -> Iterator[Any]:
        names = self._shape.names
        parts = split_lists(table) if self._shape.array_tables else {"chats": table}
        first = names.chats not in self.rows
        if not table.num_rows and not (first and self._shape.is_new):
            return
        for part, of_part in parts.items():
            rows = self._texts.without_nul(of_part)  # elements, too
            name = names.chats if part == "chats" else names.arrays[part]
            if rows.num_rows or (first and self._shape.is_new):
                self.rows[name] += rows.num_rows
                self._shape.choose_files(name, empty=not rows.num_rows)
                yield rows if part == "chats" else dlt.mark.with_table_name(rows, name)

    def _of_history(self, rows: pa.Table) -> Any:
        name = self._shape.names.history
        self.rows[name] += rows.num_rows
        self._shape.choose_files(name, empty=not rows.num_rows)
        return dlt.mark.with_table_name(rows, name)
