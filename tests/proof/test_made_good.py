"""What goes wrong costs what it is about, is said, and is made good: the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from postpress_source.sandbox import Sandbox, World, serve
from postpress_source.sandbox.problems import DOCUMENTED, UNDOCUMENTED
from tests.proof.listing import LONG
from tests.proof.tales import ERRORS
from tests.proof.whole import KEY, WholePipeline

HOUR = timedelta(hours=1)
FULL = timedelta(0)


pytestmark = pytest.mark.slow


def inbox(chats: int = 40, accounts: int = 2) -> World:
    """Accounts a1, a2, ... whose chats c00, c01, ... take turns, newest first, 2 hours apart."""
    world = World()
    for number in range(accounts):
        world.connect_account("LINKEDIN", id=f"a{number + 1}")
    for number in range(chats):
        account = f"a{number % accounts + 1}"
        world.new_chat(account, id=f"c{number:02}", at=world.now - 2 * HOUR * number)
    return world


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with serve(World()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
    server.reset(inbox())
    yield server
    server.faults.clear()


@pytest.fixture
def whole(sandbox: Sandbox, tmp_path: Path) -> WholePipeline:
    return WholePipeline(tmp_path, sandbox.url)


def missing(whole: WholePipeline, world: World) -> set[str]:
    """Chats that are listed and aren't in the table as they are listed."""
    rows = whole.table()
    return {
        chat["id"]
        for chat in world.relist()
        if chat["id"] not in rows or rows[chat["id"]]["unread_count"] != chat["unread_count"]
    }


def of_account(world: World, account: str) -> set[str]:
    return {chat["id"] for chat in world.relist(account_id=account)}


def of_each_status() -> list[str]:
    """One error of each status that an account can be answered with."""
    known = {**DOCUMENTED, **UNDOCUMENTED}
    return sorted({known[name][0]: name for name in ERRORS}.values())


# --- one account -------------------------------------------------------------------------------


@pytest.mark.parametrize("well", ["first", "last"])
def test_accounts_that_fail_for_good_cost_themselves_alone(
    sandbox: Sandbox, whole: WholePipeline, monkeypatch: pytest.MonkeyPatch, well: str
) -> None:
    monkeypatch.setenv("SOURCES__POSTPRESS__PARALLEL_ACCOUNTS", "1")
    errors = of_each_status()
    sandbox.reset(inbox(chats=60, accounts=len(errors) + 1))
    world = sandbox.world
    sick = dict(zip(list(world.accounts)[1:], errors, strict=True))
    for account, error in sick.items():
        world.disconnect_account(account, error)
    names = ["a1", *sick] if well == "first" else [*sick, "a1"]
    walks = {walk.account_id: walk for walk in whole.load(account_id=names)}
    assert walks["a1"].complete
    for account, error in sick.items():
        assert walks[account].failed
        assert not walks[account].moved
        assert account in walks[account].said
        assert error in walks[account].said
    assert whole.table().keys() == of_account(world, "a1")
    for account in sick:
        world.heal_account(account)
    whole.load(account_id=names)
    assert not missing(whole, world)


def test_what_an_account_of_all_visible_ones_missed_while_it_was_sick_is_made_good(
    sandbox: Sandbox, whole: WholePipeline
) -> None:
    world = sandbox.world
    whole.load()
    world.connect_account("SLACK", id="new")
    for number in range(12):
        world.new_chat("new", at=world.now - HOUR * 9 * number)
    world.disconnect_account("new", "errors/provider_error")
    _, beside = whole.load()
    assert beside.failed
    world.heal_account("new")
    whole.load()
    assert not missing(whole, world)


# --- two workspaces ------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_workspaces_through_one_pipeline_know_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = inbox(), World()
    second.connect_account("WHATSAPP", id="b1")
    for number in range(40):
        second.new_chat("b1", id=f"b{number:02}", at=second.now - timedelta(days=9, hours=number))
    other = KEY.replace("tests", "others")
    with serve(first, worlds={KEY: first, other: second}) as sandbox:
        whole = WholePipeline(tmp_path, sandbox.url)
        for every in (LONG, LONG, FULL):
            whole.load(full_walk_every=every)
            whole.load(key=other, full_walk_every=every)
            assert not missing(whole, first) | missing(whole, second)
        second.delete_chat("b07")
        second.receive_message("b30")
        whole.load(full_walk_every=FULL)
        walks = whole.load(key=other, full_walk_every=FULL)
        assert [walk.kind for walk in walks] == ["full"]
        assert whole.table().keys() == {c["id"] for w in (first, second) for c in w.relist()}
        assert not missing(whole, second)


# --- what landed, and is gone ------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["", "WHERE id = 'c01'"])
def test_rows_deleted_by_hand_are_back_within_two_runs(
    sandbox: Sandbox, whole: WholePipeline, rows: str
) -> None:
    whole.load()
    with whole.pipeline.sql_client() as client:
        client.execute_sql(f"DELETE FROM chats {rows}")  # noqa: S608
    whole.load()
    whole.load()
    assert not missing(whole, sandbox.world)
    (walk,) = whole.load()
    assert (walk.kind, walk.unchanged) == ("head", True)


def test_rows_deleted_by_hand_where_no_head_walk_reads_are_back_with_the_next_full_walk(
    sandbox: Sandbox, whole: WholePipeline
) -> None:
    whole.load()
    with whole.pipeline.sql_client() as client:
        client.execute_sql("DELETE FROM chats WHERE id > 'c20'")
    sandbox.world.receive_message("c00")
    whole.load()
    whole.load(full_walk_every=FULL)
    assert not missing(whole, sandbox.world)


def test_a_table_dropped_by_hand_is_back_within_two_runs(
    sandbox: Sandbox, whole: WholePipeline
) -> None:
    whole.load()
    whole.load()
    with whole.pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE chats")
    whole.load()
    whole.load()
    assert not missing(whole, sandbox.world)


def test_a_merge_that_failed_unnoticed_is_made_good(
    sandbox: Sandbox, whole: WholePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_FAILED_JOBS", "false")
    world = sandbox.world
    whole.load()
    world.advance(HOUR, activity=0)
    world.receive_message("c30")
    world.new_chat("a1", id="new")
    with monkeypatch.context() as patch:
        patch.setattr(
            "dlt.destinations.sql_jobs.SqlMergeFollowupJob.generate_sql",
            lambda *_, **__: ["SELECT * FROM there_is_no_such_table"],
        )
        whole.load()
    assert missing(whole, world) == {"c30", "new"}
    (walk,) = whole.load()
    assert walk.kind == "full"
    assert not missing(whole, world)
