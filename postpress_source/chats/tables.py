"""Records become Arrow: one schema for a chat, and the two shapes in which its arrays can land.

A batch of chats has the arrays `folder` and `disabled_features` as native lists. Destinations that
keep nested types exact (Delta, Iceberg, plain Parquet) get it as it is; SQL destinations get
`split_lists`: a row a chat, and one array table each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from postpress_source.chats.records import Chat

TEXT = pa.string()
INSTANT = pa.timestamp("us", tz="UTC")
LISTS = ("folder", "disabled_features")

CHATS = pa.schema(
    [
        pa.field("id", TEXT, nullable=False),
        ("account_id", TEXT),
        ("account_type", TEXT),
        ("provider_id", TEXT),
        ("attendee_provider_id", TEXT),
        ("name", TEXT),
        ("type", pa.int64()),
        ("timestamp", INSTANT),
        ("unread_count", pa.int64()),
        ("archived", pa.bool_()),
        ("muted_until", INSTANT),
        ("muted_forever", pa.bool_()),
        ("read_only", pa.int64()),
        ("subject", TEXT),
        ("organization_id", TEXT),
        ("mailbox_id", TEXT),
        ("content_type", TEXT),
        ("pinned", pa.bool_()),
        ("extra", TEXT),
        *((name, pa.list_(TEXT)) for name in LISTS),
    ]
)

ELEMENTS = pa.schema(
    [
        pa.field("chat_id", TEXT, nullable=False),
        ("value", TEXT),
        pa.field("_dlt_list_idx", pa.int64(), nullable=False),
        pa.field("_dlt_id", TEXT, nullable=False),
    ]
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IN_JSON = {"disabled_features": "disabledFeatures"}
_FLAG = pa.uint8()


def _records() -> pa.Schema:
    """Pages of records as the API writes them; each other field is an error."""
    as_written = {pa.bool_(): _FLAG, INSTANT: TEXT}
    fields = [
        (_IN_JSON.get(field.name, field.name), as_written.get(field.type, field.type))
        for field in CHATS
        if field.name not in ("muted_forever", "extra")
    ]
    return pa.schema([("chats", pa.list_(pa.struct([*fields, ("object", TEXT)])))])


_STRICT = pj.ParseOptions(_records(), newlines_in_values=True, unexpected_field_behavior="error")


def _instants(values: Sequence[Any]) -> pa.Array:
    """What is an aware datetime, in any zone; pyarrow takes spans ten times as fast as instants."""
    spans = [value - _EPOCH if isinstance(value, datetime) else None for value in values]
    return pa.array(spans, pa.duration("us")).view(INSTANT)


def _column(field: pa.Field, chats: Sequence[Chat]) -> pa.Array:
    if field.name == "muted_forever":
        return pa.array([chat.muted_until == -1 for chat in chats], field.type)
    values = list(map(attrgetter(field.name), chats))
    if field.type == INSTANT:
        return _instants(values)
    if field.type == pa.bool_():
        return pa.array(values, pa.int64()).cast(field.type)
    return pa.array(values, field.type)


def to_batch(chats: Sequence[Chat]) -> pa.RecordBatch:
    """A record batch of the schema `CHATS`, a row a chat, in the order given."""
    return pa.RecordBatch.from_arrays([_column(field, chats) for field in CHATS], schema=CHATS)


def parse_batch(texts: Iterable[bytes]) -> pa.RecordBatch | None:
    """The same of JSON arrays of records that are plain to see, without Python's lock.

    None if a value isn't what the reference page says, or there is a field that it doesn't name.
    """
    text = b"\n".join(b'{"chats":%b}' % text for text in texts)
    for forever in (b'"muted_until":-1', b'"muted_until": -1'):  # Arrow takes one type a field
        text = text.replace(forever, b'"muted_until":""')
    options = pj.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        pages = pj.read_json(pa.BufferReader(text), options, _STRICT)["chats"]
        records = pa.concat_arrays([page.flatten() for page in pages.chunks])
        arrays = [_parsed(field, records) for field in CHATS]
    except pa.ArrowInvalid:
        return None
    if not _is_documented(records):
        return None
    return pa.RecordBatch.from_arrays(arrays, schema=CHATS)


def _parsed(field: pa.Field, records: pa.StructArray) -> pa.Array:
    if field.name == "extra":
        return pa.nulls(len(records), field.type)
    if field.name == "muted_forever":
        return pc.fill_null(pc.equal(records.field("muted_until"), ""), pa.scalar(value=False))
    written = records.field(_IN_JSON.get(field.name, field.name))
    if field.name == "muted_until":
        written = pc.if_else(pc.equal(written, ""), pa.scalar(None, TEXT), written)
    return written.cast(field.type)


def _is_documented(records: pa.StructArray) -> bool:
    lists = [records.field(_IN_JSON.get(name, name)).flatten() for name in LISTS]
    flags = [pc.min_max(records.field(name)).as_py() for name in ("archived", "pinned")]
    return all(flag["max"] in (0, 1, None) for flag in flags) and not any(
        values.null_count for values in lists
    )


def split_lists(table: pa.Table) -> dict[str, pa.Table]:
    """`chats` without its lists, and `chats__folder`, `chats__disabled_features`.

    Array tables have `chat_id`, `value` (null elements kept), `_dlt_list_idx` (0-based) and
    `_dlt_id` (`chat_id:_dlt_list_idx`, the row's key), one row an element, in order.
    """
    tables = {"chats": table.drop_columns(list(LISTS))}
    for name in LISTS:
        tables[f"chats__{name}"] = _elements(table["id"], table[name])
    return tables


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
