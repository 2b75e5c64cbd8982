"""A chat's version: a hash of all that is known of it, by which two looks at it are compared.

It is made of the id and of every column that isn't null, by name: a column that is added later, and
is null, changes no version. The lists go in as JSON text, the way `chats_history` shows them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.tables import TEXT

VERSION: Final = "version"
_NO_PART: Final = frozenset({VERSION, "_dlt_load_id"})
_ESCAPED: Final = r'["\\\x00-\x1f]'
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def with_texts(table: pa.Table) -> pa.Table:
    """The table with each column of lists as canonical JSON text: no spaces, no escapes unasked."""
    for index, field in enumerate(table.schema):
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            texts = pa.chunked_array(map(_as_json, table.column(index).chunks), TEXT)
            table = table.set_column(index, pa.field(field.name, TEXT), texts)
    return table


def _as_json(lists: pa.Array) -> pa.Array:
    elements = lists.flatten()
    odd = elements.type != TEXT or pc.any(pc.match_substring_regex(elements, _ESCAPED)).as_py()
    if odd:
        return pa.array([None if v is None else _text_of(v) for v in lists.to_pylist()], TEXT)
    quoted = pc.fill_null(pc.binary_join_element_wise('"', elements, '"', ""), "null")
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, quoted), ",")
    texts = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(pc.is_valid(lists), texts, pa.scalar(None, TEXT))


def _text_of(value: Any) -> str:
    return _encode(value).decode()


def versions_of(table: pa.Table) -> list[str]:
    """The version of each row, 32 hexadecimal digits.

    Args:
        table: Chats, their lists as text (`with_texts`); any columns.
    """
    parts = [
        _part(field.name, table.column(index))
        for index, field in sorted(enumerate(table.schema), key=lambda column: column[1].name)
        if field.name not in _NO_PART and table.column(index).null_count < table.num_rows
    ]
    if not parts:
        return []
    whole = pc.binary_join_element_wise(*parts, "", null_handling="skip")
    return [
        blake2b(text, digest_size=16).hexdigest() for text in whole.cast(pa.binary()).to_pylist()
    ]


def _part(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`name=length:value`, so that no two rows read the same; null where the value is."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    try:
        text = column.cast(TEXT)
    except pa.ArrowException:  # nested, of a user's own
        text = pa.chunked_array([[None if v is None else _text_of(v) for v in column.to_pylist()]])
    length = pc.binary_length(text).cast(TEXT)
    return pc.binary_join_element_wise(f"{name}=", length, ":", text, "")


class VersionSet:
    """Versions that a table has; eight bytes each, of which two differ but for one in 2**64."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._sorted = memoryview(b"").cast("Q")

    def add(self, versions: pa.ChunkedArray) -> None:
        """Add versions; what isn't one, by its form, is in no set."""
        valid = pc.match_substring_regex(versions, "^[0-9a-f]{32}$")
        heads = pc.utf8_slice_codeunits(versions.filter(valid), 0, 16)
        self._parts += [bytes.fromhex("".join(chunk.to_pylist())) for chunk in heads.chunks]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionSet) and self._in_order() == other._in_order()

    __hash__ = None  # type: ignore[assignment]  # it grows

    def _in_order(self) -> memoryview:
        if self._parts:
            parts = [*self._parts, bytes(self._sorted)]
            numbers = pa.Array.from_buffers(
                pa.uint64(), sum(map(len, parts)) // 8, [None, pa.py_buffer(b"".join(parts))]
            )
            in_order = numbers.take(pc.array_sort_indices(numbers))
            self._sorted = memoryview(in_order.buffers()[1])[: len(numbers) * 8].cast("Q")
            self._parts = []
        return self._sorted

    def lacks(self, versions: Iterable[str]) -> pa.Array:
        """For each version whether it isn't there."""
        there = self._in_order()
        count = len(there)
        wanted = memoryview(bytes.fromhex("".join(version[:16] for version in versions))).cast("Q")
        places = [bisect_left(there, number) for number in wanted]
        return pa.array(
            [
                place == count or there[place] != number
                for place, number in zip(places, wanted, strict=True)
            ],
            pa.bool_(),
        )
