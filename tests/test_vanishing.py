"""What is gone goes, and what only seems to be gone stays."""

from datetime import timedelta
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import postpress_source
from postpress_source.sandbox import World, WorldOptions, serve

pytestmark = pytest.mark.slow

FULL = timedelta(0)


@pytest.fixture
def world() -> World:
    world = World(WorldOptions())
    for account in ("acc_1", "acc_2"):
        world.connect_account("LINKEDIN", id=account, history=0)
    for number in range(60):
        at = world.now - timedelta(hours=number)
        world.new_chat(f"acc_{number % 2 + 1}", id=f"c{number}", at=at, folder=["INBOX"])
    return world


def ids(pipeline: dlt.Pipeline, table: str = "chats", column: str = "id") -> set[str]:
    with pipeline.sql_client() as client:
        rows = client.execute_sql(f"SELECT {column} FROM {table}") or []  # noqa: S608
    return {row[0] for row in rows}


def listed(world: World) -> set[str]:
    return {chat["id"] for chat in world.relist()}


def load(pipeline: dlt.Pipeline, url: str, disposition: Any = None, **arguments: Any) -> None:
    source = postpress_source(api_key="pp_live_0123456789", base_url=url, limit=10, **arguments)
    pipeline.run(source, write_disposition=disposition)


def test_a_deleted_chat_goes_with_its_array_rows_after_a_full_walk(
    world: World, pipeline: dlt.Pipeline
) -> None:
    with serve(world) as server:
        load(pipeline, server.url)
        world.delete_chat("c31")
        load(pipeline, server.url)
        assert "c31" in ids(pipeline), "a head walk can't know"
        load(pipeline, server.url, full_walk_every=FULL)
    assert ids(pipeline) == ids(pipeline, "chats__folder", "chat_id") == listed(world)


@pytest.mark.parametrize("disposition", ["merge", "replace"])
@pytest.mark.parametrize("account_id", [None, "acc_1,acc_2"])
def test_a_chat_that_jumps_up_while_a_full_walk_goes_down_stays(
    world: World, pipeline: dlt.Pipeline, disposition: str, account_id: str | None
) -> None:
    with serve(world) as server:
        load(pipeline, server.url, disposition, account_id=account_id)
        first = world.pages_served

        def jump(world: World) -> None:
            if world.pages_served == first + 3:  # the second full walk has read some pages
                world.before_page = None
                world.receive_message("c59", world.now)

        world.before_page = jump
        load(pipeline, server.url, disposition, account_id=account_id, full_walk_every=FULL)
    assert world.chat("c59")["timestamp"] > world.chat("c1")["timestamp"], "it did jump"
    assert ids(pipeline) == listed(world)


def test_an_account_that_disappears_in_mid_walk_keeps_its_chats(
    world: World, pipeline: dlt.Pipeline
) -> None:
    everything = listed(world)
    with serve(world) as server:
        load(pipeline, server.url)

        def disappear(world: World) -> None:
            if world.pages_served == 9:  # the second full walk's third page
                world.before_page = None
                world.disconnect_account("acc_2", error=None)

        world.before_page = disappear
        load(pipeline, server.url, full_walk_every=FULL)
        assert listed(world) < everything, "it did disappear"
        assert ids(pipeline) == everything

        world.heal_account("acc_2")
        load(pipeline, server.url, full_walk_every=FULL)
    assert ids(pipeline) == listed(world) == everything


def test_an_account_that_lists_nothing_keeps_its_chats(
    world: World, pipeline: dlt.Pipeline
) -> None:
    with serve(world) as server:
        load(pipeline, server.url, account_id="acc_1")
        before = ids(pipeline)
        world.disconnect_account("acc_1", error=None)
        load(pipeline, server.url, account_id="acc_1", full_walk_every=FULL)
    assert ids(pipeline) == before


def test_a_walk_that_saw_the_list_move_deletes_nothing(pipeline: dlt.Pipeline) -> None:
    world = World(WorldOptions(order="oldest_first", cursor="offset"))
    world.connect_account("SLACK", id="acc_1", history=0)
    for number in range(40):
        world.new_chat("acc_1", id=f"c{number}", at=world.now - timedelta(hours=99 - number))
    with serve(world) as server:
        load(pipeline, server.url)

        def move(world: World) -> None:
            if world.pages_served == 6:  # the second walk has read two of its four pages
                world.before_page = None
                world.receive_message("c3", world.now)

        world.before_page = move
        load(pipeline, server.url, full_walk_every=FULL)
        assert world.chat("c3")["timestamp"] > world.chat("c39")["timestamp"], "it did move"
        assert ids(pipeline) == listed(world), "one was skipped by the cursor, none is deleted"
        load(pipeline, server.url, full_walk_every=FULL)
    assert ids(pipeline) == listed(world)


def test_what_only_another_key_lists_stays(world: World, pipeline: dlt.Pipeline) -> None:
    less = World(WorldOptions(), now=world.now)
    for account in ("acc_1", "acc_2"):
        less.connect_account("LINKEDIN", id=account, history=0)
    for chat in world.relist()[2:]:
        less.add(chat, created=0)
    with serve(world) as one, serve(less) as other:
        load(pipeline, one.url)
        for server in (other, other, one, other):
            load(pipeline, server.url, full_walk_every=FULL)
            assert ids(pipeline) == listed(world)


# --- replace --------------------------------------------------------------------------------------


def trickles(world: World) -> None:
    for number in range(20, 60, 2):
        world.delete_chat(f"c{number}")


@pytest.mark.parametrize(
    ("happens", "arguments", "said"),
    [
        (lambda world: world.disconnect_account("acc_1", None), {}, "Account acc_1: 30 of its 30"),
        (trickles, {"account_id": "acc_1,acc_2"}, "Account acc_1: 20 of its 30"),
        (lambda world: None, {"account_id": "typo"}, "No chat is listed"),
    ],
    ids=["away", "trickling", "a typo"],
)
def test_replacing_takes_nothing_away_on_weak_evidence(
    world: World, pipeline: dlt.Pipeline, happens: Any, arguments: dict[str, Any], said: str
) -> None:
    with serve(world) as server:
        load(pipeline, server.url, "replace", history=False)
        before = ids(pipeline)
        happens(world)
        for _ in range(2):
            with pytest.raises(PipelineStepFailed, match=said):
                load(pipeline, server.url, "replace", history=False, **arguments)
        assert ids(pipeline) == before
        for _ in range(2):  # which deletes what it may
            load(pipeline, server.url, history=False, full_walk_every=FULL)
        if happens is trickles:
            load(pipeline, server.url, "replace", history=False)
            assert ids(pipeline) == listed(world)


def test_replacing_narrowed_leaves_what_was_asked_for(world: World, pipeline: dlt.Pipeline) -> None:
    with serve(world) as server:
        load(pipeline, server.url, "replace")
        load(pipeline, server.url, "replace", account_id="acc_1")
        assert ids(pipeline) == {chat["id"] for chat in world.relist(account_id="acc_1")}
        world.delete_chat("c58")
        load(pipeline, server.url, "replace")
    assert ids(pipeline) == listed(world)
