"""MariaDB and MySQL, which dlt reaches by SQLAlchemy: tables that take any text, and merge fast.

Left alone, dlt makes each text a TEXT, in the collation of the database, without an index. That
refuses more than 65,535 bytes, or in a lax `sql_mode` cuts them off, takes ids that differ by case
for one, keeps no emoji where the database isn't utf8mb4, and merges in quadratic time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.sqlalchemy.dialect import MysqlDialectCapabilities
from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR

logger = logging.getLogger("postpress_source")

LONGEST_KEY: Final = 255
"""Characters of an id: what an index takes of four bytes each."""
_CHARSET: Final = "utf8mb4"
_COLLATIONS: Final = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin")
"""That compare byte by byte: of MariaDB, of MySQL 8; of older ones, where spaces at the end go."""
NARROW: Final = 65_535
"""Bytes that a TEXT holds."""
_SHARE: Final = 4
"""A row, its quotes escaped, is sent in one packet: this part of it is the longest text."""


class _Tables(MysqlDialectCapabilities):
    """How dlt makes tables.

    Args:
        collation: Of texts.
        keys: By table, the columns that merges look rows up by.
    """

    def __init__(self, collation: str, keys: Mapping[str, Collection[str]]) -> None:
        super().__init__("mysql")
        self.collation = collation
        self.keys = keys

    def adapt_table(self, table: sa.Table, table_schema: Any) -> sa.Table:
        """The table with an index on each of its keys, unless it has them."""
        for name in () if table.indexes else self.keys.get(table_schema["name"], ()):
            column = table.columns.get(name)
            if column is not None and not column.primary_key:
                sa.Index(f"postpress_{name}", column)
        return table


class _Types(MysqlVariantTypeMapper):
    def db_type_from_text_type(self, column: Any, table: Any) -> Any:
        tables: _Tables = self.capabilities.dialect_capabilities  # type: ignore[assignment]
        of_text = {"charset": _CHARSET, "collation": tables.collation}
        is_key = column["name"] in tables.keys.get(table["name"], ()) or column.get("unique")
        length = column.get("precision") or (LONGEST_KEY if is_key else NARROW)
        if is_key or length <= LONGEST_KEY:
            return VARCHAR(min(length, LONGEST_KEY), **of_text)
        return LONGTEXT(**of_text)


def prepare(destination: Any, client: Any, keys: Mapping[str, Collection[str]]) -> int:
    """Have dlt make tables that take any text, and mend those that are there.

    Args:
        destination: The pipeline's.
        client: The destination's, connected.
        keys: By table, the columns that merges look rows up by.

    Returns:
        The longest text that the server lets in, bytes.
    """
    if destination.caps_params.get("type_mapper", _Types) is not _Types:
        return NARROW  # the user's own
    sql = client.sql_client
    names = ", ".join(f"'{name}'" for name in _COLLATIONS)
    there = "SELECT collation_name FROM information_schema.collations WHERE collation_name"
    known = {name for (name,) in sql.execute_sql(f"{there} IN ({names})")}
    collation = next(name for name in _COLLATIONS if name in known)
    destination.caps_params |= {
        "dialect_capabilities": _Tables(collation, keys),
        "type_mapper": _Types,
    }
    if not _mend(sql, collation, {**dict.fromkeys(client.schema.dlt_table_names(), ()), **keys}):
        return NARROW
    ((packet,),) = sql.execute_sql("SELECT @@max_allowed_packet")
    return int(packet) // _SHARE


def _mend(sql: Any, collation: str, keys: Mapping[str, Collection[str]]) -> bool:
    """Widen, and index, tables that were made otherwise; False, and a warning, if it can't be."""
    tables = ", ".join(f"'{name}'" for name in keys)
    plain = "extra = '' AND (column_default IS NULL OR column_default = 'NULL')"
    found = sql.execute_sql(
        "SELECT table_schema, table_name, column_name, column_type, collation_name, is_nullable, "  # noqa: S608
        f"column_key FROM information_schema.columns WHERE table_name IN ({tables}) AND {plain} "
        f"AND table_schema IN ('{sql.dataset_name}', '{sql.staging_dataset_name}') "
        "AND collation_name IS NOT NULL"
    )
    changes = defaultdict[str, list[str]](list)
    for schema, table, column, kind, collated, nullable, index in found or ():
        change = changes[f"`{schema}`.`{table}`"]
        if kind == "text" or collated != collation:
            null = "" if nullable == "YES" else " NOT NULL"
            of_text = f"CHARACTER SET {_CHARSET} COLLATE {collation}{null}"
            change += [f"MODIFY `{column}` {'longtext' if kind == 'text' else kind} {of_text}"]
        if not index and column in keys[table]:
            part = f"({LONGEST_KEY})" if kind.endswith("text") else ""
            change += [f"ADD INDEX `postpress_{column}` (`{column}`{part})"]
    try:
        for table, change in changes.items():
            if change:
                sql.execute_sql(f"ALTER TABLE {table} {', '.join(change)}")
    except DatabaseException as error:
        said = str(error).split("\n", 1)[0]
        logger.warning("Tables can't be widened, so long texts are refused: %s", said)
        return False
    return True
