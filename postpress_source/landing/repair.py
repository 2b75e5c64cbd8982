"""Whether the last load is there, as it was handed over; and how what isn't is made good.

State speaks of one place: the destination and dataset that its last load went to. If that load
isn't there (another file, a backup from before it, a package that was dropped or failed in part),
nothing that the state says of the table can be believed.

Rows land twice where a load is cut off between an insert's commit and dlt's note of it. dlt runs
such an insert again, be it into the staging table, and then its merge inserts both copies (dlt
1.31: `gen_upsert_sql` doesn't look for copies, `gen_merge_sql` tells them apart by the row key,
which is the same). Or two pipelines fill the same new table at once. Such rows are found by the
next run, and replaced by what it reads; in `chats_history`, where copies are equal, at once.
To be used inside the running resource.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import dlt
from dlt.common.configuration import resolve_configuration
from dlt.common.schema import Schema
from dlt.common.storages.exceptions import LoadPackageNotFound
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase
from dlt.load.configuration import LoaderConfiguration

from postpress_source.chats.columns import NAMES
from postpress_source.landing.shape import Shape
from postpress_source.landing.table import Table

logger = logging.getLogger("postpress_source")


_ONCE: Final = "postpress_history_once"
_ANEW: Final = "DROP TABLE IF EXISTS {0}; CREATE TABLE {0} ENGINE = Memory"
_MOST_LOADS: Final = 20
"""That are remembered where nobody can say whether they are there."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the destination has.

    Attributes:
        lost: The last load isn't there, or not all of it.
        dropped: Tables that were there, and aren't any more.
        no_table: Certainly no `chats`; False if unknown.
        no_history: Certainly no `chats_history`; False if unknown.
        doubles: Rows too many in the tables; 0 if unknown.
        twice_in_history: Chats that have two current versions in `chats_history`, or one version
            twice; 0 if unknown.
        history_begins: History is kept from this run on, and wasn't before.
        waiting: Loads were read and haven't landed yet: what is there isn't what will be.
    """

    lost: bool = False
    dropped: tuple[str, ...] = ()
    no_table: bool = False
    no_history: bool = False
    doubles: int = 0
    twice_in_history: int = 0
    history_begins: bool = False
    waiting: bool = False


def look_for_last_load(state: dict[str, Any], table: Table, shape: Shape) -> Standing:
    """What the destination has, as far as this can matter to the run.

    Args:
        state: The resource's; loads that are known to be there leave its list, but for the last.
        table: The destination's.
        shape: The tables'.
    """
    loads: list[str] = state.setdefault("loads", [])
    pipeline = dlt.current.pipeline()
    extracted = pipeline.list_extracted_load_packages()
    pending = {*extracted, *pipeline.list_normalized_load_packages()}
    due = [load_id for load_id in loads if load_id not in pending]
    # the pipeline may have been made anew for another dataset, the table renamed
    here = [pipeline.dataset_name, shape.names.chats]
    before = [state.get("dataset", here[0]), state.get("table", NAMES.chats)]
    elsewhere = bool(due) and before != here
    if elsewhere or any(_has_failed_jobs(pipeline, load_id) for load_id in due):
        standing: Standing | None = Standing(lost=True, dropped=(shape.names.chats,))
    else:
        everything = not due or state.get("appended") in due
        standing = table.ask(lambda client: _standing(client, shape, due, everything))
    if standing is None:
        return Standing()
    standing = replace(standing, waiting=bool(pending))
    state.pop("appended", None)
    if standing.lost:
        loads.clear()
    if due:
        loads[:] = [load_id for load_id in loads if load_id in pending or load_id == due[-1]]
    if standing.doubles:
        state["doubled"] = standing.doubles  # until a run has read the whole list
        logger.warning(
            "Of the rows of chats and of their arrays, %d are in the tables twice: a load was cut "
            "off, and dlt ran it again. A full walk lands in their place.",
            standing.doubles,
        )
    return replace(standing, doubles=state.get("doubled", 0))


def remember_load(state: dict[str, Any], load_id: str, table: str, *, appended: bool) -> None:
    """Note that rows were handed over, for `look_for_last_load` in the next run.

    Args:
        state: The resource's.
        load_id: The load package.
        table: What `chats` is called there.
        appended: Whether to tables that didn't exist, as another pipeline may have done, too.
    """
    loads = state.setdefault("loads", [])
    loads[:] = [*loads[1 - _MOST_LOADS :], load_id]
    state["dataset"] = dlt.current.pipeline().dataset_name
    state["table"] = table
    if appended:
        state["appended"] = load_id


def _standing(client: Any, shape: Shape, loads: list[str], everything: bool) -> Standing:
    there = all(_has_load(client, load_id) for load_id in loads)
    if not isinstance(client, SqlJobClientBase):
        return Standing(lost=not there, dropped=() if there else (shape.names.chats,))
    names = shape.names
    later = {names.history, names.walk_accounts}  # an earlier release didn't have them
    tables = (names.chats, *names.arrays.values(), names.walks, *sorted(later))
    missing = [name for name, columns in client.get_storage_tables(tables) if not columns]
    known = dlt.current.source_schema().tables
    dropped = tuple(name for name in missing if name in known) if loads else ()
    if loads and not there:
        dropped = (*dropped, names.chats)
    standing = Standing(
        lost=not later.issuperset(dropped),
        dropped=dropped,
        no_table=names.chats in missing,
        no_history=names.history in missing,
    )
    if not later.issuperset(missing) or not shape.array_tables:
        return standing  # a file lands again in its place
    doubles, of_history = _doubles(client, shape, loads, everything, standing.no_history)
    return replace(
        standing,
        doubles=0 if shape.disposition == "append" else doubles,  # each is the user's own wish
        twice_in_history=of_history,
    )


def _doubles(
    client: Any, shape: Shape, loads: Sequence[str], everything: bool, no_history: bool
) -> tuple[int, int]:
    """Rows too many of the last loads: one query for their few rows, or, after a first, for all."""
    sql: SqlClientBase[Any] = client.sql_client
    c, names = shape.column, shape.names
    chats, history = map(sql.make_qualified_table_name, (names.chats, names.history))
    of_load = _of_loads(shape, loads)
    of_chats = "" if everything else of_load
    of_array = f" WHERE {c('chat_id')} IN (SELECT {c('id')} FROM {chats}{of_chats})"  # noqa: S608
    tables = [(chats, "id", of_chats)]
    arrays = map(sql.make_qualified_table_name, names.arrays.values())
    tables += [(array, "_dlt_id", "" if everything else of_array) for array in arrays]
    counts = [
        f"(SELECT COUNT(*) - COUNT(DISTINCT {c(key)}) FROM {table}{where})"  # noqa: S608
        for table, key, where in tables
    ]
    of_these = f" WHERE {c('id')} IN (SELECT {c('id')} FROM {history}{of_load})"  # noqa: S608
    twice = _twice(shape, history, "" if everything else of_these)
    counts += [] if no_history else [f"(SELECT COUNT(*) FROM ({twice}) AS twice)"]  # noqa: S608
    ((*found,),) = sql.execute_sql(f"SELECT {', '.join(counts)}") or [[0]]
    in_history = 0 if no_history else found.pop()
    return sum(found), in_history


def _twice(shape: Shape, history: str, where: str = "") -> str:
    """A query for chats of which two versions end at once, or don't end."""
    chat_id = shape.column("id")
    ends = f"{chat_id}, {shape.column('seen_until')}"
    return f"SELECT {chat_id} FROM {history}{where} GROUP BY {ends} HAVING COUNT(*) > 1"  # noqa: S608


