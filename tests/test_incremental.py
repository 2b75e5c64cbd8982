"""Run after run over real HTTP into DuckDB: what is read, what lands, what is remembered."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import postpress_source
from postpress_source.sandbox import (
    ABSENT,
    Fault,
    Sandbox,
    World,
    WorldOptions,
    generate_world,
    serve,
)
from tests.proof.landed import as_landed, elements, landed_chats, select, watermark_shown
from tests.proof.listing import Row, expected_row

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
FULL = timedelta(0)


@dataclass
class Inbox:
    """A world that is served, and a pipeline that follows it."""

    folder: Path
    world: World
    sandbox: Sandbox
    asked: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.attach()

    def attach(self) -> None:
        self.pipeline = dlt.pipeline(
            "incremental",
            destination=dlt.destinations.duckdb(str(self.folder / "inbox.duckdb")),
            dataset_name="postpress",
            pipelines_dir=str(self.folder / "pipelines"),
        )

    def source(self, incremental: Any = None, **asked: Any) -> Any:
        source = postpress_source(
            **{"api_key": "pp_live_of_the_tests", "base_url": self.sandbox.url} | self.asked | asked
        )
        if incremental is not None:
            source.chats.apply_hints(incremental=incremental)
        return source

    def run(self, incremental: Any = None, **asked: Any) -> list[Row]:
        """One run; returns its rows of the ledger."""
        self.pipeline.run(self.source(incremental, **asked))
        return self.walks()

    def since(self, start: datetime, end: datetime | None = None) -> Any:
        return dlt.sources.incremental("timestamp", initial_value=start, end_value=end)

    def walks(self) -> list[Row]:
        return select(
            self.pipeline,
            "SELECT * FROM chat_walks WHERE _dlt_load_id = (SELECT max(_dlt_load_id) FROM "
            "chat_walks) ORDER BY account_id NULLS FIRST",
        )

    def fails(self, match: str, **asked: Any) -> None:
        """A run that must fail and leave everything as it was."""
        before = self.all_there_is()
        with pytest.raises(PipelineStepFailed, match=match):
            self.run(**asked)
        assert self.all_there_is() == before

    def all_there_is(self) -> list[list[Row]]:
        tables = ("chats", "chats__folder", "chat_walks", "_dlt_pipeline_state", "_dlt_loads")
        return [select(self.pipeline, f"SELECT * FROM {table} ORDER BY ALL") for table in tables]  # noqa: S608

    def rows(self) -> dict[str, Row]:
        return landed_chats(self.pipeline)

    def wrong(self, **filters: Any) -> set[str]:
        """Chats that are listed and not in the table, or not as they are listed."""
        rows = self.rows()
        chats = {c["id"]: as_landed(expected_row(c)) for c in self.world.relist(**filters)}
        return {chat for chat, expected in chats.items() if rows.get(chat) != expected}

    def is_equal(self) -> bool:
        return not self.wrong() and self.rows().keys() == {c["id"] for c in self.world.relist()}

    def state_bytes(self) -> int:
        return len(json.dumps(self.pipeline.state["sources"], default=str))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "2")


@pytest.fixture
def world() -> World:
    """120 chats in three accounts, 1 hour apart, so that 10 a page are 12 pages."""
    world = World(WorldOptions(), now=datetime.now(UTC) - timedelta(minutes=30))
    for number, kind in enumerate(("LINKEDIN", "WHATSAPP", "LINKEDIN"), 1):
        world.connect_account(kind, id=f"a{number}")
    with world.batch():
        for number in range(120):
            at = world.now - HOUR * number
            world.new_chat(f"a{number % 3 + 1}", id=f"c{number:03}", at=at, unread_count=number % 2)
    return world


@pytest.fixture
def inbox(tmp_path: Path, world: World) -> Iterator[Inbox]:
    with serve(world) as sandbox:
        inbox = Inbox(tmp_path, world, sandbox, {"limit": 10})
        yield inbox
        inbox.pipeline.deactivate()


# --- what it costs -------------------------------------------------------------------------------


def test_a_quiet_inbox_costs_four_requests_and_no_row(tmp_path: Path) -> None:
    world = generate_world(20_000, 4, seed=3)
    with serve(world) as sandbox:
        inbox = Inbox(tmp_path, world, sandbox)
        inbox.run()
        rows = select(inbox.pipeline, "SELECT * FROM chats ORDER BY id")
        for _ in range(2):
            sandbox.requests.clear()
            (walk,) = inbox.run()
            assert len(sandbox.requests) == walk["requests"] <= 4
            assert (walk["kind"], walk["unchanged"]) == ("head", True)
        assert select(inbox.pipeline, "SELECT * FROM chats ORDER BY id") == rows

        world.advance(timedelta(minutes=10), activity=0)
        for chat in world.rng.sample(world.chat_ids, 30):
            world.receive_message(chat)
        sandbox.requests.clear()
        inbox.run()
        assert len(sandbox.requests) <= 4
        assert not inbox.wrong()
        changed = select(
            inbox.pipeline,
            "SELECT count(*) AS n FROM chats WHERE _dlt_load_id = (SELECT max(load_id) FROM "
            "_dlt_loads)",
        )
        assert changed == [{"n": 30}], "rows that didn't change aren't written again"


# --- what a head walk brings ---------------------------------------------------------------------


def test_ties_late_chats_and_chats_that_jump_are_there_after_the_next_head_walk(
    inbox: Inbox, world: World
) -> None:
    inbox.run()
    newest = world.now
    for number in range(25):
        world.new_chat("a1", id=f"tie{number}", at=newest)
    inbox.run()
    assert inbox.is_equal()

    world.advance(timedelta(minutes=20), activity=0)
    world.late_chat("a2", behind=timedelta(minutes=70))  # of now; 50 behind the newest
    inbox.run()
    assert inbox.is_equal()

    def jump(world: World) -> None:
        world.before_page = None
        world.receive_message("c004")
        world.before_page = jump_again

    def jump_again(world: World) -> None:
        world.before_page = None
        world.receive_message("c111")

    world.before_page = jump
    inbox.run()
    assert inbox.wrong() == {"c111"}
    (walk,) = inbox.run()
    assert inbox.is_equal()
    assert not walk["to_the_end"]


def test_a_chat_dated_2099_blinds_nobody(inbox: Inbox, world: World) -> None:
    world.new_chat("a1", id="far", at=datetime(2099, 1, 1, tzinfo=UTC))
    for number in range(3):
        (walk,) = inbox.run()
        assert walk["kind"] == ("head" if number else "full")
        assert walk["to_the_end"] == (number == 0)
        assert walk["watermark_after"] <= walk["started_at"]
        assert watermark_shown(inbox.pipeline) <= walk["started_at"]
        assert inbox.is_equal()
        world.advance(timedelta(minutes=20), activity=0)
        world.receive_message(f"c10{number}")
    inbox.run()
    assert inbox.is_equal()


@pytest.mark.parametrize("order", ["oldest_first", "by_account", "by_id", "shuffled"])
def test_another_order_is_noticed_and_read_to_the_end(tmp_path: Path, order: str) -> None:
    world = generate_world(120, 3, order=order)
    with serve(world) as sandbox:
        inbox = Inbox(tmp_path, world, sandbox, {"limit": 20})
        for number in range(3):
            (walk,) = inbox.run()
            assert (walk["to_the_end"], walk["newest_first"]) == (True, False)
            assert not inbox.wrong()
            world.advance(timedelta(minutes=5), activity=0)
            world.receive_message(world.chat_ids[number * 40])
            assert number == 0 or "read to the end" in walk["reason"]


def test_an_order_that_breaks_later_is_noticed_too(inbox: Inbox, world: World) -> None:
    inbox.run()
    # from now on the first page lists one chat out of order, and who knows what else
    world.new_chat("a1", id="x", at=world.now - HOUR * 50)

    def swap(page: dict[str, Any]) -> object:
        page["items"][1], page["items"][9] = page["items"][9], page["items"][1]
        return page

    inbox.sandbox.faults.add(Fault(kind="edit", edit=swap, page=1, times=None))
    (walk,) = inbox.run()
    assert (walk["kind"], walk["to_the_end"]) == ("full", True)
    assert "not newest first" in walk["reason"]
    assert inbox.is_equal()


def test_a_new_account_brings_its_whole_history_in_the_same_run(inbox: Inbox, world: World) -> None:
    inbox.run()
    world.connect_account("SLACK", id="a4", history=70)
    world.new_chat("a4", id="a4-now")
    walks = inbox.run()
    assert [(w["account_id"], w["kind"]) for w in walks] == [(None, "head"), ("a4", "full")]
    assert walks[1]["reason"] == "account not seen before"
    assert inbox.is_equal()
    (again,) = inbox.run()
    assert again["kind"] == "head"


def test_an_account_out_of_sight_comes_with_the_next_full_walk(inbox: Inbox, world: World) -> None:
    inbox.run()
    world.connect_account("SLACK", id="a4")
    world.new_chat("a4", id="old", at=world.now - HOUR * 90)
    inbox.run()
    assert inbox.wrong() == {"old"}
    inbox.run(full_walk_every=FULL)
    assert inbox.is_equal()


# --- what a full walk brings ---------------------------------------------------------------------


def test_silent_changes_and_array_rows_are_right_after_a_full_walk_that_comes_by_itself(
    inbox: Inbox, world: World
) -> None:
    world.refile("c080", ["INBOX", "one", "two"])
    world.refile("c081", ["INBOX"])
    world.refile("c082", ["INBOX", "one"])
    world.disable_features("c083", ["reply", "reactions"])
    inbox.run()
    until = world.now + timedelta(days=400)
    world.refile("c080", ["two"])
    world.refile("c081", [])
    world.refile("c082", None)
    world.disable_features("c083", None)
    world.disable_features("c084", ["reply"])
    world.mark_unread("c085")
    world.archive("c086")
    world.mute("c087")
    world.mute("c088", until)
    world.rename("c089", None)
    world.edit("c090", pinned=ABSENT, type=9, account_type="THREADS", strange={"a": [1, None]})
    world.null_timestamp("c091")
    world.delete_chat("c092")
    inbox.run(full_walk_every=HOUR)
    assert len(inbox.wrong()) == 12

    time.sleep(1.1)
    (walk,) = inbox.run(full_walk_every=timedelta(seconds=1))
    assert (walk["kind"], walk["reason"]) == ("full", "the last full walk is older than 0:00:01")
    assert inbox.is_equal()
    rows = inbox.rows()
    assert rows["c080"]["folder"] == ["two"]
    assert {e["chat_id"] for e in elements(inbox.pipeline, "disabled_features")} == {"c084"}
    assert (rows["c087"]["muted_forever"], rows["c087"]["muted_until"]) == (True, None)
    assert (rows["c088"]["muted_forever"], rows["c088"]["muted_until"]) == (
        False,
        until.replace(microsecond=until.microsecond // 1000 * 1000),
    )
    assert (rows["c085"]["unread_count"], rows["c090"]["pinned"]) == (-1, None)

    world.mute("c087", None)
    inbox.run(full_walk_every=FULL)
    assert inbox.rows()["c087"]["muted_forever"] is False


# --- filters -------------------------------------------------------------------------------------


def test_a_watermark_is_never_used_for_another_filter(inbox: Inbox, world: World) -> None:
    asked: list[dict[str, Any]] = [{"account_type": "LINKEDIN"}, {}, {"account_type": "LINKEDIN"}]
    for number, filters in enumerate(asked):
        (walk,) = inbox.run(**filters)
        assert not inbox.wrong(**filters)
        assert walk["kind"] == ("head" if number == 2 else "full")
        # of both kinds, and too far behind for the other filter's watermark
        world.advance(timedelta(hours=9), activity=0)
        for chat in (f"c10{number}", f"c11{number}"):
            world.receive_message(chat)
    inbox.run()
    assert inbox.is_equal()


def test_unread_chats_alone_are_followed_too(inbox: Inbox, world: World) -> None:
    inbox.run(unread=True)
    assert inbox.rows().keys() == {c["id"] for c in world.relist(unread=True)}
    world.receive_message("c100")
    inbox.run(unread=True)
    assert not inbox.wrong(unread=True)
    inbox.run()
    assert inbox.is_equal()


# --- accounts side by side -----------------------------------------------------------------------


def test_accounts_are_walked_side_by_side_as_many_at_once_as_allowed(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.sandbox.latency = timedelta(milliseconds=150)
    accounts = ["a1", "a2", "a3"]

    def first_requests(allowed: int) -> list[bool]:
        monkeypatch.setenv("SOURCES__POSTPRESS__PARALLEL_ACCOUNTS", str(allowed))
        inbox.sandbox.requests.clear()
        inbox.run(account_id=accounts, full_walk_every=FULL)
        return ["cursor" not in request.query for request in inbox.sandbox.requests][:3]

    assert first_requests(3) == [True, True, True]
    assert first_requests(2) == [True, True, False]
    assert first_requests(1) == [True, False, False]
    assert inbox.is_equal()


def test_a_sick_account_is_skipped_and_its_gap_is_filled_when_it_is_well(
    inbox: Inbox, world: World
) -> None:
    accounts = "a1,a2,a3"
    inbox.run(account_id=accounts)
    world.disconnect_account("a2", "errors/expired_credentials")
    of_a2 = [c["id"] for c in world.relist(account_id="a2")]
    for number in range(3):
        world.advance(timedelta(hours=12), activity=0)
        world.receive_message(of_a2[20 + number])
        world.rename(of_a2[30 + number], "renamed")
        world.receive_message("c099")  # a1 moves on
        walks = {w["account_id"]: w for w in inbox.run(account_id=accounts)}
        assert not inbox.wrong(account_id="a1")
        skipped = walks["a2"]
        assert (skipped["complete"], skipped["error_type"]) == (False, "errors/expired_credentials")
        assert "Reconnect" in skipped["next_step"]
        assert skipped["watermark_after"] == skipped["watermark_before"]
        assert walks["a1"]["watermark_after"] > skipped["watermark_after"]
        assert watermark_shown(inbox.pipeline) == min(w["watermark_after"] for w in walks.values())
    assert len(inbox.wrong()) == 6

    world.heal_account("a2")
    walks = {w["account_id"]: w for w in inbox.run(account_id=accounts)}
    assert (walks["a2"]["kind"], walks["a2"]["reason"]) == (
        "full",
        "the last walk failed or wasn't complete",
    )
    assert (walks["a1"]["kind"], walks["a3"]["kind"]) == ("head", "head")
    assert inbox.is_equal()


def test_an_account_that_gets_sick_in_mid_walk_lands_nothing_of_it(
    inbox: Inbox, world: World
) -> None:
    inbox.sandbox.faults.add(
        Fault(
            account_id="a2",
            page=3,
            status=401,
            body={"type": "errors/disconnected_account", "status": 401},
        )
    )
    walks = inbox.run(account_id=["a1", "a2", "a3"])
    assert [w["complete"] for w in walks] == [True, False, True]
    assert {row["account_id"] for row in inbox.rows().values()} == {"a1", "a3"}
    inbox.run(account_id=["a1", "a2", "a3"])
    assert inbox.is_equal()


def test_the_run_fails_where_all_accounts_are_sick_or_the_key_is_bad(
    inbox: Inbox, world: World
) -> None:
    inbox.run(account_id="a1,a2")
    world.receive_message("c100")
    for account in ("a1", "a2"):
        world.disconnect_account(account)
    inbox.fails("None of the 2 accounts", account_id="a1,a2")
    inbox.fails("disconnected_account", account_id="a1")
    for account in ("a1", "a2"):
        world.heal_account(account)
    inbox.sandbox.api_key = "pp_live_another_key_0000"
    inbox.fails("PostpressAuthError", account_id="a1,a2")
    inbox.sandbox.api_key = None
    inbox.run(account_id="a1,a2,a3")
    assert inbox.is_equal()


def test_an_account_met_on_the_way_that_is_sick_is_read_when_it_is_well(
    inbox: Inbox, world: World
) -> None:
    inbox.run()
    world.connect_account("SLACK", id="a4", history=30)
    world.new_chat("a4")
    world.disconnect_account("a4")  # still listed among all, but not on its own
    walks = inbox.run()
    assert [w["complete"] for w in walks] == [True, False]
    assert inbox.wrong()
    world.heal_account("a4")
    walks = inbox.run()
    assert walks[1]["reason"] == "the account failed last time"
    assert inbox.is_equal()


# --- runs that die -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 5, 12])
def test_a_run_that_dies_in_mid_walk_changes_nothing_and_the_next_fills_in(
    inbox: Inbox, world: World, page: int
) -> None:
    inbox.run()
    world.advance(timedelta(hours=30), activity=0)
    for number in range(100, 110):
        world.receive_message(f"c{number}")
    world.delete_chat("c050")
    inbox.sandbox.faults.add(Fault(page=page, status=503, times=2))
    inbox.fails("503", full_walk_every=FULL)
    inbox.sandbox.faults.clear()
    inbox.run()
    assert inbox.wrong() == set()
    inbox.run(full_walk_every=FULL)
    assert inbox.is_equal()


def test_the_first_run_may_die_too(inbox: Inbox) -> None:
    inbox.sandbox.faults.add(Fault(page=7, kind="close", times=2))
    with pytest.raises(PipelineStepFailed):
        inbox.run()
    (walk,) = inbox.run()
    assert (walk["kind"], walk["reason"]) == ("full", "first walk of this scope")
    assert inbox.is_equal()


def test_a_first_run_into_tables_that_others_filled_merges_all_the_same(
    inbox: Inbox, world: World
) -> None:
    """A pipeline under another name, or without its state, thinks that it is the first."""
    inbox.run()
    world.rename("c100", "renamed")
    world.edit("c101", folder=["one"])
    world.delete_chat("c102")
    another = dlt.pipeline(
        "another",
        destination=dlt.destinations.duckdb(str(inbox.folder / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(inbox.folder / "elsewhere"),
    )
    assert another.first_run
    another.run(inbox.source())
    inbox.pipeline.activate()
    assert inbox.is_equal()
    assert _disposition(another) == "merge"
    assert _disposition(inbox.pipeline) == "append"


def _disposition(pipeline: dlt.Pipeline) -> Any:
    return pipeline.default_schema.tables["chats"].get("write_disposition")


@pytest.mark.parametrize("gives_up", [True, False])
def test_rows_and_state_land_together_or_not_at_all_when_the_load_fails(
    inbox: Inbox, world: World, gives_up: bool
) -> None:
    inbox.run()
    world.advance(timedelta(hours=30), activity=0)
    world.receive_message("c100")
    inbox.pipeline.extract(inbox.source())
    inbox.pipeline.normalize()
    before = inbox.all_there_is()
    database, aside = inbox.folder / "inbox.duckdb", inbox.folder / "aside"
    database.rename(aside)
    database.mkdir()
    with pytest.raises(PipelineStepFailed):
        inbox.pipeline.load()
    database.rmdir()
    aside.rename(database)
    assert inbox.all_there_is() == before
    world.advance(timedelta(hours=30), activity=0)
    world.receive_message("c101")
    if gives_up:
        inbox.pipeline.abort_packages()
        assert inbox.wrong() == {"c100", "c101"}
    else:
        inbox.pipeline.run()  # the pending package, rows, ledger and state
        assert inbox.wrong() == {"c101"}
    (walk,) = inbox.run()
    assert walk["kind"] == "head"
    assert inbox.is_equal()


@pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")  # of dlt
def test_a_pending_package_is_loaded_before_anything_is_read(inbox: Inbox, world: World) -> None:
    inbox.run()
    world.receive_message("c100")
    inbox.pipeline.extract(inbox.source())
    inbox.sandbox.requests.clear()
    inbox.run()
    assert not inbox.sandbox.requests
    assert inbox.is_equal()


def test_a_new_machine_goes_on(inbox: Inbox, world: World) -> None:
    (first,) = inbox.run()
    inbox.run(account_id="a1,a2")
    world.advance(timedelta(hours=30), activity=0)
    world.receive_message("c100")
    shutil.rmtree(inbox.folder / "pipelines")
    inbox.attach()
    (walk,) = inbox.run()
    assert walk["kind"] == "head"
    assert walk["watermark_before"] == first["watermark_after"]
    assert inbox.is_equal()


def test_a_destination_that_was_lost_is_filled_again(inbox: Inbox) -> None:
    inbox.run()
    (inbox.folder / "inbox.duckdb").unlink()
    inbox.attach()  # as the next process does
    (walk,) = inbox.run()
    assert walk["kind"] == "full"
    assert inbox.is_equal()


# --- pages that repeat, cursors that are refused -------------------------------------------------


def test_a_refused_cursor_restarts_the_walk_once(inbox: Inbox) -> None:
    for status in (400, 410):
        inbox.sandbox.faults.add(Fault(page=6, status=status, times=2))
        (walk,) = inbox.run(full_walk_every=FULL)
        assert (walk["to_the_end"], walk["complete"]) == (True, True)
        assert walk["requests"] >= 12 + 6
        assert inbox.is_equal()
        inbox.sandbox.faults.clear()
    inbox.sandbox.faults.add(Fault(page=6, status=400, times=4))
    inbox.fails("refused the cursor", full_walk_every=FULL)


def test_a_chat_that_is_listed_twice_lands_once_as_it_was_last_seen(
    tmp_path: Path, world: World
) -> None:
    moving = World(WorldOptions(cursor="offset"), now=world.now)
    moving.connect_account("SLACK", id="a1")
    for number in range(60):
        moving.new_chat(id=f"c{number:02}", at=moving.now - HOUR * number)

    def push_down(world: World) -> None:
        if world.pages_served == 3:
            world.before_page = None
            world.rename("c29", "seen twice")
            world.new_chat(id="new")

    moving.before_page = push_down
    with serve(moving) as sandbox:
        inbox = Inbox(tmp_path, moving, sandbox, {"limit": 10})
        (walk,) = inbox.run()
        assert walk["chats_read"] == 61, "c29 twice, and not the new one"
        assert inbox.rows()["c29"]["name"] == "seen twice"
        assert len(elements(inbox.pipeline, "folder")) == 60
        inbox.run()
        assert inbox.is_equal()


# --- the user's own range ------------------------------------------------------------------------


def test_initial_value_is_a_start_date_and_rows_without_timestamp_stay(
    inbox: Inbox, world: World
) -> None:
    world.null_timestamp("c110")
    start = world.now - HOUR * 50
    wanted = {f"c{number:03}" for number in range(51)} | {"c110"}
    inbox.run(inbox.since(start))
    assert inbox.rows().keys() == wanted, "inclusive, and the one without timestamp"
    world.advance(HOUR, activity=0)
    world.receive_message("c100")
    (walk,) = inbox.run(inbox.since(start))
    assert walk["kind"] == "head"
    assert inbox.rows().keys() == wanted | {"c100"}
    (walk,) = inbox.run(inbox.since(start - HOUR * 10))
    assert walk["kind"] == "full", "an earlier start is another scope"
    inbox.run()
    assert inbox.is_equal()


def test_a_backfill_is_bounded_and_leaves_the_watermark_alone(inbox: Inbox, world: World) -> None:
    inbox.run()
    shown = watermark_shown(inbox.pipeline)
    state = json.dumps(inbox.pipeline.state["sources"]["postpress"], default=str)
    world.advance(HOUR * 5, activity=0)
    for chat in ("c030", "c040", "c060", "c070"):
        world.rename(chat, "renamed")
    world.receive_message("c100")
    start, end = world.now - HOUR * 65, world.now - HOUR * 45  # c040 (inclusive) to c060
    (walk,) = inbox.run(inbox.since(start, end))
    assert (walk["kind"], walk["watermark_after"]) == ("backfill", None)
    assert inbox.wrong() == {"c030", "c040", "c070", "c100"}
    assert watermark_shown(inbox.pipeline) == shown
    assert len(json.dumps(inbox.pipeline.state["sources"]["postpress"], default=str)) <= len(state)
    (walk,) = inbox.run()
    assert (walk["kind"], walk["watermark_before"]) == ("head", shown)
    assert inbox.wrong() == {"c030", "c040", "c070"}


def test_a_first_run_may_be_a_backfill(inbox: Inbox, world: World) -> None:
    start, end = world.now - HOUR * 60, world.now - HOUR * 40
    inbox.run(inbox.since(start, end))
    assert inbox.rows().keys() == {f"c{number:03}" for number in range(41, 61)}
    (walk,) = inbox.run()
    assert walk["reason"] == "first walk of this scope"
    assert inbox.is_equal()


def test_an_empty_range_is_refused_before_any_request(inbox: Inbox, world: World) -> None:
    with pytest.raises(PipelineStepFailed, match="is empty"):
        inbox.run(inbox.since(world.now, world.now))
    assert not inbox.sandbox.requests


# --- what is remembered --------------------------------------------------------------------------


def test_the_ledger_stands_in_the_load_of_its_rows_and_chains_the_watermarks(
    inbox: Inbox, world: World
) -> None:
    for number in range(3):
        inbox.run()
        world.advance(timedelta(minutes=10), activity=0)
        world.receive_message(f"c10{number}")
    walks = select(inbox.pipeline, "SELECT * FROM chat_walks ORDER BY started_at")
    assert [w["watermark_before"] for w in walks] == [None] + [
        w["watermark_after"] for w in walks[:-1]
    ]
    brought = select(inbox.pipeline, "SELECT _dlt_load_id FROM chats WHERE id = 'c100'")
    assert brought == [{"_dlt_load_id": walks[1]["_dlt_load_id"]}]
    assert watermark_shown(inbox.pipeline) == walks[-1]["watermark_after"]
    loads = select(inbox.pipeline, "SELECT load_id FROM _dlt_loads")
    assert {w["_dlt_load_id"] for w in walks} <= {load["load_id"] for load in loads}


def test_the_state_of_a_hundred_accounts_is_small(tmp_path: Path) -> None:
    world = World()
    accounts = [world.connect_account("LINKEDIN", history=3) for _ in range(100)]
    with serve(world) as sandbox:
        inbox = Inbox(tmp_path, world, sandbox)
        inbox.run()
        inbox.run(account_id=accounts)
        for filters in ({"account_type": "LINKEDIN"}, {"unread": True}, {"unread": False}):
            inbox.run(**filters)
        assert inbox.is_equal()
        assert inbox.state_bytes() < 10_000
