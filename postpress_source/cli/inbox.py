"""What waits in the inbox: the unread chats of a destination, counted by the views' own SQL.

They are read back, and the views stand over them in a DuckDB in memory: so one text of each SQL
holds for every destination, those where views can't stand included, and nothing is written there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa

from postpress_source.cli import warehouse
from postpress_source.cli.sla import Sla
from postpress_source.cli.walks import Walk
from postpress_source.views import view_sql
from postpress_source.views.names import with_names

_CHATS: Final = pa.schema(
    {name: pa.string() for name in ("id", "account_id", "account_type", "name", "content_type")}
    | {name: pa.timestamp("us", "UTC") for name in ("timestamp", "muted_until")}
    | {name: pa.bool_() for name in ("archived", "muted_forever")}
    | {"unread_count": pa.int64(), "_dlt_load_id": pa.string()}
)
_FOLDERS: Final = pa.schema({"chat_id": pa.string(), "value": pa.string()})
_WALKS: Final = pa.schema({"finished_at": pa.timestamp("us", "UTC"), "complete": pa.bool_()})
_VIEWS: Final = ("inbox_chats", "inbox_backlog", "inbox_linkedin")
_UNREAD: Final = "WHERE c.unread_count <> 0"
_LATEST: Final = "ROW_NUMBER() OVER (PARTITION BY id ORDER BY CAST(_dlt_load_id AS DOUBLE) DESC)"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chat that waits.

    Attributes:
        since: Its last activity, UTC; None: unknown.
        age: The hours since then that count; None: unknown.
        over: Whether that is longer than promised.
    """

    id: str
    account_id: str | None
    account_type: str | None
    account_name: str
    name: str | None
    since: datetime | None
    age: timedelta | None
    over: bool


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits.

    Attributes:
        as_of: End of the last complete walk, to which ages are told; None: there was none.
        backlog: Rows of the view inbox_backlog; of unread chats alone, so `chats` isn't all.
        linkedin: Rows of the view inbox_linkedin, likewise.
        waiting: The chats that wait, the oldest first, those of unknown age last.
    """

    as_of: datetime | None
    backlog: list[dict[str, Any]]
    linkedin: list[dict[str, Any]]
    waiting: list[Waiting]


def read_inbox(
    pipeline: dlt.Pipeline, walks: Sequence[Walk], sla: Sla, names: Mapping[str, str]
) -> Inbox:
    """The unread chats of the pipeline's destination.

    Args:
        pipeline: Restored.
        walks: The ledger, newest first.
        sla: How long a chat may wait.
        names: Account id -> what people call it.
    """
    ends = (walk["finished_at"] for walk in walks if walk["complete"] and walk["finished_at"])
    as_of = max(ends, default=None)
    chats = _unread(pipeline)
    tables = {
        "chats": pa.Table.from_pylist(chats, _CHATS),
        "chats__folder": pa.Table.from_pylist(_folders(pipeline, chats), _FOLDERS),
        "chat_walks": pa.Table.from_pylist([{"finished_at": as_of, "complete": True}], _WALKS),
    }
    with closing(duckdb.connect()) as connection:
        for name, table in tables.items():
            connection.register(f"read_{name}", table)
            connection.execute(f"CREATE TABLE {name} AS FROM read_{name}")
        connection.execute(with_names(view_sql("account_names"), names))
        for view in _VIEWS:
            connection.execute(view_sql(view))
        return Inbox(
            max(
                (w["finished_at"] for w in walks if w["complete"] and w["finished_at"]),
                default=None,
            ),
            _rows(connection, "FROM inbox_backlog ORDER BY waiting_chats DESC, account_id"),
            _rows(connection, "FROM inbox_linkedin ORDER BY waiting_chats DESC, inbox, account_id"),
            [
                _waiting(row, sla)
                for row in _rows(
                    connection,
                    "FROM inbox_chats WHERE waiting ORDER BY last_activity_at NULLS LAST, id",
                )
            ],
        )


def _waiting(row: Mapping[str, Any], sla: Sla) -> Waiting:
    since, as_of = row["last_activity_at"], row["as_of"]
    age = None if since is None or as_of is None else sla.age(since, as_of)
    return Waiting(
        row["id"],
        row["account_id"],
        row["account_type"],
        row["account_name"] or "?",
        row["name"],
        since,
        age,
        age is not None and age > sla.limit,
    )


def _unread(pipeline: dlt.Pipeline) -> list[dict[str, Any]]:
    """Rows of the unread chats, each once, in the columns of `_CHATS`."""
    columns = {name: f'c."{name}"' for name in _CHATS.names}
    if not _keeps_versions(pipeline):
        rows = warehouse.query(pipeline, columns, f"FROM chats AS c {_UNREAD}")
    else:
        listed = ", ".join(f'"{name}"' for name in _CHATS.names)
        latest = f"SELECT {listed}, {_LATEST} AS place FROM chats"  # noqa: S608 - our own text
        rows = warehouse.query(pipeline, columns, f"FROM ({latest}) AS c {_UNREAD} AND place = 1")
        gone = _gone(pipeline)
        rows = [row for row in rows if row["id"] not in gone]
    return rows


def _keeps_versions(pipeline: dlt.Pipeline) -> bool:
    """Whether chats that are gone stay, in plain files every version of each, too."""
    table = pipeline.default_schema.get_table("chats")
    files = pipeline.destination.destination_type == "dlt.destinations.filesystem"
    return files and table.get("table_format") != "delta"


def _gone(pipeline: dlt.Pipeline) -> set[str]:
    """The chats whose latest row of the history says that they are gone, as files have it."""
    if "gone" not in pipeline.default_schema.tables.get("chats_history", {}).get("columns", {}):
        return set()
    place = "ROW_NUMBER() OVER (PARTITION BY id ORDER BY seen_from DESC)"
    latest = f"SELECT id, gone, {place} AS place FROM chats_history"  # noqa: S608 - our own text
    rows = warehouse.query(pipeline, {"id": "id"}, f"FROM ({latest}) AS h WHERE place = 1 AND gone")
    return {row["id"] for row in rows}


def _folders(pipeline: dlt.Pipeline, chats: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Folders of LinkedIn's unread chats: from the array table, or from lists in `chats`."""
    wanted = {
        chat["id"]: chat["_dlt_load_id"] for chat in chats if chat["account_type"] == "LINKEDIN"
    }
    schema = pipeline.default_schema
    if "chats__folder" in schema.tables:
        columns = {"chat_id": "f.chat_id", "value": "f.value"}
        joined = "FROM chats__folder AS f JOIN chats AS c ON c.id = f.chat_id"
        rows = warehouse.query(pipeline, columns, f"{joined} {_UNREAD}")
        return [row for row in rows if row["chat_id"] in wanted]
    if "folder" not in schema.get_table_columns("chats"):
        return []
    columns = {"chat_id": "c.id", "folder": "c.folder", "load_id": "c._dlt_load_id"}
    rows = warehouse.query(pipeline, columns, f"FROM chats AS c {_UNREAD}")
    return [
        {"chat_id": row["chat_id"], "value": value}
        for row in rows
        if wanted.get(row["chat_id"]) == row["load_id"]
        for value in _listed(row["folder"])
    ]


def _listed(value: Any) -> list[str]:
    """A list, which some destinations keep as JSON."""
    return list(json.loads(value) if isinstance(value, str) else value or [])


def _rows(connection: duckdb.DuckDBPyConnection, tail: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * {tail}")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, map(warehouse.in_utc, row), strict=True)) for row in cursor.fetchall()]