def _has_failed_jobs(pipeline: dlt.Pipeline, load_id: str) -> bool:
    """Whether dlt was told to go on without jobs that failed, and some did, or may have."""
    try:
        return bool(pipeline.list_failed_jobs_in_package(load_id))
    except (LoadPackageNotFound, FileNotFoundError):  # another machine loaded it
        settings = resolve_configuration(
            LoaderConfiguration(), sections=("load",), accept_partial=True
        )
        return not settings.raise_on_failed_jobs


def _has_load(client: Any, load_id: str) -> bool:
    """One small query, or a look at a folder: whether the load is known there as complete."""
    schema: Schema = dlt.current.source_schema()
    if hasattr(client, "fs_client"):
        from dlt.destinations.impl.filesystem.filesystem import FILENAME_SEPARATOR

        folder = client.get_table_dir(schema.loads_table_name)
        name = f"{schema.name}{FILENAME_SEPARATOR}{load_id}.jsonl"
        return bool(client.fs_client.exists(client.pathlib.join(folder, name)))
    sql: SqlClientBase[Any] = client.sql_client
    column = sql.escape_column_name(schema.naming.normalize_identifier("load_id"))
    name = sql.make_qualified_table_name(schema.loads_table_name)
    query = f"SELECT COUNT(*) FROM {name} WHERE {column} = %s"  # noqa: S608
    try:
        ((loads,),) = sql.execute_sql(query, load_id) or [(0,)]
    except DatabaseUndefinedRelation:
        return False
    return bool(loads)


