"""Rows that landed twice, because a load was cut off between an insert's commit and dlt's note.

dlt runs such an insert again, be it into the staging table, and then its merge inserts both copies
(dlt 1.31: `gen_upsert_sql` doesn't look for copies, `gen_merge_sql` tells them apart by the row
key, which is the same). They are found, and replaced, by the next run. To be used inside the
running resource.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import dlt
from dlt.common.exceptions import DltException
from dlt.common.pipeline import ExtractInfo, LoadInfo
from dlt.pipeline.trace import PipelineStepTrace

from postpress_source.columns import ARRAY_TABLES
from postpress_source.landing import merge_strategies

logger = logging.getLogger("postpress_source")

_UNCHECKED: Final = "unchecked_load"
_UNKNOWN: Final = ""


def has_doubles(state: dict[str, Any]) -> bool:
    """Whether rows of an earlier load are known to be in the tables twice.

    The tables are asked, unless dlt's trace shows that the load went through in one go, or nothing
    has been loaded since they were asked last. Where they can't be asked, the next run does.
    """
    load_id = state.get(_UNCHECKED)
    if load_id is None:
        return False
    doubles = 0 if _went_through_in_one_go(load_id) else _count_doubles()
    if doubles == 0:
        del state[_UNCHECKED]
    if doubles:
        logger.warning(
            "%d rows of chats and of their arrays are in the tables twice: a load was cut off, and "
            "dlt ran it again. The whole list is read now, and lands in their place.",
            doubles,
        )
    return bool(doubles)


def remember_load(state: dict[str, Any], load_id: str) -> None:
    """Note that rows were handed over, for `has_doubles` in the next run."""
    state[_UNCHECKED] = _UNKNOWN if _UNCHECKED in state else load_id


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


def _count_doubles() -> int | None:
    """Rows too many, of chats and of their arrays' elements; None if that can't be told from here.

    None is too many where a file lands again in its place, or the user has every version appended.
    """
    resource = dlt.current.resource()
    by_sql = "delete-insert" in (merge_strategies(resource) or ())
    if not by_sql or resource.write_disposition != "merge":
        return 0
    schema = dlt.current.source_schema()
    keys = {"chats": "id"} | dict.fromkeys(ARRAY_TABLES, "_dlt_id")
    doubles = 0
    try:
        with dlt.current.pipeline().sql_client(schema.name) as client:
            for table, key in keys.items():
                distinct = f"COUNT(DISTINCT {client.escape_column_name(key)})"
                name = client.make_qualified_table_name(table)
                query = f"SELECT COUNT(*) - {distinct} FROM {name}"  # noqa: S608 - our own names
                ((rows,),) = client.execute_sql(query) or [(0,)]
                doubles += rows
    except DltException as error:
        logger.info("Whether rows landed twice can't be told from here: %s", type(error).__name__)
        return None
    return doubles
