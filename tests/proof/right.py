"""Whether tables are as a world lists its chats: a plain re-listing, and no code of the package."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import duckdb

from postpress_source.sandbox import World
from tests.proof.landed import Ask, as_landed, chats_of
from tests.proof.listing import Row, expected_row


def wrong(ask: Ask, world: World, past: Mapping[datetime, Mapping[str, str]]) -> Iterator[str]:
    """What in the tables isn't as the list is, or was."""
    listed = {chat["id"]: expected_row(chat) for chat in world.relist()}
    try:
        rows = chats_of(ask)
    except (AssertionError, KeyError, duckdb.CatalogException) as error:
        yield f"chats or their lists: {error!r}"
        return
    for chat in sorted(rows.keys() ^ listed.keys()):
        yield f"{chat} is {'missing' if chat in listed else 'still there'}"
    for chat in sorted(rows.keys() & listed.keys()):
        if rows[chat] != as_landed(listed[chat]):
            yield f"{chat} is stale"
    history = ask("SELECT * FROM chats_history ORDER BY id, seen_from")
    yield from wrong_in_history(history, {c: as_history(row) for c, row in listed.items()}, past)
    walks = ask("SELECT DISTINCT * FROM chat_walks")  # as the document says
    names = Counter((w["started_at"], w["account_id"], w["kind"]) for w in walks)
    yield from (f"walk {name} is there twice" for name, number in names.items() if number > 1)


def left_behind(ask: Ask) -> Iterator[str]:
    """What is there of a load that isn't known as complete, or was seen in a run of none."""
    loads = {row["load_id"] for row in ask("SELECT load_id FROM _dlt_loads")}
    walks = ask("SELECT DISTINCT * FROM chat_walks")
    yield from ("a walk of no load" for walk in walks if walk["_dlt_load_id"] not in loads)
    starts = {walk["started_at"] for walk in walks}
    seen = ask("SELECT DISTINCT seen_from FROM chats_history")
    yield from ("a version of no run" for version in seen if version["seen_from"] not in starts)


def wrong_in_history(
    history: list[Row], listed: Mapping[str, Row], past: Mapping[datetime, Mapping[str, str]]
) -> Iterator[str]:
    """What in these versions, in order, isn't as the list is, or was."""
    yield from entangled(history)
    current = {row["id"]: row for row in history if row["seen_until"] is None}
    for chat in sorted(current.keys() ^ listed.keys()):
        yield f"history: {chat} is {'missing' if chat in listed else 'not gone'}"
    for chat in sorted(current.keys() & listed.keys()):
        if any(current[chat][name] != value for name, value in listed[chat].items()):
            yield f"history: {chat} is stale"
    for instant, versions in past.items():
        if at(history, instant) != versions:
            yield f"history: the table of {instant:%H:%M} isn't told any more"


def entangled(history: list[Row]) -> Iterator[str]:
    """Versions, in order, of which two hold at once, that end before they begin, or that repeat."""
    for row in history:
        if row["seen_until"] is not None and row["seen_from"] >= row["seen_until"]:
            yield f"history: {row['id']} ends before it begins"
    for one, other in pairwise(history):
        until = one["seen_until"]
        if one["id"] != other["id"]:
            continue
        if until is None or until > other["seen_from"]:
            yield f"history: two versions of {one['id']} at once"
        elif one["version"] == other["version"] and until == other["seen_from"]:
            yield f"history: a change of {one['id']} that was none"


def as_history(row: Row) -> Row:
    lists = ("folder", "disabled_features")
    texts = {
        name: None
        if row[name] is None
        else json.dumps(row[name], separators=(",", ":"), ensure_ascii=False)
        for name in lists
    }
    return row | texts


def at(rows: Sequence[Row], instant: datetime) -> dict[str, str]:
    """The version of each chat that held at the start of a run."""
    return {
        row["id"]: row["version"]
        for row in rows
        if row["seen_from"] <= instant
        and (row["seen_until"] is None or row["seen_until"] > instant)
    }
