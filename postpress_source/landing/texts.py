"""What the destination's text can hold, and what of a run's texts it can't.

A load that the destination refuses is tried again by every later run, even when the text is gone at
the source. So what can't land is refused before anything is handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import dlt
import pyarrow as pa
import pyarrow.compute as pc

from postpress_source.chats.tables import TEXT
from postpress_source.errors import PostpressRequestError
from postpress_source.landing.destination import capabilities_of_destination
from postpress_source.landing.shape import Shape
from postpress_source.landing.table import Table

_REFUSES_NUL: Final = frozenset({"postgres", "redshift"})
"""SQL dialects whose text can't hold the character NUL: the load would fail for good."""
_HEEDS_NO_LENGTH: Final = frozenset({None, "", "duckdb", "sqlite"})
"""Dialects whose text holds more than its column's length says; files have none."""
_COUNTS_BYTES: Final = "redshift"
_ANY: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Texts:
    """What the destination's text can hold.

    Attributes:
        refuses_nul: Not the character NUL.
        most: The longest text.
        in_bytes: Whether that is bytes; else characters.
        lengths: By column, of those that hold less.
        lengths_in_bytes: Whether these are bytes.
    """

    refuses_nul: bool = False
    most: int = _ANY
    in_bytes: bool = True
    lengths: Mapping[str, int] = field(default_factory=dict)
    lengths_in_bytes: bool = False

    def without_nul(self, table: pa.Table) -> pa.Table:
        """The table with U+FFFD in place of each NUL in its texts, where that can't land."""
        for index, column in enumerate(table.schema):
            if self.refuses_nul and column.type == TEXT:
                mended = pc.replace_substring(table.column(index), "\0", "\ufffd")
                table = table.set_column(index, column, mended)
        return table

    def check(self, table: pa.Table) -> None:
        """Refuse a text that is too long.

        Raises:
            PostpressRequestError: It names the column and the sizes.
        """
        for name in (column.name for column in table.schema if column.type == TEXT):
            most, in_bytes = self.most, self.in_bytes
            if name in self.lengths:
                most, in_bytes = self.lengths[name], self.lengths_in_bytes
            if most >= _ANY:
                continue
            count = pc.binary_length if in_bytes else pc.utf8_length
            longest = pc.max(count(table[name])).as_py() or 0
            if longest > most:
                unit = "bytes" if in_bytes else "characters"
                raise PostpressRequestError(
                    f"A chat's {name} has {longest:,} {unit}, and the destination takes {most:,}; "
                    "nothing was loaded",
                    next_step="Cut it in a step, source.chats.add_map(...), or load into a "
                    "destination that takes it: docs/destinations.md, Long texts.",
                )


def texts_of(shape: Shape, table: Table) -> Texts:
    """What the destination's text can hold; MariaDB and MySQL are told to hold more than they do.

    Raises:
        PostpressRequestError: It can't hold every character.
    """
    capabilities = capabilities_of_destination()
    if capabilities is None:
        return Texts()
    dialect: str | None = capabilities.sqlglot_dialect
    most = capabilities.max_text_data_type_length or _ANY
    lengths = {}
    if dialect not in _HEEDS_NO_LENGTH:
        columns = dlt.current.resource().compute_table_schema()["columns"]
        precisions = {name: column.get("precision") for name, column in columns.items()}
        lengths = {name: length for name, length in precisions.items() if length}
    if dialect == "postgres":
        _check_encoding(shape, table)
    if dialect == "mysql":
        from postpress_source.landing.mysql import LONGEST_KEY, NARROW, prepare

        destination: Any = dlt.current.pipeline().destination
        most = table.ask(lambda client: prepare(destination, client, shape.keys)) or NARROW
        lengths["id"] = min(lengths.get("id", LONGEST_KEY), LONGEST_KEY)
    return Texts(
        refuses_nul=dialect in _REFUSES_NUL,
        most=most,
        in_bytes=bool(capabilities.is_max_text_data_type_length_in_bytes),
        lengths=lengths,
        lengths_in_bytes=dialect == _COUNTS_BYTES,
    )


def _check_encoding(shape: Shape, table: Table) -> None:
    """Refuse a PostgreSQL database that isn't UTF8: its driver for Parquet sends UTF-8 to any."""
    answer = table.ask(lambda client: client.sql_client.execute_sql("SHOW server_encoding"))
    if answer is None:
        shape.write_inserts()  # which land as they should in any encoding, or not at all
    elif answer[0][0] != "UTF8":
        raise PostpressRequestError(
            f"The PostgreSQL database is encoded in {answer[0][0]}, where not every "
            "text comes back as it was; nothing was loaded",
            next_step="Load into one that can: CREATE DATABASE postpress ENCODING 'UTF8' TEMPLATE "
            "template0; then name it in the destination's credentials.",
        )
