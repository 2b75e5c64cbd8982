"""What is remembered between runs: its format, and what earlier releases wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from postpress_source import PostpressArgumentError, postpress_source
from postpress_source.sandbox import generate_world, serve
from postpress_source.walks.gone import Missing
from postpress_source.walks.watermark import (
    MAX_BYTES,
    VERSION,
    Memory,
    read_memories,
    shared_accounts,
    upgrade,
    write_memories,
)
from tests.proof.landed import select

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


def version_1(**units: list[Any]) -> dict[str, Any]:
    """As the first release wrote it."""
    return {"scopes": {"": {"used": 3, "units": units}}, "landed": {}}


def test_what_the_first_release_remembered_is_read() -> None:
    state = version_1(a1=[1_779_019_200_000, 1_779_019_100, 1, "abc"])
    state["scopes"][""]["units"][""] = [
        *(None, 1_779_019_100, 0, ""),
        *(["a1", "a2"], ["a3"], [20, 30]),
    ]
    upgrade(state, "", "workspace?")
    assert state["version"] == VERSION
    memories = read_memories(state, "workspace?")
    assert memories["a1"] == Memory(NOON, NOON - timedelta(seconds=100), newest_first=True)
    assert memories[""].accounts == {"a1", "a2"}
    assert memories[""].owed == {"a3"}
    assert read_memories(state, "another?") == {}, "nobody knows whose it was, the first one has it"


def test_a_pipeline_goes_on_from_the_state_of_the_first_release(tmp_path: Path) -> None:
    pipeline = dlt.pipeline(
        "state",
        destination=dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    world = generate_world(chats=300, accounts=2, seed=4)
    with serve(world) as server:
        source = postpress_source("pp_live_of_the_tests", server.url, limit=50)
        pipeline.run(source)
        with pipeline.managed_state() as state:
            chats = state["sources"]["postpress"]["resources"]["chats"]
            ((name, scope),) = chats["scopes"].items()
            (memory,) = scope["units"].values()
            accounts = sorted(world.accounts)
            chats.clear()
            chats |= version_1(**{"": [*memory[:4], accounts, [], [150, 150]]})
        pipeline.run(source)
    ((kind, complete),) = (
        row.values() for row in select(pipeline, "SELECT kind, complete FROM chat_walks OFFSET 1")
    )
    assert (kind, complete) == ("head", True)
    assert name in pipeline.state["sources"]["postpress"]["resources"]["chats"]["scopes"]


def test_state_of_a_later_release_is_refused() -> None:
    with pytest.raises(PostpressArgumentError, match="Install the release"):
        upgrade({"version": VERSION + 1}, "", "workspace?")


def test_what_is_written_is_read_back() -> None:
    memory = Memory(
        NOON,
        NOON,
        True,
        NOON,
        frozenset({"a"}),
        frozenset({"b"}),
        {"a": Missing.of(["x", "y"])},
    )
    for written in (memory, Memory()):
        assert Memory.from_state(json.loads(json.dumps(written.to_state()))) == written


def test_many_scopes_are_remembered_and_the_longest_unused_is_forgotten_first() -> None:
    state: dict[str, Any] = {}
    for number in range(400):
        write_memories(state, f"{'?' * 200}{number}", {"": Memory(NOON, NOON)})
    assert len(json.dumps(state["scopes"])) <= MAX_BYTES
    assert len(state["scopes"]) > 20
    kept = [int(name.strip("?")) for name in state["scopes"]]
    assert kept == list(range(400 - len(kept), 400))


def test_an_account_is_shared_while_another_workspace_lists_it_and_a_week_longer() -> None:
    state: dict[str, Any] = {}
    begun = datetime(2026, 5, 1, tzinfo=UTC)
    day = timedelta(days=1)
    memory = Memory(full_walk_at=begun, accounts=frozenset({"a", "b"}))
    write_memories(state, "one?", {"": memory, "c": Memory(full_walk_at=begun)})
    for scope, after, shared in (
        ("one?unread=True", day, ""),
        ("two?", day, "abc"),
        ("two?", 6.9 * day, "abc"),
        ("two?", 7 * day, "abc"),
    ):
        assert shared_accounts(state, scope, begun + after, day) == frozenset(shared)
    write_memories(state, "two?", {"": Memory(full_walk_at=begun + day)})
    assert shared_accounts(state, "two?", begun + 6.9 * day, day) == frozenset("abc")
    assert not shared_accounts(state, "two?", begun + 7 * day, day)
    assert shared_accounts(state, "two?", begun + 7 * day, 4 * day) == frozenset("abc")
