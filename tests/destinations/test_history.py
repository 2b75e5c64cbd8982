"""On every destination `chats_history` says of each past run what the API listed then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from postpress_source.sandbox import World, generate_world
from postpress_source.views import chats_as_of
from tests.cut_off import lost_acknowledgements
from tests.destinations.conftest import HOLD, Inbox
from tests.destinations.landed import LISTS, elements, inbox, ledger, utc
from tests.destinations.targets import BY_NAME, ON_DISK, Row, Target, duckdb_on

PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text()
SQL = {
    match[1]: match[2] for match in re.finditer(r"```sql\n-- ([\w ]+)\n(.*?)```", PAGE, re.DOTALL)
}
NOW = datetime(2026, 5, 17, 9, 42, 11, 123000, tzinfo=UTC)
OWN = ("extra", "version", "seen_from", "seen_until", "gone", "_dlt_load_id", "_dlt_id")

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    # dlt 1.31, the merge of its sqlalchemy destination
    pytest.mark.filterwarnings("ignore:Coercing Subquery object"),
]


@pytest.fixture(params=[target.param for target in ON_DISK])
def target(request: pytest.FixtureRequest) -> Target:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def to(make_inbox: Callable[[Target], Inbox], target: Target) -> Inbox:
    to = make_inbox(target)
    to.serve(generate_world(40, 2, now=NOW))
    return to


def versions(to: Inbox) -> list[Row]:
    """The rows of history, in order; those that say that a chat is gone among them."""
    rows = [{name: utc(value) for name, value in row.items()} for row in _read(to)]
    assert to.place.target.array_tables or not any(row["seen_until"] for row in rows), "appended"
    return sorted(rows, key=lambda row: (row["id"], row["seen_from"]))


def _read(to: Inbox) -> Iterable[Row]:
    return to.place.read("chats_history")


def at(rows: list[Row], instant: datetime) -> dict[str, Row]:
    """The chats that history says were there, by id, in the form of `inbox`."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["seen_from"] <= instant and (row["seen_until"] or instant + HOLD) > instant:
            assert row["id"] not in found, "two versions at once"
            lists = {column: elements(row[column]) for column in LISTS}
            found[row["id"]] = {name: v for name, v in row.items() if name not in OWN} | lists
    return found


def documented(to: Inbox) -> list[Row]:
    """Appended rows as the documented view has them."""
    with duckdb_on(to.place) as connection:
        connection.register("chats_history", pa.Table.from_pylist(to.place.read("chats_history")))
        loads = [{"load_id": load_id, "status": 0} for load_id in _loads(to)]
        connection.register("_dlt_loads", pa.Table.from_pylist(loads))
        connection.execute(SQL["appended versions"])
        rows = connection.sql("FROM chats_versions").to_arrow_table().to_pylist()
    return [{name: utc(value) for name, value in row.items()} for row in rows]


def _loads(to: Inbox) -> set[str]:
    return {row["_dlt_load_id"] for row in to.place.read("chat_walks")}


def history(to: Inbox) -> list[Row]:
    rows = versions(to)
    if not to.place.target.array_tables:
        return documented(to)
    assert not any(row["gone"] for row in rows), "a tombstone is no version"
    return rows


def run(to: Inbox, shown: dict[datetime, Mapping[str, Row]], **arguments: Any) -> None:
    to.run(**arguments)
    started_at = max(utc(walk["started_at"]) for walk in ledger(to.place))
    assert started_at not in shown
    shown[started_at] = inbox(to.world)


def change(world: World, turn: int) -> None:
    """What happens before a run: away and back again, lists that come and go, a rename."""
    renamed, refiled, muted, *_, last = world.chat_ids[:20]
    world.edit(renamed, name=["A", "B"][turn % 2])
    world.refile(refiled, [["Zoë 😀", 'say "it"'], [], None][turn % 3])
    world.mute(muted) if turn % 2 else world.mute(muted, NOW + timedelta(days=9))
    world.edit(last, unread_count=turn, archived=turn % 2)
    world.new_chat(name=f"new {turn}", at=NOW + timedelta(minutes=turn))


def test_every_past_run_is_in_history(to: Inbox) -> None:
    world, shown = to.world, dict[datetime, Mapping[str, Row]]()
    run(to, shown)
    account = next(iter(world.accounts))
    leaves = [key for key in world.chat_ids if world.chat(key)["account_id"] == account][-1]
    left = world.chat(leaves)
    for turn in range(4):
        change(world, turn)
        if turn in (1, 3):
            world.delete_chat(leaves)
        elif turn == 2:
            world.add(left, created=0)
        run(to, shown)
    count = len(history(to))
    to.move_to_a_new_machine()
    run(to, shown)
    rows = history(to)
    assert len(rows) == count, "nothing changed"
    for instant, of_then in shown.items():
        assert at(rows, instant) == of_then
        if to.place.target.array_tables:
            there = chats_as_of(to.pipeline(), instant.astimezone(ZoneInfo("Asia/Kolkata")))
            assert {row["id"]: row["name"] for row in there} == {
                key: row["name"] for key, row in of_then.items()
            }
    lives = [row for row in rows if row["id"] == leaves]
    assert [row["seen_until"] is None for row in lives] == [False, False]
    assert len({row["version"] for row in lives}) == 1


def test_of_what_landed_twice_one_version_is_current(to: Inbox) -> None:
    to.run()
    change(to.world, 0)
    with lost_acknowledgements("chats_history") as lost:
        to.run()
    assert lost
    change(to.world, 1)
    for _ in range(2):
        to.run()
    (latest,) = {max(utc(walk["started_at"]) for walk in ledger(to.place))}
    assert at(history(to), latest) == inbox(to.world)


def test_parquet_is_written_anew_without_a_chat(
    make_inbox: Callable[[Target], Inbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = make_inbox(BY_NAME["parquet"])
    world = to.serve(generate_world(40, 2, now=NOW))
    to.run()
    change(world, 0)
    to.run()
    chat = world.chat_ids[0]
    folder = to.place.folder / to.place.dataset
    monkeypatch.chdir(tmp_path)
    with duckdb_on(to.place) as connection:
        sql = SQL["forget in files"].replace("inbox/postpress", str(folder))
        connection.execute(sql.replace("the chat", chat))
    for table in ("chats", "chats_history"):
        for file in (folder / table).glob("*.parquet"):
            file.unlink()
        (tmp_path / f"{table}.parquet").rename(folder / table / "anew.parquet")
        assert chat not in {row["id"] for row in to.place.read(table)}
    world.delete_chat(chat)
    to.run()
    (latest,) = {max(utc(walk["started_at"]) for walk in ledger(to.place))}
    assert at(history(to), latest) == inbox(world)
    assert chat not in repr(to.place.read("chats") + to.place.read("chats_history"))
