"""What landed, read back the same way from everybody: each chat's id with its two arrays."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb

Arrays = tuple[tuple[str, ...], tuple[str, ...]]
Chats = dict[str, Arrays]

_JOINED = """
with folder as (select {parent} as parent, list(value order by _dlt_list_idx) as found
                from {schema}.chats__folder group by all),
     features as (select {parent} as parent, list(value order by _dlt_list_idx) as found
                  from {schema}.chats__disabled_features group by all)
select id, folder.found, features.found from {schema}.chats
left join folder on folder.parent = chats.{key}
left join features on features.parent = chats.{key}
"""


def listed(url: str, key: str) -> Chats:
    """What the API lists now."""
    return _chats(
        (chat["id"], chat.get("folder"), chat.get("disabledFeatures"))
        for chat in _records(url, key)
    )


def _records(url: str, key: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        query = urlencode({"limit": 250} | ({"cursor": cursor} if cursor else {}))
        request = urllib.request.Request(f"{url}/chats?{query}", headers={"X-API-KEY": key})  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            page = json.load(answer)
        yield from page["items"]
        cursor = page["cursor"]


def _chats(rows: Iterable[Any]) -> Chats:
    return {chat_id: (_elements(folder), _elements(features)) for chat_id, folder, features in rows}


def _elements(array: Any) -> tuple[str, ...]:
    return tuple(json.loads(array) if isinstance(array, str) else array or ())


def _query(folder: Path, sql: str) -> Chats:
    with duckdb.connect(str(folder / "chats.duckdb"), read_only=True) as database:
        rows = database.execute(sql).fetchall()
    found = _chats(rows)
    if len(found) != len(rows):
        raise AssertionError(f"{len(rows) - len(found)} chats are there twice")
    return found


def _airbyte(folder: Path) -> Chats:
    with (folder / "messages.jsonl").open() as messages:
        parsed = (json.loads(line) for line in messages)
        records = [message["record"]["data"] for message in parsed if message["type"] == "RECORD"]
    return _chats(
        (chat["id"], chat.get("folder"), chat.get("disabledFeatures")) for chat in records
    )


SHAPES: dict[str, Callable[[Path], Chats]] = {
    "floor": lambda folder: _query(
        folder, _JOINED.format(schema="main", parent="chat_id", key="id")
    ),
    "ours": lambda folder: _query(
        folder, _JOINED.format(schema="postpress", parent="chat_id", key="id")
    ),
    "rest_api": lambda folder: _query(
        folder, _JOINED.format(schema="postpress", parent="_dlt_parent_id", key="_dlt_id")
    ),
    "pandas": lambda folder: _query(folder, "select id, folder, disabledFeatures from chats"),
    "singer": lambda folder: _query(
        folder, "select id, folder, disabledfeatures from postpress.chats"
    ),
    "airbyte": _airbyte,
}


def compare(shape: str, folder: Path, expected: Chats) -> str:
    """What a contender lost, in words; empty if it has every chat and every element."""
    try:
        found = SHAPES[shape](folder)
    except (duckdb.Error, OSError, AssertionError) as error:
        return f"nothing readable: {error}"
    faults = {
        "chats lost": len(expected.keys() - found.keys()),
        "chats too many": len(found.keys() - expected.keys()),
        "chats with other arrays": sum(
            found.get(each, has) != has for each, has in expected.items()
        ),
    }
    return ", ".join(f"{fault}: {count}" for fault, count in faults.items() if count)
