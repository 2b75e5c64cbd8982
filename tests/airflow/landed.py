"""What stands in a destination, and what should."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb

Rows = list[tuple[Any, ...]]


def query(destination: str, sql: str) -> Rows:
    """Rows of a DuckDB file, or of the PostgreSQL that a URL names."""
    if not destination.startswith("postgresql://"):
        with duckdb.connect(destination, read_only=True) as duck:
            return duck.execute(sql).fetchall()
    import psycopg2

    connection = psycopg2.connect(destination)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def chats(destination: str, dataset: str) -> Rows:
    """Id, account, unread count and name of every row of `chats`, in order."""
    sql = f'SELECT id, account_id, unread_count, name FROM "{dataset}".chats'  # noqa: S608
    return sorted(query(destination, sql), key=repr)


def expected(listed: Iterable[dict[str, Any]]) -> Rows:
    """The same of chats as the API lists them."""
    rows = [(c["id"], c["account_id"], c["unread_count"], c["name"]) for c in listed]
    return sorted(rows, key=repr)
