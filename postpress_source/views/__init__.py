"""Ready-made SQL: views for a BI tool, the same text on DuckDB and PostgreSQL.

Each file of this folder is one ``CREATE VIEW`` over the loaded tables, to be used by hand, or by
`create_views`. They need the array tables, so not a destination that has lists in `chats`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

import dlt
from dlt.destinations.job_client_impl import SqlJobClientBase

from postpress_source.errors import PostpressArgumentError
from postpress_source.views.names import account_names, check_account_names, with_names

VIEWS: Final = (
    "account_names",
    "inbox_chats",  # the other inbox views select from it
    "inbox_backlog",
    "inbox_linkedin",
    "inbox_unread_age",
    "inbox_activity",
    "inbox_shares",
    "walk_runs",
    "walk_kinds",
    "account_freshness",
)
"""The views' names, in an order in which they can be created."""

HISTORY_VIEWS: Final = (
    "chat_versions",  # all others select from it
    "chat_changes",
    "chats_gone",
    "inbox_versions",
    "inbox_backlog_daily",
    "inbox_waits",
    "inbox_health_daily",
)
"""Those over `chats_history`, in an order in which they can be created."""

_DIALECTS: Final = ("duckdb", "postgres")
"""DuckLake and MotherDuck have DuckDB's."""

_PARAMETERS: Final = re.compile(r"parameters AS \(\n    SELECT (.*)\n\)")


def view_sql(name: str, **parameters: str | int) -> str:
    """The ``CREATE VIEW`` statement of one of the views, as its file has it.

    Args:
        name: Of `VIEWS` or `HISTORY_VIEWS`.
        parameters: Values for those of the view's `parameters` that have these names.

    Raises:
        FileNotFoundError: There is no such view.
    """
    sql = files(__name__).joinpath(f"{name}.sql").read_text("utf-8")
    return _PARAMETERS.sub(lambda found: _with(found, parameters), sql)


def _with(found: re.Match[str], parameters: dict[str, str | int]) -> str:
    chosen = found[1]
    for name, value in parameters.items():
        literal = str(value) if isinstance(value, int) else f"'{value}'"
        chosen = re.sub(rf"\S+ AS {name}\b", lambda _, new=f"{literal} AS {name}": new, chosen)
    return found[0].replace(found[1], chosen)


def create_views(
    pipeline: dlt.Pipeline,
    names: Mapping[str, str] | None = None,
    *,
    at_hour: int = 9,
    time_zone: str = "UTC",
    sla_hours: int = 24,
    business_hours: tuple[int, int] | None = None,
) -> None:
    """The views stand in the pipeline's dataset, beside the tables; those of an earlier call go.

    Call it once after the first load, and when a name has changed. Views follow the tables by
    themselves; they are in the way only of a table that is dropped, which PostgreSQL refuses:
    `drop_views` first. Those over `chats_history` are created where there is one.

    Args:
        pipeline: Whose dataset.
        names: Account id -> name; None: the setting `account_names`.
        at_hour: The hour of `inbox_backlog_daily`, 0 to 23.
        time_zone: Of that hour, and of the business hours, by its IANA name.
        sla_hours: How long a chat may wait, for `inbox_waits`.
        business_hours: Such as (9, 17), Monday to Friday: of a wait these count; None: all hours.

    Raises:
        ValueError: A parameter is none.
        PostpressArgumentError: The names aren't texts, or the destination can't have the views.
    """
    named = account_names() if names is None else check_account_names(names)
    if not 0 <= at_hour <= 23 or sla_hours < 0:
        raise ValueError("at_hour is 0 to 23, sla_hours 0 or more")
    opens, closes = business_hours or (0, 24)
    if not 0 <= opens < closes <= 24:
        raise ValueError("business_hours are two of 0 to 24, the earlier one first")
    zone = ZoneInfo(time_zone).key  # or ZoneInfoNotFoundError, a KeyError
    _refuse_other_destinations(pipeline)
    drop_views(pipeline)
    with pipeline.sql_client() as client:
        for name in (*VIEWS, *(HISTORY_VIEWS if _has_history(pipeline) else ())):
            sql = view_sql(
                name,
                at_hour=at_hour,
                time_zone=zone,
                sla_hours=sla_hours,
                opens=opens,
                closes=closes,
                working_days=5 if business_hours else 7,
            )
            client.execute_sql(with_names(sql, named) if name == "account_names" else sql)


def drop_views(pipeline: dlt.Pipeline) -> None:
    """None of the views is left in the pipeline's dataset."""
    with pipeline.sql_client() as client:
        for name in reversed((*VIEWS, *HISTORY_VIEWS)):
            client.execute_sql(f"DROP VIEW IF EXISTS {client.make_qualified_table_name(name)}")


def _refuse_other_destinations(pipeline: dlt.Pipeline) -> None:
    place = pipeline.destination
    dialect = place.capabilities().sqlglot_dialect
    if not issubclass(place.client_class, SqlJobClientBase) or dialect not in _DIALECTS:
        raise PostpressArgumentError(
            f"The views are for {', '.join(_DIALECTS)}, and this is {place.destination_name}",
            next_step="Ask the tables in the destination's own SQL, or load into one of those. "
            "chats_as_of works in any SQL destination.",
        )


def _has_history(pipeline: dlt.Pipeline) -> bool:
    return "chats_history" in pipeline.default_schema.data_table_names()


def chats_as_of(pipeline: dlt.Pipeline, instant: datetime) -> list[dict[str, Any]]:
    """The rows of `chats_history` that held at an instant, as the tables had it then.

    Args:
        pipeline: Whose dataset.
        instant: Aware. Exact at the start of a run; what changed between two, `chat_changes` says.

    Raises:
        ValueError: The instant has no time zone.
        PostpressArgumentError: History is in files, where all versions stand beside each other.
    """
    if instant.tzinfo is None:
        raise ValueError(f"instant needs a time zone: {instant.isoformat()}+00:00, for example")
    if not issubclass(pipeline.destination.client_class, SqlJobClientBase):
        raise PostpressArgumentError(
            "chats_as_of is for SQL destinations, and this one has files",
            next_step='There docs/history.md has the view to ask, "appended versions".',
        )
    at: Any = instant.astimezone(UTC)
    if pipeline.destination.capabilities().sqlglot_dialect == "sqlite":
        at = f"{at:%Y-%m-%d %H:%M:%S.%f}"  # compared as text
    sql = view_sql("chats_as_of").partition("\nSELECT")[2].rstrip().rstrip(";")
    with pipeline.sql_client() as client:
        history = client.make_qualified_table_name("chats_history")
        sql = sql.replace("chats_history", history).replace(":at", "%s")
        with client.execute_query(f"SELECT{sql}", at, at) as cursor:
            names = list(cursor.columns_schema)
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
