"""What stands in a destination, read back in the shape of `warehouse.expected_row`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dlt

from postpress_source.sandbox import World
from tests.proof.listing import Row, expected_row

LISTS = ("folder", "disabled_features")
Ask = Callable[[str], list[Row]]


def select(pipeline: dlt.Pipeline, query: str) -> list[Row]:
    """The rows of a query."""
    with pipeline.sql_client() as client, client.execute_query(query) as cursor:
        # in chunks, since for the whole table dlt 1.31 calls what DuckDB 2 no longer has
        return [row for table in cursor.iter_arrow(10_000) for row in table.to_pylist()]


def landed_chats(pipeline: dlt.Pipeline) -> dict[str, Row]:
    """As `chats_of`, of a pipeline's tables."""
    return chats_of(partial(select, pipeline))


def chats_of(ask: Ask) -> dict[str, Row]:
    """`chats` with its array tables folded in, by id; dlt's own columns and the hash left out.

    Asserts that no chat is there twice, that array rows are numbered from 0 without a gap, and
    that none outlives its chat.

    Args:
        ask: Gives the rows of a query.
    """
    chats = ask("SELECT * FROM chats")
    rows = {r["id"]: {k: v for k, v in r.items() if is_the_apis(k)} for r in chats}
    assert len(rows) == len(chats), "a chat is there twice"
    for name in LISTS:
        for row in rows.values():
            row[name] = None
        for element in ask(_elements(name)):
            row = rows[element["chat_id"]]
            row[name] = [*(row[name] or ()), element["value"]]
            assert element["_dlt_list_idx"] == len(row[name]) - 1
    return rows


def is_the_apis(column: str) -> bool:
    """Whether a column says something that the API does."""
    return column != "version" and not column.startswith("_dlt")


def elements(pipeline: dlt.Pipeline, name: str) -> list[Row]:
    """The rows of an array table, in order."""
    return select(pipeline, _elements(name))


def _elements(name: str) -> str:
    return f"SELECT * FROM chats__{name} ORDER BY chat_id, _dlt_list_idx"  # noqa: S608


def as_landed(row: Row) -> Row:
    """An expected row as tables can hold it: an empty array has no rows."""
    return row | {name: row[name] or None for name in LISTS}


def is_equal(pipeline: dlt.Pipeline, world: World) -> bool:
    """Whether the tables are the list, row for row."""
    listed = {chat["id"]: as_landed(expected_row(chat)) for chat in world.relist()}
    return landed_chats(pipeline) == listed


def watermark_shown(pipeline: dlt.Pipeline) -> Any:
    """What `dlt pipeline info` shows of the incremental."""
    resource = pipeline.state["sources"]["postpress"]["resources"]["chats"]
    return resource["incremental"]["timestamp"]["last_value"]
