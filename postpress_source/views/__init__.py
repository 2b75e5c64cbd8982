"""Ready-made SQL: views for a BI tool, the same text on DuckDB and PostgreSQL.

Each file of this folder is one ``CREATE VIEW`` over the loaded tables, to be used by hand, or by
`create_views`. They need the array tables, so not a destination that has lists in `chats`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import dlt

VIEWS: Final = (
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


def view_sql(name: str) -> str:
    """The ``CREATE VIEW`` statement of one of `VIEWS`, as its file has it.

    Raises:
        FileNotFoundError: There is no such view.
    """
    return files(__name__).joinpath(f"{name}.sql").read_text("utf-8")


def create_views(pipeline: dlt.Pipeline) -> None:
    """The views stand in the pipeline's dataset, beside the tables; those of an earlier call go.

    Call it once after the first load. Views follow the tables by themselves; they are in the way
    only of a table that is dropped, which PostgreSQL refuses: `drop_views` first.
    """
    drop_views(pipeline)
    with pipeline.sql_client() as client:
        for name in VIEWS:
            client.execute_sql(view_sql(name))


def drop_views(pipeline: dlt.Pipeline) -> None:
    """None of the views is left in the pipeline's dataset."""
    with pipeline.sql_client() as client:
        for name in reversed(VIEWS):
            client.execute_sql(f"DROP VIEW IF EXISTS {client.make_qualified_table_name(name)}")