# --- chats_history -------------------------------------------------------------------------------


def mend_history(
    table: Table, shape: Shape, state: dict[str, Any], standing: Standing, keep_from: datetime
) -> None:
    """Part in `chats_history` what landed twice, and delete, daily, what isn't kept so long.

    Two versions are current where a load was cut off and run again, or where two that were read
    before either had landed were appended to a new table. Of copies the first stays; of different
    versions each ends where the next begins. The only statements that don't go through dlt's load:
    its `scd2` can do neither.

    Args:
        table: The destination's.
        shape: The tables'.
        state: The resource's.
        standing: What the destination has.
        keep_from: Versions that were retired before it go.
    """
    day = f"{keep_from:%Y-%m-%d}"
    old = keep_from if state.get("kept_from") != day else None
    if standing.no_history:
        state["kept_from"] = day
    if shape.versions_apart or standing.no_history or not (old or standing.twice_in_history):
        return
    twice = standing.twice_in_history
    if table.ask(lambda client: _mend(client, shape, twice, old)) and old:
        state["kept_from"] = day


def _of_loads(shape: Shape, loads: Sequence[str]) -> str:
    quoted = ", ".join(f"'{load_id}'" for load_id in loads or [""])
    return f" WHERE {shape.column('_dlt_load_id')} IN ({quoted})"


def _mend(client: Any, shape: Shape, twice: int, old: datetime | None) -> bool:
    if not isinstance(client, SqlJobClientBase):
        return False
    sql: SqlClientBase[Any] = client.sql_client
    history = sql.make_qualified_table_name(shape.names.history)
    with sql.begin_transaction():
        if old:
            until = shape.column("seen_until")
            sql.execute_sql(f"DELETE FROM {history} WHERE {until} < %s", old)  # noqa: S608
        if twice:
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
    ends = f"COALESCE(ends_here, LEAD({since}) {by_chat}) AS {until}"
    ended = ", ".join(ends if c(name) == until else c(name) for name in columns)
    before = f"LAG({version}) {by_chat} AS before_it, LAG({until}) {by_chat} AS ended_it"
    before += f", {until} AS ends_here"
    same_end = "(ended_it = ends_here OR (ended_it IS NULL AND ends_here IS NULL))"
    yield (
        f"{create.format(once)} AS SELECT {ended} FROM (SELECT {names}, {before} "  # noqa: S608
        f"FROM {history} WHERE {chat_id} IN ({_twice(shape, history)})) AS numbered "
        f"WHERE before_it IS NULL OR before_it <> {version} OR NOT {same_end}"
    )
    yield f"DELETE FROM {history} WHERE {chat_id} IN (SELECT {chat_id} FROM {once})"  # noqa: S608
    yield f"INSERT INTO {history} ({names}) SELECT {names} FROM {once}"  # noqa: S608
    yield f"DROP TABLE {once}"
