"""Whether the last load is there, as it was handed over; and how what isn't is made good.

State speaks of one place: the destination and dataset that its last load went to. If that load
isn't there (another file, a backup from before it, a package that was dropped or failed in part),
nothing that the state says of the table can be believed.

Rows land twice where a load is cut off between an insert's commit and dlt's note of it. dlt runs
such an insert again, be it into the staging table, and then its merge inserts both copies (dlt
1.31: `gen_upsert_sql` doesn't look for copies, `gen_merge_sql` tells them apart by the row key,
which is the same). Or two pipelines fill the same new table at once. Such rows are found by the
next run, and replaced by what it reads. To be used inside the running resource.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import dlt
from dlt.common.configuration import resolve_configuration
from dlt.common.pipeline import ExtractInfo, LoadInfo
from dlt.common.schema import Schema
from dlt.common.storages.exceptions import LoadPackageNotFound
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase
from dlt.load.configuration import LoaderConfiguration
from dlt.pipeline.trace import PipelineStepTrace

from postpress_source.chats.columns import ARRAY_TABLES, LEDGER
from postpress_source.landing.merge import merge_strategies
from postpress_source.landing.table import Table

logger = logging.getLogger("postpress_source")

_KEYS: Final = {"chats": "id"} | dict.fromkeys(ARRAY_TABLES, "_dlt_id")
_WALKS: Final = 3
"""Full walks for the sake of doubled rows, at most: what is left then isn't listed any more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the destination has.

    Attributes:
        lost: The last load isn't there, or not all of it.
        dropped: Tables that were there, and aren't any more.
        no_table: Certainly no `chats`; False if unknown.
        doubles: Rows too many in the tables; 0 if unknown.
        walk: Whether a full walk is called for, to replace them.
    """

    lost: bool = False
    dropped: tuple[str, ...] = ()
    no_table: bool = False
    doubles: int = 0
    walk: bool = False


def look(state: dict[str, Any], table: Table, *, may_walk: bool) -> Standing:
    """What the destination has, as far as this can matter to the run; notes it in `state`.

    Doubled rows aren't looked for if all that was loaded since the last look went through in one
    go, as dlt's trace shows. Where the destination can't be asked, the next run does.

    Args:
        state: The resource's.
        table: The destination's.
        may_walk: Whether the run can be a full walk.
    """
    last = _look_for(state.setdefault("loads", []), table)
    if last.lost:
        state.pop("landed", None)
    note = state.get("landed")
    if note is not None and _is_settled(note):
        state["landed"] = note if "versions" in note else {}
        return last
    standing = _ask(note, table)
    state.pop("landed", None)
    if standing is None:
        return last
    standing = replace(standing, lost=last.lost, dropped=last.dropped)
    if not standing.doubles:
        state.pop("walks_for_doubles", None)
        state["landed"] = {}
        return standing
    walks = state.get("walks_for_doubles", 0)
    walk = may_walk and walks < _WALKS
    if walk:
        state["walks_for_doubles"] = walks + 1
    logger.warning(
        "Of the rows of chats and of their arrays, %d are in the tables twice: a load was cut off, "
        "and dlt ran it again. %s",
        standing.doubles,
        "The whole list is read now, and lands in their place."
        if walk
        else "Those of them that this run reads are replaced.",
    )
    return replace(standing, walk=walk)


def _look_for(loads: list[str], table: Table) -> Standing:
    """Whether the destination has all of the loads that were handed to dlt; it has, if unknown.

    Those that are known to be there leave the list, but for the last one.
    """
    pipeline = dlt.current.pipeline()
    extracted = pipeline.list_extracted_load_packages()
    pending = {*extracted, *pipeline.list_normalized_load_packages()}
    due = [load_id for load_id in loads if load_id not in pending]
    if not due:
        return Standing()
    failed = any(_has_failed_jobs(pipeline, load_id) for load_id in due)
    dropped = ["chats"] if failed else table.ask(lambda client: _not_there(client, due))
    if dropped:
        loads.clear()
        return Standing(lost=True, dropped=tuple(dropped))
    loads[:] = [load_id for load_id in loads if load_id in pending or load_id == due[-1]]
    return Standing()


def _not_there(client: Any, loads: list[str]) -> list[str]:
    """The tables that have to be made good; none if all of the loads are there."""
    if all(_has_load(client, load_id) for load_id in loads):
        return _dropped_tables(client)
    return ["chats"]


def _dropped_tables(client: Any) -> list[str]:
    if not isinstance(client, SqlJobClientBase):
        return []
    tables = dlt.current.source_schema().tables
    names = [name for name in (*_KEYS, LEDGER) if name in tables]
    return [name for name in names if not client.get_storage_table(name)[0]]


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


def remember_load(state: dict[str, Any], load_id: str, appended: Mapping[str, int]) -> None:
    """Note that rows were handed over, for `look` in the next run.

    Args:
        state: The resource's.
        load_id: The load package.
        appended: How many rows each table has now if nobody else writes; empty if unknown.
    """
    note = state.get("landed")
    state.setdefault("loads", []).append(load_id)
    disposition = dlt.current.resource().compute_table_schema().get("write_disposition")
    if disposition == "append" or "versions" in (note or ()):
        state["landed"] = {"versions": True}  # every one is the user's own wish
    elif appended:
        state["landed"] = {"rows": dict(appended)}
    elif note == {}:
        state["landed"] = {"load_id": load_id}
    else:
        state.pop("landed", None)


def _is_settled(note: Mapping[str, Any]) -> bool:
    """Whether there is nothing to look for: by choice, or since nothing can have landed twice."""
    if "load_id" in note:
        return _went_through_in_one_go(note["load_id"])
    return "rows" not in note


def _went_through_in_one_go(load_id: str) -> bool:
    """Whether one and the same process extracted and loaded it, and no part of it twice.

    A trace is of one process: dlt adds nothing to what an earlier one has left.
    """
    trace = dlt.current.pipeline().last_trace
    steps = [] if trace is None else trace.steps
    extracted = [n for n, step in enumerate(steps) if _is_extract_of(load_id, step)]
    since = steps[extracted[0] :] if extracted else []
    loads = [step.step_info for step in since if isinstance(step.step_info, LoadInfo)]
    packages = [p for load in loads for p in load.load_packages if p.load_id == load_id]
    jobs = [job for package in packages for job in package.jobs["completed_jobs"]]
    again = [job for job in jobs if job.job_file_info.retry_count]
    return bool(jobs) and not again and not any(step.step_exception for step in since)


def _is_extract_of(load_id: str, step: PipelineStepTrace) -> bool:
    return isinstance(step.step_info, ExtractInfo) and load_id in step.step_info.loads_ids


def _ask(note: Mapping[str, Any] | None, table: Table) -> Standing | None:
    """Ask the destination; None if it can't be asked.

    Tables that aren't merged by SQL have no row twice: a file lands again in its place.
    """
    rows = note.get("rows", {}) if note else {}
    strategies = merge_strategies(dlt.current.resource())
    if strategies is None:
        return None
    if "delete-insert" not in strategies:
        return Standing()

    def question(client: Any) -> Standing:
        if note is None and isinstance(client, SqlJobClientBase):
            exists, _ = client.get_storage_table("chats")
            if not exists:
                return Standing(no_table=True)
        sql: SqlClientBase[Any] = client.sql_client
        return Standing(doubles=sum(_doubles(sql, name, rows.get(name)) for name in _KEYS))

    return table.ask(question)


def _doubles(client: SqlClientBase[Any], table: str, expected: int | None) -> int:
    """Rows too many; none if there are as many as expected."""
    name = client.make_qualified_table_name(table)
    try:
        ((rows,),) = client.execute_sql(f"SELECT COUNT(*) FROM {name}") or [(0,)]  # noqa: S608
        if rows == expected:
            return 0
        key = client.escape_column_name(_KEYS[table])
        query = f"SELECT COUNT(DISTINCT {key}) FROM {name}"  # noqa: S608
        ((different,),) = client.execute_sql(query) or [(rows,)]
    except DatabaseUndefinedRelation:
        return 0
    return int(rows - different)
