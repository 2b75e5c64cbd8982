"""What landed twice in `chats_history` is parted, and what isn't kept so long is deleted.

The only statements that don't go through dlt's load: its `scd2` can do neither. To be used inside
the running resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase

from postpress_source.landing.shape import Shape
from postpress_source.landing.table import Table

_ONCE: Final = "postpress_history_once"
_ANEW: Final = "DROP TABLE IF EXISTS {0}; CREATE TABLE {0} ENGINE = Memory"


def twice(shape: Shape, history: str, where: str = "") -> str:
    """A query for chats of which two versions end at once, or don't end."""
    chat_id = shape.column("id")
    ends = f"{chat_id}, {shape.column('seen_until')}"
    return f"SELECT {chat_id} FROM {history}{where} GROUP BY {ends} HAVING COUNT(*) > 1"  # noqa: S608


def mend_history(
    table: Table,
    shape: Shape,
    state: dict[str, Any],
    keep_from: datetime,
    *,
    doubled: bool,
    new: bool,
) -> None:
    """Part in `chats_history` what landed twice, and delete, daily, what isn't kept so long.

    Two versions are current where a load was cut off and run again, or where two that were read
    before either had landed were appended to a new table. Of copies the first stays; of different
    versions each ends where the next begins. So it is where a load came late: it has retired what
    was seen after it.

    Args:
        table: The destination's.
        shape: The tables'.
        state: The resource's.
        keep_from: Versions that were retired before it go.
        doubled: Whether chats are known to be there twice, or a load came late.
        new: Whether there certainly is no `chats_history` yet.
    """
    day = f"{keep_from:%Y-%m-%d}"
    old = keep_from if state.get("kept_from") != day else None
    if new:
        state["kept_from"] = day
    if shape.versions_apart or new or not (old or doubled):
        return
    if table.ask(lambda client: _mend(client, shape, doubled, old)) and old:
        state["kept_from"] = day


def _mend(client: Any, shape: Shape, doubled: bool, old: datetime | None) -> bool:
    if not isinstance(client, SqlJobClientBase):
        return False
    sql: SqlClientBase[Any] = client.sql_client
    history = sql.make_qualified_table_name(shape.names.history)
    with sql.begin_transaction():
        if old:
            until = shape.column("seen_until")
            sql.execute_sql(f"DELETE FROM {history} WHERE {until} < %s", old)  # noqa: S608
        if doubled:
            columns = [*client.get_storage_table(shape.names.history)[1]]
            once = _ONCE, "CREATE TEMPORARY TABLE {}"
            if client.capabilities.sqlglot_dialect == "clickhouse":  # deletes see no temporary one
                once = sql.make_qualified_table_name(_ONCE), _ANEW
            for statement in _statements_that_part_doubles(shape, history, columns, *once):
                sql.execute_sql(statement)
    return True


def _statements_that_part_doubles(
    shape: Shape, history: str, columns: Sequence[str], once: str, create: str
) -> Iterator[str]:
    c = shape.column
    chat_id, version, since, until = map(c, ("id", "version", "seen_from", "seen_until"))
    names = ", ".join(map(c, columns))
    by_chat = f"OVER (PARTITION BY {chat_id} ORDER BY {since})"
    # of a name of its own, since ClickHouse takes the column's for what it is selected as
    follows = f"LEAD({since}) {by_chat}"
    wrong = f"ends_here IS NULL OR ends_here > {follows} OR ends_here < {since}"
    ends = f"CASE WHEN {wrong} THEN {follows} ELSE ends_here END AS {until}"
    late = f"SELECT {chat_id} FROM {history} WHERE {until} < {since}"  # noqa: S608
    ended = ", ".join(ends if c(name) == until else c(name) for name in columns)
    before = f"LAG({version}) {by_chat} AS before_it, LAG({until}) {by_chat} AS ended_it"
    before += f", {until} AS ends_here"
    same_end = "(ended_it = ends_here OR (ended_it IS NULL AND ends_here IS NULL))"
    yield (
        f"{create.format(once)} AS SELECT {ended} FROM (SELECT {names}, {before} "  # noqa: S608
        f"FROM {history} WHERE {chat_id} IN ({twice(shape, history)}) OR {chat_id} IN ({late})) "
        "AS numbered "
        f"WHERE before_it IS NULL OR before_it <> {version} OR NOT {same_end}"
    )
    yield f"DELETE FROM {history} WHERE {chat_id} IN (SELECT {chat_id} FROM {once})"  # noqa: S608
    yield f"INSERT INTO {history} ({names}) SELECT {names} FROM {once}"  # noqa: S608
    yield f"DROP TABLE {once}"
