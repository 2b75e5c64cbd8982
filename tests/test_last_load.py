"""State speaks of the place that the last load went to; the next run sees if it is not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressAccountError, postpress_source
from postpress_source.sandbox import Sandbox, World
from tests.proof.landed import is_equal, select
from tests.proof.test_pipeline import cause_of

pytestmark = pytest.mark.slow

LOST = "the last load isn't in this destination"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inbox.duckdb"


def pipeline_into(file: Path) -> dlt.Pipeline:
    return dlt.pipeline(
        "places",
        destination=dlt.destinations.duckdb(str(file)),
        dataset_name="postpress",
        pipelines_dir=str(file.parent / "pipelines"),
    )


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    return postpress_source("pp_live_of_the_tests", sandbox.url, limit=20, **arguments)


def last_walk(pipeline: dlt.Pipeline) -> tuple[str, str, bool]:
    ((kind, reason, unchanged),) = (
        tuple(row.values())
        for row in select(
            pipeline,
            "SELECT kind, reason, unchanged FROM chat_walks"
            " WHERE _dlt_load_id = (SELECT max(_dlt_load_id) FROM chat_walks)",
        )
    )
    return kind, reason, unchanged


def test_two_files_in_turn_are_both_whole(world: World, sandbox: Sandbox, file: Path) -> None:
    other = file.with_name("other.duckdb")
    for turn in range(3):
        for place in (file, other):
            pipeline = pipeline_into(place)
            pipeline.run(source(sandbox))
            assert is_equal(pipeline, world), (turn, place.name)
        world.receive_message(world.chat_ids[turn])
        world.new_chat()


def test_a_restored_backup_is_brought_up_to_date(
    world: World, sandbox: Sandbox, file: Path
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    shutil.copy(file, file.with_suffix(".backup"))
    for chat in world.chat_ids[:40]:
        world.receive_message(chat)
    pipeline.run(source(sandbox))
    shutil.copy(file.with_suffix(".backup"), file)
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)[:2] == ("full", LOST)
    assert is_equal(pipeline, world)
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)[0] == "head", "once is enough"


@pytest.mark.parametrize("table", ["chats", "chats__folder", "chat_walks", "_dlt_loads"])
def test_a_table_that_was_dropped_by_hand_comes_back(
    world: World, sandbox: Sandbox, file: Path, table: str
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    with pipeline.sql_client() as client:
        client.execute_sql(f"DROP TABLE {table}")
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_rows_that_were_deleted_by_hand_come_back(
    world: World, sandbox: Sandbox, file: Path
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)[2], "nothing had changed"
    with pipeline.sql_client() as client:
        client.execute_sql("DELETE FROM chats")
    pipeline.run(source(sandbox))
    assert not last_walk(pipeline)[2]
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_failed_merge_that_dlt_goes_over_is_made_good(
    world: World, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_FAILED_JOBS", "false")
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    for chat in world.chat_ids[:80]:
        world.receive_message(chat)
    execute = DuckDbSqlClient.execute_many

    def refuse(self: Any, statements: Any, *args: Any, **kwargs: Any) -> Any:
        if any("MERGE INTO" in statement for statement in statements):
            raise DatabaseTerminalException(Exception("no space"))
        return execute(self, statements, *args, **kwargs)

    monkeypatch.setattr(DuckDbSqlClient, "execute_many", refuse)
    pipeline.run(source(sandbox))
    assert not is_equal(pipeline, world)
    monkeypatch.setattr(DuckDbSqlClient, "execute_many", execute)
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)[:2] == ("full", LOST)
    assert is_equal(pipeline, world)


def test_two_sources_in_one_run_are_refused_before_any_request(
    sandbox: Sandbox, file: Path
) -> None:
    with pytest.raises(PipelineStepFailed, match="one after the other"):
        pipeline_into(file).run([source(sandbox), source(sandbox)])


def test_replace_fails_if_an_account_cannot_be_read(
    world: World, sandbox: Sandbox, file: Path
) -> None:
    well, sick = world.accounts
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox, account_id=[well, sick]))
    world.disconnect_account(sick)
    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(source(sandbox, account_id=[well, sick]), write_disposition="replace")
    assert isinstance(cause_of(failed.value), PostpressAccountError)
    assert is_equal(pipeline, world)


def test_the_first_of_two_packages_that_is_lost_is_made_good(
    world: World, sandbox: Sandbox, file: Path
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    for chat in world.chat_ids[:40]:
        world.receive_message(chat)
    pipeline.extract(source(sandbox))
    pipeline.abort_packages()
    world.receive_message(world.chat_ids[50])
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_run_that_is_read_before_the_last_one_has_landed_is_not_compared_with_what_is_there(
    world: World, sandbox: Sandbox, file: Path
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    newest = world.relist()[0]
    for name in ("another", newest["name"]):
        world.rename(newest["id"], name)
        pipeline.extract(source(sandbox))
    pipeline.normalize()
    pipeline.load()
    assert is_equal(pipeline, world)
    current = select(pipeline, "SELECT id, name FROM chats_history WHERE seen_until IS NULL")
    assert {row["id"]: row["name"] for row in current} == {
        c["id"]: c["name"] for c in world.relist()
    }


def test_an_older_load_that_lands_after_the_last_one_is_made_good(
    world: World, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    oldest = world.relist()[-1]
    zombie = dlt.pipeline(
        pipeline.pipeline_name,
        destination=dlt.destinations.duckdb(str(file)),
        dataset_name="postpress",
        pipelines_dir=str(tmp_path / "of the zombie"),
    )
    world.rename(oldest["id"], "another")
    zombie.sync_destination()
    zombie.extract(source(sandbox, full_walk_every="PT0S"))
    zombie.normalize()
    world.rename(oldest["id"], "a third")
    world.receive_message(world.chat_ids[50])
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox, full_walk_every="PT0S"))
    zombie.load()
    assert not is_equal(pipeline, world)
    pipeline = pipeline_into(file)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)
    following = "lead(seen_from) OVER (PARTITION BY id ORDER BY seen_from) AS next"
    query = f"SELECT id, name, seen_until, {following} FROM chats_history ORDER BY seen_from"  # noqa: S608
    versions = [row for row in select(pipeline, query) if row["id"] == oldest["id"]]
    assert [row["name"] for row in versions] == [oldest["name"], "another", "a third"]
    assert all(row["seen_until"] == row["next"] for row in versions)
    assert last_walk(pipeline)[:2] == ("full", "an older load has landed after the last one")
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)[0] == "head"
