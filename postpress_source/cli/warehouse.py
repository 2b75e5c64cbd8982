"""The pipeline that a command is about: built, its state restored, and what it has loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import sqlglot
from dlt.common.configuration import inject_section, resolve_configuration
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.destination import Destination
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.runtime.collector_base import Collector
from dlt.common.runtime.run_context import active
from dlt.common.storages import WithLocalFiles
from dlt.destinations.sql_client import SqlClientBase

from postpress_source.arguments import (
    Filters,
    check_api_key,
    check_base_url,
    check_filters,
)
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.source import PostpressArguments, PostpressSettings

DUCKDB_FILE = "inbox"
PARQUET_FOLDER = "inbox_parquet"
_WALKED = ("started_at", "finished_at", "watermark_before", "watermark_after", "history_from")
_SEEN = ("saw_down_to", "saw_unread_down_to")
_OF_CHATS = ("timestamp", "muted_until", "seen_from", "seen_until", "moment", "newest")
_INSTANTS = frozenset((*_OF_CHATS, *_WALKED, *_SEEN))
_FLAGS = frozenset(
    ("archived", "muted_forever", "complete", "to_the_end", "saw_all", "unchanged", "newest_first")
)


def open_pipeline(choice: Choice, collector: Collector = NULL_COLLECTOR) -> dlt.Pipeline:
    """The pipeline, not yet restored; nothing is connected to.

    A relative path, of a default or of a setting, starts at the current folder, each time.
    """
    return dlt.pipeline(
        choice.pipeline_name,
        pipelines_dir=str(_working_folder(choice)),
        destination=_destination(choice),
        dataset_name=choice.dataset_name,
        progress=collector,
    )


def restore(pipeline: dlt.Pipeline) -> bool:
    """Take over the state that the destination has, as a run would; False if it has none."""
    file = duckdb_file(pipeline)
    if file is not None and not file.exists():
        return False  # connecting would make it
    pipeline.sync_destination()
    return not pipeline.first_run and bool(pipeline.default_schema_name)


def duckdb_file(pipeline: dlt.Pipeline) -> Path | None:
    """The DuckDB file; None for other destinations."""
    if pipeline.destination.destination_type != "dlt.destinations.duckdb":
        return None
    credentials: Any = pipeline.destination_client().config.credentials
    database = str(credentials.database)
    return None if database == ":memory:" else Path(database)


def location(pipeline: dlt.Pipeline) -> str:
    """Where the tables are: a path from here if that is short, else what dlt shows; no secret."""
    config = pipeline.destination_client().config
    shown = str(duckdb_file(pipeline) or getattr(config, "bucket_url", None) or config)
    path = Path(shown.removeprefix("file://"))
    if not path.is_absolute():
        return shown
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def nothing_loaded(choice: Choice, pipeline: dlt.Pipeline) -> Failure:
    """That there is nothing for a command to be about."""
    return Failure(
        "NothingLoaded",
        f"Nothing has been loaded into {location(pipeline)}, dataset {choice.dataset_name}, yet.",
        ExitCode.MEND,
        next_step=f"postpress run{choice.options()}",
    )


def chats_state(pipeline: dlt.Pipeline) -> Mapping[str, Any]:
    """What the resource `chats` remembers between runs; empty before the first."""
    sources = pipeline.state.get("sources", {})
    state: Mapping[str, Any] = sources.get("postpress", {}).get("resources", {}).get("chats", {})
    return state


def settings(choice: Choice, *, key_needed: bool) -> PostpressArguments:
    """The source's arguments: the options', else those of the environment and `.dlt/`."""
    return resolve_configuration(
        PostpressArguments(),
        sections=("sources", "postpress"),
        explicit_value=choice.arguments(),
        accept_partial=not key_needed,
    )


def filters_of(arguments: PostpressArguments) -> Filters:
    """The filters that the source would use."""
    return check_filters(
        account_id=arguments.account_id,
        account_type=arguments.account_type,
        unread=arguments.unread,
        before=arguments.before,
        after=arguments.after,
        limit=arguments.limit,
    )


def endpoint(arguments: PostpressArguments) -> tuple[str, str]:
    """The base URL and the key that the source would use."""
    edge = resolve_configuration(PostpressSettings(), sections=("sources", "postpress"))
    url = check_base_url(arguments.base_url, allow_plain_http=edge.allow_plain_http)
    return url, check_api_key(arguments.api_key)


def query(pipeline: dlt.Pipeline, columns: Mapping[str, str], tail: str) -> list[dict[str, Any]]:
    """Rows of the dataset: `columns` maps names to SQL, `tail` is FROM and what follows.

    The SQL is DuckDB's and is translated for other destinations. Instants come back in UTC.
    """
    select = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    # not by pipeline.dataset(), which fails with sqlglot 30.22 and later (dlt 1.31)
    with (
        pipeline.sql_client() as client,
        client.execute_query(_translate(f"SELECT {select} {tail}", client)) as cursor,
    ):
        rows = cursor.fetchall()
    return [
        {name: _value(name, value) for name, value in zip(columns, row, strict=True)}
        for row in rows
    ]


def _translate(sql: str, client: SqlClientBase[Any]) -> str:
    """DuckDB's SQL in the destination's words, its tables looked for in the dataset."""
    dialect = client.capabilities.sqlglot_dialect
    statement = sqlglot.parse_one(sql, read="duckdb")
    for table in list(statement.find_all(sqlglot.exp.Table)):
        name = client.make_qualified_table_name(table.name)
        placed = sqlglot.exp.to_table(name, dialect=dialect)
        placed.set("alias", table.args.get("alias"))
        table.replace(placed)
    return statement.sql(dialect=dialect)


def _value(name: str, value: Any) -> Any:
    """A value as every destination has it: SQLite gives instants as texts, flags as numbers."""
    if isinstance(value, int) and name in _FLAGS:
        return bool(value)
    if isinstance(value, str) and name in _INSTANTS:
        value = datetime.fromisoformat(value)
    return in_utc(value)


def in_utc(value: Any) -> Any:
    """A value as the destination gave it; an instant in UTC, which it is where it has no zone."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _destination(choice: Choice) -> Any:
    """What dlt takes: the local files have names of their own unless the settings say where to go.

    DuckDB's must differ from the dataset's, which dlt's own default here doesn't: DuckDB can't
    tell a file from a schema of the same name. The sandbox's are its own whatever the settings say.
    """
    parameters: dict[str, Any] = {}
    suffix = "_sandbox" if choice.sandbox else ""
    here = Path(active().local_dir).absolute()
    if choice.destination == "duckdb" and (suffix or not _is_set("destination.duckdb.credentials")):
        parameters["credentials"] = str(here / f"{DUCKDB_FILE}{suffix}.duckdb")
    if choice.destination == "filesystem" and (
        suffix or not _is_set("destination.filesystem.bucket_url")
    ):
        parameters["bucket_url"] = (here / (PARQUET_FOLDER + suffix)).as_uri()
    named: Any = Destination.from_reference(choice.destination)
    if issubclass(named.spec, WithLocalFiles):
        parameters["local_dir"] = str(here)  # dlt's own is the folder of the pipeline's first run
    return Destination.from_reference(choice.destination, **parameters)


