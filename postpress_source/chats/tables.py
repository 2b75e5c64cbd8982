"""Records become Arrow: one schema for a chat, and the two shapes in which its arrays can land.

A batch of chats has the arrays `folder` and `disabled_features` as native lists. Destinations that
keep nested types exact (Delta, Iceberg, plain Parquet) get it as it is; SQL destinations get
`split_lists`: a row a chat, and one array table each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.fields import (
    COLUMNS,
    LISTS,
    Chat,
    Field,
    Flag,
    Id,
    Instant,
    Moment,
    Mute,
    Text,
    Texts,
    Whole,
)

TEXT: Final = pa.string()
INSTANT: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final[dict[Any, pa.DataType]] = {
    Id: TEXT,
    Text: TEXT,
    Texts: pa.list_(TEXT),
    Whole: pa.int64(),
    Flag: pa.bool_(),
    Instant: INSTANT,
    Moment: INSTANT,
    Mute: INSTANT,
    bool: pa.bool_(),
    bool | None: pa.bool_(),
    int | None: pa.int64(),
    float | None: pa.float64(),
}


def schema_of(fields: Iterable[Field]) -> pa.Schema:
    """The Arrow schema of these columns."""
    return pa.schema([pa.field(field.name, _TYPES[field.type], field.nullable) for field in fields])


CHATS: Final = schema_of(COLUMNS)
ELEMENTS: Final = pa.schema(
    [
        pa.field("chat_id", TEXT, nullable=False),
        ("value", TEXT),
        pa.field("_dlt_list_idx", pa.int64(), nullable=False),
        pa.field("_dlt_id", TEXT, nullable=False),
    ]
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_batch(chats: Sequence[Chat]) -> pa.RecordBatch:
    """A record batch of the schema `CHATS`, a row a chat, in the order given."""
    return pa.RecordBatch.from_arrays([_column(field, chats) for field in CHATS], schema=CHATS)


def _column(field: pa.Field, chats: Sequence[Chat]) -> pa.Array:
    values = list(map(attrgetter(field.name), chats))
    if field.type == INSTANT:
        return _instants(values)
    if field.type == pa.bool_():
        return pa.array(values, pa.int64()).cast(field.type)
    return pa.array(values, field.type)


def _instants(values: Sequence[Any]) -> pa.Array:
    """What is an aware datetime, in any zone; pyarrow takes spans ten times as fast as instants."""
    spans = [value - _EPOCH if isinstance(value, datetime) else None for value in values]
    return pa.array(spans, pa.duration("us")).view(INSTANT)


def split_lists(table: pa.Table) -> dict[str, pa.Table]:
    """`chats` without its lists, and the elements of each list by its field's name.

    Array tables have `chat_id`, `value` (null elements kept), `_dlt_list_idx` (0-based) and
    `_dlt_id` (`chat_id:_dlt_list_idx`, the row's key), one row an element, in order.
    """
    lists = {field.name: field.name in table.column_names for field in LISTS}
    arrays = {
        name: _elements(table["id"], table[name]) if there else ELEMENTS.empty_table()
        for name, there in lists.items()
    }
    return {"chats": table.drop_columns([n for n, there in lists.items() if there]), **arrays}


def _elements(ids: pa.ChunkedArray, lists: pa.ChunkedArray) -> pa.Table:
    arrays = lists.combine_chunks()  # parent indices count from the start of a chunk
    parents = pc.list_parent_indices(arrays)
    lengths = pc.fill_null(pc.list_value_length(arrays), 0).cast(pa.int64())
    starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    places = pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), len(parents))), 1)
    index = pc.subtract(places, starts.take(parents))
    chat_id = ids.combine_chunks().take(parents)
    row_key = pc.binary_join_element_wise(chat_id, index.cast(TEXT), ":")
    return pa.table([chat_id, pc.list_flatten(arrays), index, row_key], schema=ELEMENTS)


def by_row(function: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Any:
    """A step for `add_map` on the resource `chats` out of a function of one row.

    Args:
        function: Gets a chat as a dict, its lists as lists; returns it, changed or not, or None,
            which leaves it out.
    """

    def step(table: pa.Table) -> pa.Table:
        rows = [row for row in map(function, table.to_pylist()) if row is not None]
        names = {name for row in rows for name in row}
        if not rows or names <= set(table.column_names):
            return pa.Table.from_pylist(rows, table.schema)
        return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])

    return step


def in_window(table: pa.Table, start: Any, end: Any) -> pa.Table:
    """The rows with a timestamp in [start, end) (a bound of None is open), and all without one."""
    if start is None and end is None:
        return table
    timestamp = table["timestamp"]
    keep = pc.is_valid(table["id"])
    if start is not None:
        keep = pc.and_(keep, pc.greater_equal(timestamp, pa.scalar(start, INSTANT)))
    if end is not None:
        keep = pc.and_(keep, pc.less(timestamp, pa.scalar(end, INSTANT)))
    return table.filter(pc.or_kleene(keep, pc.is_null(timestamp)))
