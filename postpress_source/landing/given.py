"""What the user's steps on the resource give: tables, frames or rows; as tables of chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.tables import CHATS
from postpress_source.chats.versions import VERSION
from postpress_source.errors import PostpressArgumentError
from postpress_source.landing.shape import TOMBSTONE

_NEEDED: Final = ("id", "account_id", "timestamp")
_RESERVED: Final = frozenset({VERSION, "_dlt_load_id"})
_TAKEN: Final = frozenset({"seen_from", "seen_until", "gone", "_dlt_id"})
"""Columns of the tables beside or behind `chats`."""


def as_table(item: Any) -> pa.Table:
    """What a user's step gave: Arrow, pandas, a row or a list of these; chats' columns typed.

    Raises:
        PostpressArgumentError: It is nothing that could land.
    """
    try:
        table = _table_of(item)
    except (TypeError, ValueError, AttributeError, ImportError):
        raise _refused(
            f"gave what is no table of chats, but {type(item).__name__}",
            "Let it give Arrow tables, pandas frames, or rows as dicts.",
        ) from None  # which has values
    names = [name.lower() for name in table.column_names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _refused(
            f"gave chats the column {twice[0]} twice", "To change a column: chats.set_column(...)."
        )
    if taken := [name for name in table.column_names if name.lower() in _TAKEN]:
        raise _refused(
            f"gave chats a column {taken[0]}, which the source has", "Name it otherwise."
        )
    if missing := [name for name in _NEEDED if name not in table.column_names]:
        raise _refused(f"gave chats without their {missing[0]}", f"Keep the column {missing[0]}.")
    if table["id"].null_count:
        raise _refused("gave a chat without an id", "Keep the id: it is the key.")
    table = _typed(table)
    if "extra" in table.column_names and pc.any(pc.equal(table["extra"], TOMBSTONE)).as_py():
        raise _refused(
            f"gave a chat the text {TOMBSTONE!r} as extra",
            "Leave extra as it is, JSON or null: to the source that text says that a chat is gone.",
        )
    return table


def _table_of(item: Any) -> pa.Table:
    if isinstance(item, list):
        return pa.concat_tables(map(_table_of, item), promote_options="permissive")
    if isinstance(item, pa.RecordBatch):
        return pa.Table.from_batches([item])
    if isinstance(item, dict):
        return pa.Table.from_pylist([item])
    return item if isinstance(item, pa.Table) else pa.Table.from_pandas(item, preserve_index=False)


def _typed(table: pa.Table) -> pa.Table:
    """With the columns of chats in their types, without those that are made behind the steps."""
    for index, field in enumerate(table.schema):
        known = CHATS.field(field.name) if field.name in CHATS.names else field
        if known.type == field.type:
            continue
        try:
            column = table.column(index).cast(known.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise _refused(
                f"gave {field.name} values of the type {field.type}, not {known.type}",
                "Give it values of its type, or put yours in a column of another name.",
            ) from None  # which has a value
        table = table.set_column(index, known, column)
    return table.drop_columns([name for name in table.column_names if name in _RESERVED])


def _refused(what: str, instead: str) -> PostpressArgumentError:
    return PostpressArgumentError(f"A step on the resource {what}", next_step=instead)


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
