"""What the DAGs' tasks do, without Airflow: split accounts into shards, load one, record a run.

Each shard is a pipeline of its own: its name, its state in the destination, its staging dataset,
and a working folder that lives as long as one try. So a shard may run on any worker, with an empty
disk; a try that was killed leaves nothing behind that a later one could load by mistake; and what
has been read is remembered only by the load that brought the rows.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from postpress_summary import SHARD_RUNS, rows_of_run, summarize

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.common.pipeline import LoadInfo

log = logging.getLogger("postpress")

LOAD_TRIES: Final = 4

SEVERAL_WRITERS: Final = frozenset(
    ("postgres", "ducklake", "motherduck", "snowflake", "bigquery", "redshift", "databricks")
)
"""Destinations that several tasks may load into at once, by dlt's names."""


@dataclass(frozen=True)
class Settings:
    """What a run needs to know. All of it has a default, but the key.

    Attributes:
        api_key: None: dlt looks for it (`SOURCES__POSTPRESS__API_KEY`, `.dlt/secrets.toml`).
        base_url: None: dlt's setting, or PostPress itself.
        destination: dlt's name of it, such as `postgres` or `duckdb`.
        credentials: The destination's. None: dlt looks for them (`DESTINATION__...`).
        dataset_name: The dataset, or database schema, that holds the tables.
        accounts: The accounts to load. Empty: all visible ones, by one task.
        shards: Among how many tasks the accounts are split.
        source: More arguments of `postpress_source`, such as `full_walk_every`.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    destination: str = "duckdb"
    credentials: str | None = field(default=None, repr=False)
    dataset_name: str = "postpress"
    accounts: tuple[str, ...] = ()
    shards: int = 1
    source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Interval:
    """A range of `chats.timestamp`: start inclusive, end exclusive, aware."""

    start: datetime
    end: datetime


def plan_shards(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """The shards of a run, each a name and its accounts (None: all visible), and why so many.

    An account stays in its shard while the number of shards stays, whatever other accounts come
    and go. If the number changes, each account is walked completely once.
    """
    whole = [{"name": "all", "accounts": list(settings.accounts) or None}]
    if settings.shards <= 1:
        return whole, "One task: `shards` is 1."
    if settings.destination not in SEVERAL_WRITERS:
        return whole, (
            f"One task, although `shards` is {settings.shards}: {settings.destination} isn't known "
            "to take several writers at once (a DuckDB file takes one). That task walks several "
            "accounts at once all the same; for several tasks load into postgres or ducklake."
        )
    if not settings.accounts:
        return whole, (
            f"One task, although `shards` is {settings.shards}: there is nothing to split while "
            "`accounts` isn't set."
        )
    shards: dict[str, list[str]] = {}
    for account in settings.accounts:
        number = crc32(account.encode()) % settings.shards
        shards.setdefault(f"{number}_of_{settings.shards}", []).append(account)
    planned = [{"name": name, "accounts": accounts} for name, accounts in sorted(shards.items())]
    return planned, f"{len(settings.accounts)} accounts in {len(planned)} shards."


def load_shard(
    shard: Mapping[str, Any], settings: Settings, interval: Interval | None = None
) -> dict[str, Any]:
    """Load one shard to the end, and say what happened, in values that JSON knows.

    Args:
        shard: One of `plan_shards`.
        settings: The run's.
        interval: Load only chats whose last activity lies in it, and leave the watermark alone.

    Raises:
        ShardBusyError: Another run is loading this shard; nothing was done.
    """
    with (
        tempfile.TemporaryDirectory(prefix="postpress-") as folder,
        open_pipeline(shard["name"], settings, folder, "backfill" if interval else "") as pipeline,
        _alone(pipeline),
    ):
        loaded = _run(pipeline, _source(shard, settings, interval))
        return {"shard": shard["name"], **summarize(pipeline, loaded.loads_ids)}


def record_run(
    run: str,
    planned: Iterable[Mapping[str, Any]],
    summaries: Iterable[Mapping[str, Any]],
    settings: Settings,
) -> None:
    """Write one row a shard into the table `shard_runs`; a repeated call lands once.

    Args:
        run: What tells this run from all others.
        planned: The run's shards.
        summaries: What `load_shard` returned for those that were loaded.
        settings: The run's.
    """
    rows = rows_of_run(run, planned, summaries)
    with (
        tempfile.TemporaryDirectory(prefix="postpress-") as folder,
        open_pipeline("runs", settings, folder) as pipeline,
    ):
        pipeline.run(
            rows,
            table_name="shard_runs",
            write_disposition="merge",
            primary_key=("run", "shard"),
            columns=SHARD_RUNS,
        ).raise_on_failed_jobs()


class ShardBusyError(RuntimeError):
    """Another run is loading the same shard. It passes."""


def is_terminal(error: BaseException) -> bool:
    """Whether repeating the task is useless: the source said so, or a setting is missing.

    What a destination calls terminal isn't, whatever dlt says: tasks that create the same tables
    for the first time collide, and all but one are told that a table exists. The next try finds it.
    """
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.exceptions import TerminalException

    from postpress_source import PostpressError

    chain = list(_chain(error))
    return any(
        isinstance(cause, ConfigurationException)
        or (isinstance(cause, PostpressError) and isinstance(cause, TerminalException))
        for cause in chain
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _run(pipeline: Pipeline, source: Any) -> LoadInfo:
    """Run the pipeline; a load that failed is tried again with what was read."""
    from dlt.pipeline.exceptions import PipelineStepFailed

    data, tries = source, LOAD_TRIES
    while True:
        tries -= 1
        try:
            loaded = pipeline.run(data)
        except PipelineStepFailed as error:
            if error.step != "load" or not tries or not pipeline.has_pending_data:
                raise
            log.warning("The load failed (%s) and is tried again.", error.exception.__class__)
            time.sleep(random.uniform(1, 5))  # noqa: S311 - apart from who collided with it
            data = None
        else:
            loaded.raise_on_failed_jobs()
            return loaded


@contextmanager
def open_pipeline(
    shard: str, settings: Settings, folder: str, purpose: str = ""
) -> Iterator[Pipeline]:
    """A pipeline with a name, a state and a staging dataset of its own, in a given folder."""
    import dlt
    from dlt.common.destination import Destination

    options: dict[str, Any] = {}
    if settings.credentials is not None:
        options["credentials"] = settings.credentials
    if shard != "all" or purpose:
        # writers that share a staging dataset lose rows of each other in silence
        options["staging_dataset_name_layout"] = "_".join(
            part for part in ("%s_staging", purpose, shard) if part
        )
    pipeline = dlt.pipeline(
        "postpress" if shard == "all" else f"postpress_{shard}",
        destination=Destination.from_reference(settings.destination, **options),
        dataset_name=settings.dataset_name,
        pipelines_dir=folder,
    )
    try:
        yield pipeline
    finally:
        pipeline.deactivate()


@contextmanager
def _alone(pipeline: Pipeline) -> Iterator[None]:
    """Keep other runs of this shard out, where the destination offers a lock: on PostgreSQL.

    The lock belongs to a connection, so it goes when the task's process does, however it ends.
    """
    if pipeline.destination.destination_name != "postgres":
        yield
        return
    with pipeline.sql_client() as client:
        key = f"{pipeline.dataset_name}/{pipeline.pipeline_name}"
        locked = client.execute_sql("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key)
        if not locked or not locked[0][0]:
            raise ShardBusyError(f"Another run is loading {key}. Next: nothing, it is tried again.")
        yield


def _source(shard: Mapping[str, Any], settings: Settings, interval: Interval | None) -> Any:
    import dlt

    from postpress_source import postpress_source

    given: dict[str, Any] = {"api_key": settings.api_key, "base_url": settings.base_url}
    given = {name: value for name, value in given.items() if value is not None}
    source = postpress_source(account_id=shard["accounts"], **given, **settings.source)
    if interval is not None:
        source.chats.apply_hints(
            incremental=dlt.sources.incremental(
                "timestamp",
                initial_value=interval.start,
                end_value=interval.end,
                on_cursor_value_missing="include",
                primary_key=(),
            )
        )
    return source
