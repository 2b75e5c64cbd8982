"""What waits is the same whatever it is read from, and the same as the views say there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from postpress_source import postpress_source
from postpress_source.cli.inbox import read_inbox
from postpress_source.cli.sla import Sla
from postpress_source.cli.walks import read_walks
from postpress_source.sandbox import World, generate_world, serve
from postpress_source.views import create_views

DESTINATIONS: dict[str, Any] = {
    "duckdb": lambda folder: dlt.destinations.duckdb(str(folder / "inbox.duckdb")),
    "parquet": lambda folder: dlt.destinations.filesystem(folder.as_uri()),
}


@pytest.fixture
def world() -> World:
    world = generate_world(300, 4, seed=3, now=datetime.now(UTC) - timedelta(days=2))
    world.mark_unread(world.chat_ids[0])
    world.mute(world.chat_ids[1], -1)
    return world


@pytest.fixture(
    params=["duckdb", *(pytest.param(d, marks=pytest.mark.slow) for d in list(DESTINATIONS)[1:])]
)
def pipeline(request: pytest.FixtureRequest, tmp_path: Path, world: World) -> dlt.Pipeline:
    """Loaded three times, while chats were read, woke up and vanished."""
    pipeline = dlt.pipeline(
        "inbox",
        destination=DESTINATIONS[request.param](tmp_path),
        dataset_name="inbox_of_tests",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    options: dict[str, Any] = (
        {"loader_file_format": "parquet"} if request.param == "parquet" else {}
    )
    with serve(world) as sandbox:
        for _ in range(3):
            source = postpress_source(sandbox.key, sandbox.url, full_walk_every=timedelta(0))
            pipeline.run(source, **options)
            if world.now < datetime.now(UTC) - timedelta(days=1):
                world.advance(timedelta(hours=20))
    return pipeline


def test_it_is_what_the_api_lists(pipeline: dlt.Pipeline, world: World) -> None:
    walks = read_walks(pipeline)
    inbox = read_inbox(pipeline, walks, Sla(), {})
    as_of = inbox.as_of
    assert as_of == walks[0]["finished_at"]
    unread = [chat for chat in world.relist() if chat["unread_count"]]
    waiting = {
        chat["id"]
        for chat in unread
        if not chat["archived"]
        and chat.get("content_type") != "sponsored"
        and chat["muted_until"] != -1
        and (not chat["muted_until"] or datetime.fromisoformat(chat["muted_until"]) <= as_of)
    }
    assert sum(row["unread_chats"] for row in inbox.backlog) == len(unread)
    assert {chat.id for chat in inbox.waiting} == waiting
    assert len(inbox.waiting) == len(waiting) > 10
    dated = [chat.since for chat in inbox.waiting if chat.since]
    assert dated == sorted(dated), "the oldest come first"
    assert {chat.over for chat in inbox.waiting} == {True, False}
    assert {row["inbox"] for row in inbox.linkedin} > {"classic"}


def test_it_is_what_the_views_say(tmp_path: Path, world: World) -> None:
    pipeline = dlt.pipeline(
        "inbox",
        destination=DESTINATIONS["duckdb"](tmp_path),
        dataset_name="inbox_of_tests",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    names = {next(iter(world.accounts)): "O'Brien's \"desk\"; DROP TABLE chats;-- 100%s"}
    with serve(world) as sandbox:
        pipeline.run(postpress_source(sandbox.key, sandbox.url))
    create_views(pipeline, names)
    inbox = read_inbox(pipeline, read_walks(pipeline), Sla(), names)
    for view, rows in {"inbox_backlog": inbox.backlog, "inbox_linkedin": inbox.linkedin}.items():
        with pipeline.sql_client() as client:
            names_ = list(rows[0])
            stands = client.execute_sql(f"SELECT {', '.join(names_)} FROM {view}")  # noqa: S608
        of_all = {"chats"}  # the unread alone are read back
        assert {_shown(dict(zip(names_, row, strict=True)), of_all) for row in stands or ()} >= {
            _shown(row, of_all) for row in rows
        }
    assert next(iter(names.values())) in {row["account_name"] for row in inbox.backlog}


def _shown(row: dict[str, Any], without: set[str]) -> tuple[Any, ...]:
    return tuple(
        value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in sorted(row.items())
        if name not in without
    )
