"""What the DAGs' tasks do, without Airflow: split accounts into shards, load one, sum up a run.

Each shard is a pipeline of its own: its name, its state in the destination, its staging dataset,
and a working folder that lives as long as one try. So a shard may run on any worker, with an empty
disk; a try that was killed leaves nothing behind that a later one could load by mistake; and what
has been read is remembered only by the load that brought the rows.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

if TYPE_CHECKING:
    from dlt import Pipeline

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
        _pipeline(shard["name"], settings, folder, "backfill" if interval else "") as pipeline,
        _alone(pipeline),
    ):
        loaded = pipeline.run(_source(shard, settings, interval))
        loaded.raise_on_failed_jobs()
        return {"shard": shard["name"], **_summary(pipeline, loaded.loads_ids)}


def missing_shards(
    planned: Iterable[Mapping[str, Any]], summaries: Iterable[Mapping[str, Any]]
) -> list[str]:
    """The names of planned shards that brought no summary: they failed, or never ran."""
    done = {summary["shard"] for summary in summaries}
    return [shard["name"] for shard in planned if shard["name"] not in done]


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
    done = {summary["shard"]: summary for summary in summaries}
    rows = [{**_row(shard, done.get(shard["name"])), "run": run} for shard in planned]
    with (
        tempfile.TemporaryDirectory(prefix="postpress-") as folder,
        _pipeline("runs", settings, folder) as pipeline,
    ):
        pipeline.run(
            rows,
            table_name="shard_runs",
            write_disposition="merge",
            primary_key=("run", "shard"),
            columns=_SHARD_RUNS,
        ).raise_on_failed_jobs()


def describe(summary: Mapping[str, Any]) -> str:
    """A shard's summary for a person, a few lines."""
    lines = [
        "Shard {shard}: {walks} walks ({kinds}), {chats_read} chats on {pages} pages, "
        "{requests} requests, {retries} of them retries, {waited_seconds:.1f} s waited. "
        "Known up to {watermark}.".format_map(summary)
    ]
    lines += [
        "  Skipped: account {account_id}, {error_type}. Next: {next_step}".format_map(skipped)
        for skipped in summary["skipped"]
    ]
    return "\n".join(lines)


class ShardBusyError(RuntimeError):
    """Another run is loading the same shard. It passes."""


def is_terminal(error: BaseException) -> bool:
    """Whether repeating the task is useless: the source said so, or a setting is missing.

    What a destination calls terminal isn't: tasks that create the same tables for the first time
    collide, and all but one are told that a table exists. Their next try finds it.
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


@contextmanager
def _pipeline(shard: str, settings: Settings, folder: str, purpose: str = "") -> Iterator[Pipeline]:
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


_SHARD_RUNS: Final[dict[str, Any]] = {
    "run": {"data_type": "text", "nullable": False, "description": "The DAG and its run."},
    "shard": {"data_type": "text", "nullable": False, "description": "The shard's name."},
    "loaded": {"data_type": "bool", "description": "Whether the shard was loaded."},
    "walks": {"data_type": "bigint", "description": "Walks, an account each, or one of all."},
    "kinds": {"data_type": "text", "description": "How many walks of which kind."},
    "chats_read": {"data_type": "bigint", "description": "Chats on the pages read."},
    "pages": {"data_type": "bigint", "description": "Pages read."},
    "requests": {"data_type": "bigint", "description": "Requests, every attempt counted."},
    "retries": {"data_type": "bigint", "description": "Attempts that followed a failed one."},
    "waited_seconds": {"data_type": "double", "description": "Waits for retries and limits."},
    "watermark": {"data_type": "timestamp", "description": "How far all accounts are known."},
    "skipped": {"data_type": "text", "description": "JSON list of accounts that were skipped."},
}

_WALKS: Final = (
    "account_id", "kind", "chats_read", "pages", "requests", "retries", "waited_seconds",
    "watermark_after", "complete", "error_type", "next_step",
)  # fmt: skip


def _summary(pipeline: Pipeline, load_ids: Iterable[str]) -> dict[str, Any]:
    """What the ledger says of these loads, in one."""
    wanted = ", ".join(f"'{load_id}'" for load_id in load_ids)
    ledger = f"SELECT {', '.join(_WALKS)} FROM chat_walks WHERE _dlt_load_id IN ({wanted})"  # noqa: S608
    rows = pipeline.dataset()(ledger).fetchall()
    walks = [dict(zip(_WALKS, row, strict=True)) for row in rows]
    watermarks = [walk["watermark_after"] for walk in walks]
    known = bool(walks) and None not in watermarks
    kinds = Counter(walk["kind"] for walk in walks)
    return {
        "walks": len(walks),
        "kinds": ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
        **{name: sum(walk[name] for walk in walks) for name in _WALKS[2:7]},
        "watermark": min(watermarks).isoformat() if known else None,
        "skipped": [
            {name: walk[name] for name in ("account_id", "error_type", "next_step")}
            for walk in walks
            if not walk["complete"]
        ],
    }


def _row(shard: Mapping[str, Any], summary: Mapping[str, Any] | None) -> dict[str, Any]:
    if summary is None:
        return {"shard": shard["name"], "loaded": False}
    return {**summary, "loaded": True, "skipped": json.dumps(summary["skipped"])}
