"""The PostPress inbox in your warehouse, by Airflow 3: two DAGs to drop into the DAGs folder.

Take `postpress_shards.py` and `postpress_summary.py` along, install `postpress-source` and dlt's
extra of the destination on the workers, and set:

- the connection `postpress`: the API key as its password; as its host, if it isn't the default,
  the whole base URL;
- the variable `postpress`, JSON: `destination`, `dataset_name`, `accounts`, `shards`, and `source`
  (more arguments of the source), all optional, see `Settings` in `postpress_shards.py`;
- the connection `postpress_warehouse`, if the destination needs credentials.

Without them dlt's own settings count: `SOURCES__POSTPRESS__API_KEY`, `DESTINATION__...`.

Parsing this file asks nobody for anything: what is slow or secret happens inside the tasks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    Connection,
    CronDataIntervalTimetable,
    Param,
    TriggerRule,
    Variable,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

if TYPE_CHECKING:
    from postpress_shards import Settings

HOURLY = "7 * * * *"  # not on the hour, when everybody asks
MONTHLY = CronDataIntervalTimetable("0 0 1 * *", timezone="UTC")

CHATS = Asset("postpress_chats")
"""Updated by each run that brought every shard. Schedule what follows by it: `schedule=[CHATS]`."""

log = logging.getLogger("postpress")

ONCE_MORE: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}


def _settings(**source: Any) -> Settings:
    # dlt asks Airflow for every setting it may have, some 730 look-ups a load, unless told not to;
    # here are three instead
    os.environ["PROVIDERS__ENABLE_AIRFLOW_SECRETS"] = "false"
    from postpress_shards import Settings

    options = Variable.get("postpress", default=None, deserialize_json=True) or {}
    options["source"] = {**options.get("source", {}), **source}
    if api := _connection("postpress"):
        options |= {"api_key": api.password or None, "base_url": api.host or None}
    if warehouse := _connection("postpress_warehouse"):
        options["credentials"] = warehouse.get_uri().replace("postgres://", "postgresql://", 1)
    try:
        return Settings(**options)
    except TypeError as error:
        raise AirflowFailException(f"The variable postpress is wrong: {error}") from None


def _connection(name: str) -> Any:
    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        return None


@task(execution_timeout=timedelta(minutes=10), **ONCE_MORE)
def plan() -> list[dict[str, Any]]:
    """Split the accounts into shards."""
    settings = _settings()
    from postpress_shards import plan_shards

    shards: list[dict[str, Any]]
    shards, why = plan_shards(settings)
    log.info(why)
    return shards


@task(execution_timeout=timedelta(hours=6), map_index_template="{{ shard }}", **ONCE_MORE)
def load(shard: dict[str, Any], by_interval: bool) -> dict[str, Any]:
    """Load one shard. A try that can't succeed fails at once, any other is repeated."""
    context: Any = get_current_context()
    context["shard"] = shard["name"]
    whole = {"full_walk_every": "PT0S"} if context["params"].get("full_walk") else {}
    settings = _settings(**whole)
    from postpress_shards import Interval, is_terminal, load_shard
    from postpress_summary import describe

    interval = Interval(*_data_interval(context)) if by_interval else None
    try:
        summary: dict[str, Any] = load_shard(shard, settings, interval)
    except Exception as error:
        if is_terminal(error):
            raise AirflowFailException(f"Shard {shard['name']}: {error}") from error
        raise
    log.info(describe(summary))
    return summary


def _data_interval(context: Any) -> tuple[datetime, datetime]:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        raise AirflowFailException(
            "This run has no data interval. Next: start it by `airflow backfill create`, or by "
            "hand with a logical date."
        )
    return start, end


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[CHATS], **ONCE_MORE)
def sum_up(
    planned: Sequence[dict[str, Any]] | None, summaries: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Record the run in the table `shard_runs`; fail if a shard is missing."""
    if not planned:
        raise AirflowFailException("There was no plan. Next: see the log of the task plan.")
    settings = _settings()
    from postpress_shards import record_run
    from postpress_summary import describe, missing_shards

    context = get_current_context()
    done = list(summaries[:])  # a slice is one request to Airflow, a loop is one a shard
    record_run(f"{context['dag'].dag_id}/{context['run_id']}", planned, done, settings)
    for summary in done:
        log.info(describe(summary))
    missing = missing_shards(planned, done)
    if missing:
        raise AirflowFailException(
            f"{len(missing)} of {len(planned)} shards weren't loaded: {', '.join(missing)}. "
            "Next: see their logs. The other shards are loaded, and the next run takes up these "
            "where they stood."
        )
    return done


@dag(
    schedule=HOURLY,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=16,
    dagrun_timeout=timedelta(hours=12),
    tags=["postpress", "dlt"],
    doc_md=__doc__,
    params={
        "full_walk": Param(
            default=False,
            type="boolean",
            title="Full walk",
            description="Walk every account to its end, due or not.",
        )
    },
)
def postpress_incremental() -> None:
    """What has changed since the last run; once a day each account to its end."""
    planned = plan()
    sum_up(planned, load.partial(by_interval=False).expand(shard=planned))


@dag(
    schedule=MONTHLY,
    start_date=datetime(2015, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["postpress", "dlt", "backfill"],
    doc_md=__doc__,
)
def postpress_backfill() -> None:
    """Chats whose last activity lies in the run's data interval; watermarks stay as they are.

    One shard at a time, whatever runs there are: `airflow backfill create` has a limit of its own.
    """
    planned = plan()
    one_by_one = load.override(max_active_tis_per_dag=1)
    sum_up(planned, one_by_one.partial(by_interval=True).expand(shard=planned))


postpress_incremental()
postpress_backfill()
