"""One look at a table: which chats are there, and in which version."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination.client import SupportsOpenTables
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase

from postpress_source.chats.tables import CHATS, TEXT
from postpress_source.chats.versions import VERSION
from postpress_source.landing.shape import Shape
from postpress_source.walks.sweep import Unread

LOOK: Final = pa.schema([CHATS.field("id"), CHATS.field("account_id"), (VERSION, TEXT)])
_LAKES: Final[tuple[Literal["delta", "iceberg"], ...]] = ("delta", "iceberg")
_CHUNK_ROWS: Final = 20_000
_VALUES_A_QUERY: Final = 500


class Look(NamedTuple):
    """What to look at.

    Attributes:
        table: Its name.
        newest_by: Where the table is appended to: the column by which the newest row of a chat is
            the one that holds. None: each chat has one row, or one that is current.
        has_versions: Whether it keeps earlier versions, and chats that are gone.
    """

    table: str
    newest_by: str | None
    has_versions: bool


def look(client: Any, shape: Shape, what: Look, values: Mapping[str, Collection[str]]) -> pa.Table:
    """The chats that a table has now, of the schema `LOOK`; those that are gone left out.

    Args:
        client: The destination's.
        shape: The tables'.
        what: The table.
        values: The values that columns may have; where they are many, all are read and sorted out.
    """
    for lake in _LAKES:
        if isinstance(client, SupportsOpenTables) and client.is_open_table(lake, what.table):
            return _look_at_lake(client, lake, what, values)
    columns = _columns(client, what.table)
    if shape.normalize("id") not in columns:
        return LOOK.empty_table()
    few = {name: list(wanted) for name, wanted in values.items() if len(wanted) <= _VALUES_A_QUERY}
    if "id" in values and "id" not in few:
        ids = sorted(values["id"])
        parts = [ids[at : at + _VALUES_A_QUERY] for at in range(0, len(ids), _VALUES_A_QUERY)]
    else:
        parts = [few.pop("id", [])]
    queries = [_query(client, shape, what, columns, few | ({"id": p} if p else {})) for p in parts]
    # a database's is open already; the one that reads files isn't
    of_files = nullcontext() if isinstance(client, SqlJobClientBase) else client.sql_client
    with of_files:
        tables = [pa.Table.from_batches(_rows(client, *query), LOOK) for query in queries]
    many = {name: wanted for name, wanted in values.items() if name == "account_id"}
    return _only(pa.concat_tables(tables), many)


def active_after(
    client: Any, shape: Shape, ends: Sequence[tuple[str | None, datetime | None]]
) -> list[tuple[int, str, datetime]]:
    """The ids of rows with a later `timestamp`, each with the number of its end, and with that.

    Args:
        client: The destination's.
        shape: The tables'.
        ends: Each of an account, None: of all.
    """
    sql: SqlClientBase[Any] = client.sql_client
    c, chats = shape.column, sql.make_qualified_table_name(shape.names.chats)
    queries, values = [], list[Any]()
    for number, (account, end) in enumerate(ends):
        of_account = "" if account is None else f" AND {c('account_id')} = %s"
        values += [end] if account is None else [end, account]
        later = f"{c('timestamp')} > %s{of_account}"
        chosen = f"{number}, {c('id')}, {c('timestamp')}"
        queries.append(f"SELECT {chosen} FROM {chats} WHERE {later}")  # noqa: S608
    rows = sql.execute_sql(" UNION ALL ".join(queries), *values) or ()
    return [(number, chat_id, _instant(at)) for number, chat_id, at in rows]


def unread(client: Any, shape: Shape, most: int) -> list[Unread]:
    """So many of the rows of unread chats, the newest first.

    Args:
        client: The destination's.
        shape: The tables'.
        most: How many.
    """
    sql: SqlClientBase[Any] = client.sql_client
    c, chats = shape.column, sql.make_qualified_table_name(shape.names.chats)
    at, account = c("timestamp"), c("account_id")
    newest = f"CASE WHEN {at} IS NULL THEN 1 ELSE 0 END, {at} DESC"
    placed = (
        f"SELECT {c('id')}, {account}, {at}, {c('unread_count')}, "  # noqa: S608
        f"ROW_NUMBER() OVER (ORDER BY {newest}) AS place, "
        f"ROW_NUMBER() OVER (PARTITION BY {account} ORDER BY {newest}) AS place_in_account, "
        f"COUNT(*) OVER () AS all_rows, "
        f"COUNT(*) OVER (PARTITION BY {account}) AS rows_of_account FROM {chats}"
    )
    rows = sql.execute_sql(
        f"SELECT {c('id')}, {account}, {at}, place, place_in_account, all_rows, rows_of_account "  # noqa: S608
        f"FROM ({placed}) AS placed WHERE {c('unread_count')} <> 0 ORDER BY place LIMIT {most:d}"
    )
    return [Unread(i, a, None if at is None else _instant(at), *n) for i, a, at, *n in rows or ()]


def _instant(value: Any) -> datetime:
    """What a driver makes of an instant; without a zone it is UTC."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _columns(client: Any, table: str) -> Collection[str]:
    """The table's columns, as they are there; none if it isn't."""
    if isinstance(client, SqlJobClientBase):
        return dict(client.get_storage_table(table)[1])
    return client.schema.tables.get(table, {}).get("columns", {})  # type: ignore[no-any-return]


