"""What the user's steps on the resource give: tables, frames or rows; as tables of chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

from postpress_source.chats.tables import CHATS
from postpress_source.chats.versions import VERSION
from postpress_source.errors import PostpressArgumentError

_RESERVED: Final = frozenset({VERSION, "_dlt_load_id"})
_TAKEN: Final = frozenset({"seen_from", "seen_until", "gone", "_dlt_id"})
"""Columns of the tables beside or behind `chats`."""


def as_table(item: Any) -> pa.Table:
    """What a user's step gave: Arrow, pandas, a row or a list of these; chats' columns typed."""
    if isinstance(item, list):
        table = pa.concat_tables(map(as_table, item), promote_options="permissive")
    elif isinstance(item, pa.RecordBatch):
        table = pa.Table.from_batches([item])
    elif isinstance(item, dict):
        table = pa.Table.from_pylist([item])
    elif isinstance(item, pa.Table):
        table = item
    else:
        table = pa.Table.from_pandas(item, preserve_index=False)
    if taken := [name for name in table.column_names if name.lower() in _TAKEN]:
        raise PostpressArgumentError(
            f"A step on the resource gave chats a column {taken[0]}, which the source has",
            next_step="Name it otherwise.",
        )
    return _typed(table)


def _typed(table: pa.Table) -> pa.Table:
    """With the columns of chats in their types, without those that are made behind the steps."""
    if "id" not in table.column_names:
        raise PostpressArgumentError(
            "A step on the resource gave chats without their id",
            next_step="Keep the column id: it is the key.",
        )
    for index, field in enumerate(table.schema):
        known = CHATS.field(field.name) if field.name in CHATS.names else field
        if known.type != field.type:
            table = table.set_column(index, known, table.column(index).cast(known.type))
    return table.drop_columns([name for name in table.column_names if name in _RESERVED])


def no_table(error: Exception) -> PostpressArgumentError:
    """The error of a step that a table of chats is nothing for."""
    return PostpressArgumentError(
        f"A step on the resource can't take an Arrow table of chats: {error}",
        next_step="Steps get tables, which are many rows at once. For a function of one row: "
        "from postpress_source import by_row; source.chats.add_map(by_row(function)).",
    )


def fields_of_steps(table: pa.Table) -> list[pa.Field]:
    """The columns that steps on the resource have added."""
    return [f for f in table.schema if f.name not in {*CHATS.names, *_RESERVED}]


def with_null(table: pa.Table, fields: Iterable[pa.Field]) -> pa.Table:
    """The table with these columns, too, null: files of one table have one schema."""
    for field in fields:
        table = table.append_column(
            field.with_nullable(nullable=True), pa.nulls(len(table), field.type)
        )
    return table