def _working_folder(choice: Choice) -> Path:
    """Where dlt keeps the pipeline's working folder: one for each place that is loaded into.

    What an interrupted run has left there may go to no other place, and two runs from two folders
    may not share it. A pipeline's name can't tell the places apart: under it the destination keeps
    the state, which must be found again after the DuckDB file was moved.
    """
    destination = _destination(choice)
    destination.config_params |= {  # which a pipeline would say
        "dataset_name": choice.dataset_name,
        "pipeline_name": choice.pipeline_name,
        "pipeline_working_dir": choice.pipeline_name,
    }
    with inject_section(ConfigSectionContext(pipeline_name=choice.pipeline_name)):
        config: Any = destination.configuration(None)
    place = str(getattr(config, "bucket_url", None) or config.data_location())
    path = Path(place.removeprefix("file://"))
    if path.is_absolute():
        place = str(path.resolve())
        _check_folder(config, path)
    digest = hashlib.sha256(f"{choice.destination} {place}".encode()).hexdigest()
    return Path(active().get_data_entity("postpress"), digest[:8])


def _check_folder(config: Any, path: Path) -> None:
    if config.destination_type == "duckdb" and not path.parent.is_dir():
        raise CommandError(
            Failure(
                "NoFolder",
                f"There is no folder {path.parent} for the DuckDB file {path.name}.",
                ExitCode.MEND,
                next_step="Make it, or mend the setting destination.duckdb.credentials.",
            )
        )


def _is_set(setting: str) -> bool:
    return dlt.secrets.get(setting) is not None