def _query(
    client: Any,
    shape: Shape,
    what: Look,
    columns: Collection[str],
    values: Mapping[str, list[str]],
) -> tuple[str, list[str]]:
    """A query for rows whose columns have one of these values each, and its parameters."""
    sql: SqlClientBase[Any] = client.sql_client
    c = shape.column
    version = c(VERSION) if shape.normalize(VERSION) in columns else "NULL"
    if not what.has_versions:
        # of a load that was cut off, the arrays may be missing
        loads = sql.make_qualified_table_name(client.schema.loads_table_name)
        loaded = f"{c('_dlt_load_id')} IN (SELECT {c('load_id')} FROM {loads})"  # noqa: S608
        version = f"CASE WHEN {loaded} THEN {version} END"
    chosen = [c("id"), c("account_id"), f"{version} AS {c(VERSION)}"]
    table = sql.make_qualified_table_name(what.table)
    conditions = [f"{c(n)} IN ({', '.join(['%s'] * len(v))})" for n, v in values.items()]
    if what.newest_by:
        newest = f"PARTITION BY {c('id')} ORDER BY {c(what.newest_by)} DESC"
        table = f"(SELECT *, ROW_NUMBER() OVER ({newest}) AS newest FROM {table}) AS numbered"  # noqa: S608
        conditions += ["newest = 1"]
        conditions += [f"NOT {c('gone')}"] if what.has_versions else []
    elif what.has_versions:
        conditions += [f"{c('seen_until')} IS NULL"]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {', '.join(chosen)} FROM {table}{where}"  # noqa: S608
    return query, [value for wanted in values.values() for value in wanted]


def _rows(client: Any, query: str, values: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        with client.sql_client.execute_query(query, *values) as cursor:
            native = cursor.native_cursor
            if hasattr(native, "fetch_record_batch"):  # DuckDB: four times as fast as tuples
                read = getattr(native, "to_arrow_reader", native.fetch_record_batch)
                for batch in read(_CHUNK_ROWS):
                    yield pa.RecordBatch.from_arrays(
                        [a.cast(t) for a, t in zip(batch.columns, LOOK.types, strict=True)],
                        schema=LOOK,
                    )
                return
            while rows := cursor.fetchmany(_CHUNK_ROWS):
                arrays = map(pa.array, zip(*rows, strict=True), LOOK.types)
                yield pa.RecordBatch.from_arrays(list(arrays), schema=LOOK)
    except (DatabaseUndefinedRelation, DestinationUndefinedEntity):
        return  # no table, no rows


def _look_at_lake(
    client: SupportsOpenTables,
    lake: Literal["delta", "iceberg"],
    what: Look,
    values: Mapping[str, Collection[str]],
) -> pa.Table:
    """The same of a Delta or Iceberg table, which DuckDB reads only with extensions of its own."""
    try:
        table = client.load_open_table(lake, what.table)
    except DestinationUndefinedEntity:
        return LOOK.empty_table()
    names = [*LOOK.names, *(name for name in ("account_type",) if name in values)]
    names += [what.newest_by] if what.newest_by else []
    names += ["gone"] if what.has_versions else []
    if lake == "delta":
        dataset = table.to_pyarrow_dataset()
        names = [name for name in names if name in dataset.schema.names]
        rows = dataset.to_table(names)
    else:
        known = set(table.schema().column_names)
        rows = table.scan(selected_fields=tuple(n for n in names if n in known)).to_arrow()
    if what.newest_by:
        others = [(name, "last") for name in rows.column_names if name != "id"]
        rows = rows.sort_by(what.newest_by).group_by("id", use_threads=False).aggregate(others)
        rows = rows.rename_columns([name.removesuffix("_last") for name in rows.column_names])
    if what.has_versions:
        rows = rows.filter(pc.invert(rows["gone"]))
    if VERSION not in rows.column_names:
        rows = rows.append_column(VERSION, pa.nulls(rows.num_rows, TEXT))
    return _only(rows, values).select(LOOK.names).cast(LOOK)


def _only(rows: pa.Table, values: Mapping[str, Collection[str]]) -> pa.Table:
    """The rows whose columns have one of these values each."""
    for name, wanted in values.items():
        if name in rows.column_names:
            rows = rows.filter(pc.is_in(rows[name], pa.array(sorted(wanted), rows[name].type)))
    return rows
