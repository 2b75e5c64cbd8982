"""What `chats_history` promises, against a record of all that a world has shown.

Through HTTP into DuckDB, and into PostgreSQL where it runs; changes also happen in mid-walk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

import dlt
import pytest

from postpress_source import PostpressError
from postpress_source.chats.columns import HISTORY
from postpress_source.sandbox import World, WorldOptions, serve
from postpress_source.views import create_views, drop_views
from tests.proof.happenings import HAPPENINGS, Happenings
from tests.proof.landed import select
from tests.proof.listing import Row, expected_row
from tests.proof.right import as_history, at
from tests.proof.whole import WholePipeline

FULL = timedelta(0)
POSTGRES = os.environ.get("POSTPRESS_TEST_POSTGRES")
MINUTE = timedelta(minutes=1)
RUNS: Sequence[Mapping[str, Any]] = (
    {},
    {},
    {"full_walk_every": FULL},
    {"full_walk_every": FULL},
    {"account_id": "a1", "full_walk_every": FULL},
    {"account_id": "a1,a2"},
    {"sweep": True, "full_walk_at_most_every": FULL},
    {"sweep": True},
    {"account_id": "a1,a2", "sweep": True},
    {"account_type": "LINKEDIN", "full_walk_every": FULL},
    {"unread": True},
    {"unread": False, "full_walk_every": FULL},
)
KEPT = [name for name in HISTORY if name not in ("seen_from", "seen_until", "gone")]


@dataclass
class Record:
    """What a world has shown, and since when."""

    world: World
    shown: list[tuple[datetime, dict[str, Row]]] = field(default_factory=list)

    def note(self) -> None:
        """Note what it shows now, if that is new."""
        now = {chat["id"]: as_history(expected_row(chat)) for chat in self.world.relist()}
        if not self.shown or self.shown[-1][1] != now:
            self.shown.append((datetime.now(UTC), now))

    def between(self, first: datetime, last: datetime) -> list[dict[str, Row]]:
        """All that it showed from the first instant to the last, in order."""
        since = max((at for at, _ in self.shown if at <= first), default=self.shown[0][0])
        return [shown for at, shown in self.shown if since <= at <= last]


def versions(whole: WholePipeline) -> list[Row]:
    return select(whole.pipeline, "SELECT * FROM chats_history ORDER BY id, seen_from")


def check(whole: WholePipeline, record: Record, tables: Mapping[datetime, dict[str, str]]) -> None:
    """All promises, after some runs, of each of which the versions in `chats` are known."""
    rows = versions(whole)
    for started_at, of_chats in tables.items():
        assert at(rows, started_at) == of_chats, "a past table"
    for before, after in pairwise(rows):
        assert before["seen_until"] is None or before["seen_from"] < before["seen_until"]
        if before["id"] == after["id"]:
            assert before["seen_until"] is not None, "two are current"
            assert before["seen_until"] <= after["seen_from"], "two at once"
            changed = before["version"] != after["version"]
            assert changed or before["seen_until"] < after["seen_from"], "no change"
    create_views(whole.pipeline)
    for change in select(whole.pipeline, "SELECT * FROM chat_changes"):
        assert lies_within(change, record), change
    for gone in select(whole.pipeline, "SELECT * FROM chats_gone"):
        shown = [gone["id"] in chats for chats in record.between(gone["after"], gone["until"])]
        assert True in shown, f"it was never listed: {gone}"
        assert False in shown[shown.index(True) :], f"it was listed all the time: {gone}"


def lies_within(change: Row, record: Record) -> bool:
    """Whether the old value held in the interval, and the new one later in it."""
    shown = [
        as_text(chats[change["id"]][change["field"]])
        for chats in record.between(change["after"], change["until"])
        if change["id"] in chats
    ]
    return change["old"] in shown and change["new"] in shown[shown.index(change["old"]) :]


def as_text(value: Any) -> str | None:
    """As the view shows it."""
    if isinstance(value, datetime):
        shown = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}".rstrip("0")
        return shown.rstrip(".")
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def run(whole: WholePipeline, tables: dict[datetime, dict[str, str]], **arguments: Any) -> None:
    before = len(tables)
    with suppress(PostpressError):
        whole.load(**arguments)
        rows = select(whole.pipeline, "SELECT id, version FROM chats")
        (last,) = select(whole.pipeline, "SELECT MAX(started_at) AS at FROM chat_walks")
        tables[last["at"]] = {row["id"]: row["version"] for row in rows}
        assert len(tables) == before + 1


@pytest.mark.slow
@pytest.mark.parametrize("cursor", ["keyset", "offset"])
@pytest.mark.parametrize("seed", range(2))
def test_what_history_says_is_true(
    tmp_path: Path, seed: int, cursor: Literal["keyset", "offset"]
) -> None:
    tell(tmp_path, seed, cursor)


@pytest.mark.slow
@pytest.mark.skipif(not POSTGRES, reason="POSTPRESS_TEST_POSTGRES is not set: `make servers-start`")
def test_what_history_says_is_true_in_postgresql(tmp_path: Path) -> None:
    destination = dlt.destinations.postgres(POSTGRES or "")
    dataset = f"history_{os.getpid()}"
    whole = tell(tmp_path, 7, "keyset", destination=destination, dataset=dataset)
    drop_views(whole.pipeline)
    with whole.pipeline.sql_client() as client:
        client.drop_dataset()


def tell(
    folder: Path, seed: int, cursor: Literal["keyset", "offset"], **place: Any
) -> WholePipeline:
    """A random history of a world and of runs that read it; all promises hold in the end."""
    random = Random(f"{seed} {cursor}")
    world = World(WorldOptions(cursor=cursor, nulls=random.choice(["last", "first", "mixed"])))
    happenings = Happenings(world)
    happenings.populate(3, 40, timedelta(minutes=7))
    record, tables = Record(world), dict[datetime, dict[str, str]]()
    names = sorted(HAPPENINGS)
    record.note()

    def happen(_: World) -> None:
        if random.random() < 0.3:
            happenings.happen(random.choice(names), random.randrange(100))
            record.note()

    with serve(world) as server:
        whole = WholePipeline(folder, server.url, **place)
        run(whole, tables)
        for _ in range(14):
            for _ in range(random.randrange(4)):
                happen(world)
            if random.random() < 0.15:
                world.disconnect_account("a2", error=None)
            elif random.random() < 0.5:
                world.heal_account("a2")
            record.note()
            world.before_page = happen if random.random() < 0.5 else None
            run(whole, tables, **random.choice(RUNS))
            world.before_page = None
        check(whole, record, tables)
    assert len(tables) > 5
    return whole


def test_a_change_has_two_ends_and_a_chat_that_comes_back_two_lives(tmp_path: Path) -> None:
    world = World(WorldOptions())
    for number in range(20):
        world.connect_account("LINKEDIN", id="a1", history=0) if not number else None
        world.new_chat("a1", id=f"c{number:02}", at=world.now - MINUTE * number, unread_count=0)
    with serve(world) as server:
        whole = WholePipeline(tmp_path, server.url)
        whole.load()
        whole.load(full_walk_every=FULL)
        world.edit("c05", name="new")
        gone = world.chat("c07")
        world.delete_chat("c07")
        whole.load(full_walk_every=FULL)
        world.add(gone, created=0)
        whole.load(full_walk_every=FULL)
        world.edit("c05", name=None)
        whole.load(full_walk_every=FULL)
        create_views(whole.pipeline)
        starts = [r["started_at"] for r in select(whole.pipeline, WALKS)]
        ends = [r["finished_at"] for r in select(whole.pipeline, WALKS)]
        names = select(whole.pipeline, "SELECT * FROM chat_changes ORDER BY until")
        assert [(c["id"], c["field"], c["old"], c["new"]) for c in names] == [
            ("c05", "name", "Jo Doe", "new"),
            ("c05", "name", "new", None),
        ]
        assert [(c["after"], c["until"]) for c in names] == [
            (starts[1], ends[2]),
            (starts[3], ends[4]),
        ]
        went = select(whole.pipeline, "SELECT * FROM chats_gone")
        assert [(g["id"], g["after"], g["until"]) for g in went] == [("c07", starts[1], ends[2])]
        lives = select(whole.pipeline, "SELECT * FROM chat_versions WHERE id = 'c07'")
        assert sorted((r["seen_from"], r["began_after"]) for r in lives) == [
            (starts[0], None),
            (starts[3], starts[2]),
        ]


def test_a_chat_that_is_read_is_known_within_one_run_where_what_is_unread_is_swept(
    tmp_path: Path,
) -> None:
    world = World(WorldOptions())
    for number in range(40):
        world.connect_account("LINKEDIN", id="a1", history=0) if not number else None
        at = world.now - 60 * MINUTE * number
        world.new_chat("a1", id=f"c{number:02}", at=at, unread_count=int(number in (0, 15, 16)))
    with serve(world) as server:
        whole = WholePipeline(tmp_path, server.url)
        whole.load()
        for _ in range(2):
            whole.load(sweep=True)
        world.read("c15")
        before = len(server.requests)
        whole.load(sweep=True)
        assert len(server.requests) - before == 2 + 1 + 2, "head walk, sweep, and on to c15"
        create_views(whole.pipeline)
        walks = select(whole.pipeline, "SELECT * FROM chat_walks ORDER BY started_at, kind")
        assert [walk["kind"] for walk in walks] == ["full", *["head", "sweep"] * 3]
        heads = [walk for walk in walks if walk["kind"] == "head"]
        (change,) = select(whole.pipeline, "SELECT * FROM chat_changes")
        assert (change["id"], change["field"], change["old"], change["new"]) == (
            *("c15", "unread_count"),
            *("1", "0"),
        )
        assert change["after"] == heads[1]["started_at"], "the run before"
        assert heads[2]["started_at"] < change["until"] <= heads[2]["finished_at"]
        for sweep in (walk for walk in walks if walk["kind"] == "sweep"):
            assert (sweep["scope"], sweep["complete"], sweep["chats_read"]) == (
                *("unread=true", True),
                2 if sweep is walks[-1] else 3,
            )
            assert sweep["saw_unread_down_to"] == EPOCH
            assert (sweep["saw_all"], sweep["saw_down_to"], sweep["watermark_after"]) == (None,) * 3
        fresh = select(whole.pipeline, "SELECT * FROM account_freshness")
        assert [row["last_full_walk_at"] for row in fresh] == [walks[0]["finished_at"]]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WALKS = "SELECT started_at, finished_at FROM chat_walks ORDER BY started_at"
