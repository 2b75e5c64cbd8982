"""What the page says of the past: the backlog by day and what went, by the history's views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa

from postpress_source.cli import warehouse
from postpress_source.cli.sla import Sla
from postpress_source.cli.walks import Walk
from postpress_source.views import view_sql

MOST_VERSIONS: Final = 200_000
"""More aren't read for a page; the views over them stand in the destination."""
_INSTANT: Final = pa.timestamp("us", "UTC")
_HISTORY: Final = pa.schema(
    {name: pa.string() for name in ("id", "account_id", "content_type")}
    | {name: pa.bool_() for name in ("archived", "muted_forever")}
    | dict.fromkeys(("timestamp", "muted_until", "seen_from", "seen_until"), _INSTANT)
    | {"unread_count": pa.int64()}
)
_WALKS: Final = pa.schema(
    {name: pa.string() for name in ("account_id", "scope", "kind", "_dlt_load_id")}
    | dict.fromkeys(("started_at", "finished_at"), _INSTANT)
    | dict.fromkeys(("saw_down_to", "saw_unread_down_to", "history_from"), _INSTANT)
    | {"saw_all": pa.bool_()}
)
_LOADS: Final = pa.schema({"load_id": pa.string(), "status": pa.int64()})
_ACCOUNTS: Final = pa.schema(
    {"account_id": pa.string(), "started_at": _INSTANT, "saw_all": pa.bool_()}
)


@dataclass(frozen=True, slots=True)
class Day:
    """The backlog at the morning hour of a day."""

    day: date
    waiting: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A chat that vanished between two looks."""

    id: str
    account_id: str | None
    after: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Vanished:
    """What one run found to be gone, or to be missing without proof."""

    walk: Walk
    deleted: int
    missing: int


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of it.

    Attributes:
        vanished: Walks after which chats were deleted or missing, newest first, by the ledger.
        backlog: By day, oldest first; None where no history is kept, or too much for a page.
        gone: The chats that vanished, the latest first; likewise.
    """

    vanished: Sequence[Vanished] = ()
    backlog: Sequence[Day] | None = None
    gone: Sequence[Gone] | None = None


def read_past(pipeline: dlt.Pipeline, walks: Sequence[Walk], sla: Sla) -> Past:
    """The past of a pipeline's destination; the history is read where its versions have ends."""
    of_ledger = vanished(walks)
    columns = pipeline.default_schema.tables.get("chats_history", {}).get("columns", {})
    in_files = pipeline.destination.destination_type == "dlt.destinations.filesystem"
    if in_files or not columns.keys() >= set(_HISTORY.names):
        return Past(of_ledger)
    counted = warehouse.query(pipeline, {"versions": "COUNT(*)"}, "FROM chats_history")
    if counted[0]["versions"] > MOST_VERSIONS:
        return Past(of_ledger)
    with closing(duckdb.connect()) as connection:
        _fill(connection, pipeline, walks)
        for view in ("chat_versions", "chats_gone", "inbox_versions"):
            connection.execute(view_sql(view))
        connection.execute(view_sql("inbox_backlog_daily", time_zone=sla.zone_name))
        return Past(of_ledger, _backlog(connection), _gone(connection))


def vanished(walks: Iterable[Walk]) -> list[Vanished]:
    """Walks after which chats were deleted or missing, newest first, as the ledger has them."""
    found = (Vanished(w, w["chats_deleted"] or 0, w["chats_missing"] or 0) for w in walks)
    return [each for each in found if each.deleted or each.missing]


def _fill(
    connection: duckdb.DuckDBPyConnection, pipeline: dlt.Pipeline, walks: Sequence[Walk]
) -> None:
    rows: dict[str, tuple[list[Mapping[str, Any]], pa.Schema]] = {
        "chats_history": (_read(pipeline, "chats_history", _HISTORY), _HISTORY),
        "chat_walks": ([{name: w[name] for name in _WALKS.names} for w in walks], _WALKS),
        "chat_walk_accounts": ([], _ACCOUNTS),
        "_dlt_loads": (_read(pipeline, "_dlt_loads", _LOADS), _LOADS),
    }
    if "chat_walk_accounts" in pipeline.default_schema.data_table_names():
        rows["chat_walk_accounts"] = (_read(pipeline, "chat_walk_accounts", _ACCOUNTS), _ACCOUNTS)
    for name, (of_table, schema) in rows.items():
        connection.register(f"read_{name}", pa.Table.from_pylist(of_table, schema))
        connection.execute(f"CREATE TABLE {name} AS FROM read_{name}")


def _read(pipeline: dlt.Pipeline, table: str, schema: pa.Schema) -> list[Mapping[str, Any]]:
    columns = {name: f't."{name}"' for name in schema.names}
    return list(warehouse.query(pipeline, columns, f"FROM {table} AS t"))


def _backlog(connection: duckdb.DuckDBPyConnection) -> list[Day]:
    rows = connection.execute(
        "SELECT day, SUM(waiting_chats)::BIGINT FROM inbox_backlog_daily GROUP BY day ORDER BY day"
    ).fetchall()
    return [Day(*row) for row in rows[-31:]]


def _gone(connection: duckdb.DuckDBPyConnection) -> list[Gone]:
    rows = connection.execute(
        "SELECT id, account_id, after, until FROM chats_gone ORDER BY until DESC, id LIMIT 20"
    ).fetchall()
    return [Gone(*(warehouse.in_utc(value) for value in row)) for row in rows]
