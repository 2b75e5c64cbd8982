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
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from postpress_source.landing.mend import twice
from postpress_source.landing.shape import Shape
from postpress_source.landing.table import Table

logger = logging.getLogger("postpress_source")


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
        overtaken: A load that was read before the last one has landed after it.
        waiting: Loads were read and haven't landed yet: what is there isn't what will be.
    """

    lost: bool = False
    dropped: tuple[str, ...] = ()
    no_table: bool = False
    no_history: bool = False
    doubles: int = 0
    twice_in_history: int = 0
    history_begins: bool = False
    overtaken: bool = False
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
    if not isinstance(client, SqlJobClientBase):  # of files the newest load's row is what counts
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
        overtaken=there and bool(loads) and _is_overtaken(client, loads[-1]),
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
    versions = twice(shape, history, "" if everything else of_these)
    counts += [] if no_history else [f"(SELECT COUNT(*) FROM ({versions}) AS twice)"]  # noqa: S608
    ((*found,),) = sql.execute_sql(f"SELECT {', '.join(counts)}") or [[0]]
    in_history = 0 if no_history else found.pop()
    return sum(found), in_history


def _of_loads(shape: Shape, loads: Sequence[str]) -> str:
    quoted = ", ".join(f"'{load_id}'" for load_id in loads or [""])
    return f" WHERE {shape.column('_dlt_load_id')} IN ({quoted})"


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


def _is_overtaken(client: SqlJobClientBase, load_id: str) -> bool:
    """Whether an older load of the pipeline has landed since: of a worker thought dead."""
    schema, sql = client.schema, client.sql_client
    loads, states = map(
        sql.make_qualified_table_name, (schema.loads_table_name, schema.state_table_name)
    )
    load, landed, of_state, name = (
        sql.escape_column_name(schema.naming.normalize_identifier(column))
        for column in ("load_id", "inserted_at", "_dlt_load_id", "pipeline_name")
    )
    of_pipeline = f"SELECT {of_state} FROM {states} WHERE {name} = %s"  # noqa: S608
    last = f"SELECT MAX({landed}) FROM {loads} WHERE {load} = %s"  # noqa: S608
    later = f"{load} < %s AND {load} IN ({of_pipeline}) AND {landed} > ({last})"
    query = f"SELECT COUNT(*) FROM {loads} WHERE {later}"  # noqa: S608
    found = sql.execute_sql(query, load_id, dlt.current.pipeline().pipeline_name, load_id)
    return bool(found and found[0][0])
